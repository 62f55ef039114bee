"""The whole way of a command: what it prints where, and the status that it ends with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pexpect
import pytest

import chyves
from chyves.__main__ import main
from chyves.cli.tables import Column, Row, Table
from chyves.errors import Busy, ChyvesError, Interrupted, SeveralFailed


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., object]], None]:
    """Lets the function of `chyves lab status` be another, so that it can end as any command can."""

    def replace(act: Callable[..., object]) -> None:
        module = ModuleType("chyves.lab.status")
        setattr(module, "status", act)  # noqa: B010
        monkeypatch.setitem(sys.modules, "chyves.lab.status", module)

    return replace


Does = Callable[[Callable[..., object]], None]
Captured = pytest.CaptureFixture[str]
TABLE = Table("things", (Column("a", "A"),), (Row({"a": "網" * 30}),))


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("told", "printed"), [(None, ""), ("a line", "a line\n"), ("a\nb\n", "a\nb\n"), (TABLE, f"A\n{'網' * 30}\n")]
)
def test_result_is_printed(told: object, printed: str, does: Does, capsys: Captured) -> None:
    does(lambda: told)
    assert main(["lab", "status"]) == 0
    assert capsys.readouterr() == (printed, "")


def test_children_are_heeded_also_where_whoever_started_this_ignores_them(does: Does, capsys: Captured) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        does(lambda: f"{subprocess.run(['false']).returncode}")
        assert main(["lab", "status"]) == 0
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert capsys.readouterr() == ("1\n", "")


def test_status_of_another_program_is_passed_on(does: Does, capsys: Captured) -> None:
    does(lambda: 3)
    assert main(["lab", "status"]) == 3
    assert capsys.readouterr() == ("", "")


def test_error_is_one_sentence_and_its_status(does: Does, capsys: Captured) -> None:
    for error, status in (
        (ChyvesError("web1: a reason"), 1),
        (Busy("web1: a reason"), 75),
        (Interrupted(15, "web1: a reason"), 143),
    ):
        does(raising(error))
        assert main(["lab", "status"]) == status
        assert capsys.readouterr() == ("", "chyves: web1: a reason\n")


def test_notes_of_an_error_are_indented(does: Does, capsys: Captured) -> None:
    error = ChyvesError("web1: a reason")
    error.add_note("could not restore the file:\nit is full")
    error.add_note("tap50 stays")
    does(raising(error))
    assert main(["lab", "status"]) == 1
    assert (
        capsys.readouterr().err
        == "chyves: web1: a reason\n  could not restore the file:\n  it is full\n  tap50 stays\n"
    )


def test_several_failures_were_told_before(does: Does, capsys: Captured) -> None:
    does(raising(SeveralFailed("2 of 3 failed: a, b")))
    assert main(["lab", "status"]) == 1
    assert capsys.readouterr() == ("", "")


def test_interrupt_from_the_keyboard(does: Does, capsys: Captured) -> None:
    does(raising(KeyboardInterrupt()))
    assert main(["lab", "status"]) == 130
    assert capsys.readouterr() == ("", "chyves: interrupted\n")


def test_fault_of_chyves_is_told_as_one(does: Does, capsys: Captured) -> None:
    does(raising(ZeroDivisionError("by zero")))
    assert main(["lab", "status"]) == 70
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and lines[0] == "Traceback (most recent call last):" and lines[-2] == "ZeroDivisionError: by zero"
    assert lines[-1].startswith("chyves: ZeroDivisionError in test_main.py line ")
    assert lines[-1].endswith("this is a fault of chyves; report it with the lines above")


def test_version_needs_no_host(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "argv", ["chyves", "--version"])
    assert main() == 0
    assert capsys.readouterr() == (f"chyves {chyves.__version__}\n", "")


def test_machine_without_freebsd_or_lab_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("CHYVES_LAB", "/nonexistent")
    assert main(["list"]) == 1
    assert capsys.readouterr() == (
        "",
        "chyves: /nonexistent: is not a lab; make one with: chyves lab create /nonexistent\n",
    )


def run(*words: str, stdout: int = subprocess.PIPE, **environ: str) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "chyves", *words]
    return subprocess.run(argv, env=os.environ | environ, stdout=stdout, stderr=subprocess.PIPE)


def test_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = run("help", stdout=writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_full_disk_is_told() -> None:
    with open("/dev/full", "w") as full:
        ended = run("help", stdout=full.fileno())
    assert ended.returncode == 1
    assert ended.stderr == b"chyves: standard output: No space left on device; what was told is not all there\n"


def closed(which: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What chyves does where a standard stream is closed, as `sh` closes it."""
    line = f'exec "$@" {which}'
    argv = ["sh", "-c", line, "sh", sys.executable, "-m", "chyves", *words]
    return subprocess.run(argv, capture_output=True, text=True)


def test_what_is_told_on_a_closed_stderr_is_not_on_stdout() -> None:
    ended = closed("2>&-", "no", "such", "command")
    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_closed_stdout_is_told() -> None:
    ended = closed(">&-", "help")
    assert (ended.returncode, ended.stderr) == (
        1,
        "chyves: standard output: Bad file descriptor; what was told is not all there\n",
    )
    assert closed("<&- >&- 2>&-", "help").returncode == 1


def test_the_place_of_a_closed_stream_is_not_that_of_the_next_file() -> None:
    code = "import os; from chyves.__main__ import main; main(['no']); print(os.open('/', os.O_RDONLY) > 2)"
    argv = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout == "True\n"


def test_a_full_disk_behind_stderr_keeps_nothing_from_being_done() -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run([sys.executable, "-m", "chyves", "no"], stderr=full, stdout=subprocess.PIPE)
    assert (ended.returncode, ended.stdout) == (2, b"")


def test_undecodable_words_are_refused_in_a_sentence() -> None:
    argv = [sys.executable.encode(), b"-m", b"chyves", b"web\xff", b"start"]
    ended = subprocess.run(argv, env=os.environ | {"LC_ALL": "C"}, capture_output=True)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert (
        ended.stderr
        == b"chyves: 'web\\udcff': is no name for a guest: use letters, digits, dots, dashes and underscores\n"
    )


def test_what_the_terminals_encoding_lacks_is_shown_as_its_code() -> None:
    code = (
        "import sys; from types import ModuleType as M; m = M('m'); m.status = lambda: 'n\\u00e4 \\u7f51 \\udcff';"
        "sys.modules['chyves.lab.status'] = m; from chyves.__main__ import main; sys.exit(main(['lab', 'status']))"
    )
    for encoding, shown in (("ascii", b"n\\xe4 \\u7f51 \\udcff\n"), ("latin-1", b"n\xe4 \\u7f51 \\udcff\n")):
        environ = os.environ | {"PYTHONIOENCODING": encoding}
        assert (
            subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, check=True).stdout == shown
        )


SHOWS_A_TABLE = """
import sys
from types import ModuleType
from chyves.__main__ import main
from chyves.cli.tables import Column, Row, Table
module = ModuleType("module")
module.status = lambda: Table("t", (Column("a", "A"),), (Row({"a": "x" * 99}),), cut=True, paged=True)
sys.modules["chyves.lab.status"] = module
sys.exit(main(["lab", "status"]))
"""


def test_terminal_gets_lines_of_its_width_through_its_pager() -> None:
    environ = {**os.environ, "PAGER": "sed 's/^/paged /'", "TERM": "xterm"}
    environ.pop("COLUMNS", None)
    environ.pop("MANPAGER", None)
    child = pexpect.spawn(sys.executable, ["-c", SHOWS_A_TABLE], env=environ, dimensions=(24, 30), timeout=60)
    assert child.read() == b"paged A\r\npaged " + b"x" * 30 + b"\r\n"
    assert child.wait() == 0


def test_pipe_gets_whole_lines_and_no_pager() -> None:
    environ = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"PAGER": "false"}
    ended = subprocess.run(
        [sys.executable, "-c", SHOWS_A_TABLE], env=environ, capture_output=True, text=True, check=True
    )
    assert ended.stdout == f"A\n{'x' * 99}\n"


def test_words_are_json_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    module = ModuleType("chyves.guests.report")
    setattr(module, "info", lambda host, **flags: "2")  # noqa: B010
    monkeypatch.setitem(sys.modules, "chyves.guests.report", module)
    monkeypatch.setenv("CHYVES_LAB", str(tmp_path))
    (tmp_path / "lab.json").touch()
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "text": "2"}
