"""What the user sees and is asked: on a real terminal, and where there is none."""

from __future__ import annotations

import sys

import pexpect
import pytest

from chyves.errors import ChyvesError
from chyves.host.terminal import Progress, Terminal

ASK = "from chyves.host.terminal import Terminal; print('->', Terminal().{call})"


def on_a_terminal(call: str) -> pexpect.spawn[str]:
    return pexpect.spawn(sys.executable, ["-c", ASK.format(call=call)], encoding="utf-8", timeout=60)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y", "True"), ("yes", "True"), ("Y", "True"), ("n", "False"), ("", "False"), ("maybe", "False")],
)
def test_a_question_is_answered_by_y_or_yes_alone(typed: str, answer: str) -> None:
    child = on_a_terminal("confirm('delete web1', False)")
    child.expect_exact("delete web1 [y/N] ")
    child.sendline(typed)
    child.expect_exact(f"-> {answer}")
    child.expect(pexpect.EOF)


def test_the_end_of_input_is_no() -> None:
    child = on_a_terminal("confirm('delete web1', False)")
    child.expect_exact("[y/N] ")
    child.sendeof()
    child.expect_exact("-> False")
    child.expect(pexpect.EOF)


def test_a_line_is_asked_for() -> None:
    child = on_a_terminal("ask('checksum:')")
    child.expect_exact("checksum: ")
    child.sendline("sha256=00 ")
    child.expect_exact("-> sha256=00 ")
    child.expect(pexpect.EOF)


def test_yes_is_not_asked_and_without_a_terminal_nothing_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    assert terminal.confirm("delete web1", True)
    assert terminal.confirm("delete web1", False, scripts=True)
    assert terminal.ask("checksum:") is None
    with pytest.raises(ChyvesError, match=r"^delete web1: there is no terminal to ask on; give --yes$"):
        terminal.confirm("delete web1", False)
    assert capsys.readouterr() == ("", "")


def test_prompt_on_destruction_no_agrees_to_what_was_named_and_to_nothing_else() -> None:
    terminal = Terminal()
    terminal.prompts = False
    assert terminal.confirm("delete web1", False, named=True)
    with pytest.raises(ChyvesError, match="give --yes"):
        terminal.confirm("delete all", False)


def test_prompt_on_destruction_no_is_not_asked_on_a_terminal_but_for_what_was_not_named() -> None:
    program = "from chyves.host.terminal import Terminal; t = Terminal(); t.prompts = False; print('->', t.{call})"
    for call, asked in (("confirm('delete web1', False, named=True)", False), ("confirm('all', False)", True)):
        child = pexpect.spawn(sys.executable, ["-c", program.format(call=call)], encoding="utf-8", timeout=60)
        if asked:
            child.expect_exact("all [y/N] ")
            child.sendline("n")
        child.expect_exact(f"-> {not asked}")
        child.expect(pexpect.EOF)


@pytest.mark.parametrize(("level", "shown"), [(0, ""), (1, "one\n"), (2, "one\ntwo\n"), (3, "one\ntwo\nthree\n")])
def test_the_level_decides_what_is_said_and_warnings_are_always(
    capsys: pytest.CaptureFixture[str], level: int, shown: str
) -> None:
    terminal = Terminal()
    assert terminal.level == 2
    terminal.level = level
    for number, text in enumerate(("one", "two", "three"), 1):
        terminal.say(number, text)
    terminal.warn("web1: odd")
    assert capsys.readouterr() == ("", f"{shown}warning: web1: odd\n")


def test_what_a_guest_said_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said = "web1: its guest agent says: \x1b]0;owned\x07\r\x9b2J"
    Terminal().warn(said)
    Terminal().failed(ChyvesError(f"{said}\nBüro"))
    shown = r"web1: its guest agent says: \x1b]0;owned\x07\r\x9b2J"
    assert capsys.readouterr().err == f"warning: {shown}\nchyves: {shown}\nBüro\n"


@pytest.mark.parametrize(
    ("total", "done", "text"),
    [
        (4 << 20, 1 << 20, "x.iso: [########----------------------]  25% 1.0 of 4.0 MiB"),
        (1 << 20, 1 << 20, "x.iso: [##############################] 100% 1.0 of 1.0 MiB"),
        (1 << 20, 2 << 20, "x.iso: [##############################] 100% 2.0 of 1.0 MiB"),
        (None, 3 << 19, "x.iso: 1.5 MiB"),
        (0, 0, "x.iso: 0.0 MiB"),
    ],
)
def test_the_bar(total: int | None, done: int, text: str) -> None:
    bar = Progress(total, "x.iso", shown=False)
    bar.advance(done)
    assert bar.text() == text


def test_the_bar_is_drawn_on_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal().progress(10, "x.iso") as bar:
        bar.advance(5)
    assert capsys.readouterr() == ("", "")
    child = on_a_terminal("progress(2 << 20, 'x.iso').__enter__().advance(1 << 20)")
    child.expect_exact("x.iso: [###############---------------]  50% 1.0 of 2.0 MiB")
    child.expect(pexpect.EOF)
