"""The Python interface: a method for each command, which asks for what the same words would, and its types."""

from __future__ import annotations

import contextlib
import inspect
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import chyves
from chyves.cli.calls import OWN, Call, calls
from chyves.cli.grammar import OPEN
from chyves.cli.parser import parse
from chyves.command import Arg
from chyves.commands import COMMANDS
from chyves.errors import UsageError
from chyves.interface import Guests, Host, _Aside
from tests.json_schemas import title
from tests.unit.test_commands_table import EXAMPLES, words

CALLS = list(calls())


def test_each_command_is_a_method_or_takes_over_the_terminal() -> None:
    called = {title(call.row) for call in CALLS}
    assert {title(row) for row in COMMANDS if not row.terminal} == called
    assert {row.name for row in COMMANDS if row.terminal} == {
        "console", "console tmux", "prompt", "dev", "dev prompt", "lab shell",
    }  # fmt: skip
    names = [(call.target is None, call.name) for call in CALLS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{'guest.' if call.target else ''}{call.name}")
def test_a_method_asks_for_what_the_same_words_ask_for(call: Call) -> None:
    owner = Guests if call.target else Host
    method = inspect.getattr_static(owner, call.name)
    assert call.name in OWN or method.__doc__ == call.row.doc
    for full in (True, False):
        line = words(call.row, full)
        if call.first is not None:
            line[0] = call.first
        given = dict(zip([word for word in call.row.words], line, strict=False))
        some = [given[arg] for arg in call.args if arg in given]
        target = EXAMPLES[call.target.name][0] if call.target else ""
        request = call.request(target, some, {})
        assert request == parse(line)
        assert parse(call.words(request)) == request


@pytest.mark.parametrize("call", [call for call in CALLS if call.args], ids=lambda call: call.name)
def test_what_a_word_cannot_be_is_refused_as_on_a_line(call: Call) -> None:
    refused = [arg for arg in call.args if arg.choices or arg.check]
    for arg in refused:
        some = ["/ \n" if other is arg else _example(other) for other in call.args]
        with pytest.raises(UsageError):
            call.request("web1", some, {})
    if not any(arg.many in OPEN for arg in call.args):
        with pytest.raises(TypeError):
            call.request("web1", [*map(_example, call.args), "surplus"], {})
    with pytest.raises(TypeError):
        call.request("web1", [], {"surplus": 1})


def _example(arg: Arg) -> str:
    return (arg.choices or EXAMPLES[arg.name])[0]


def test_importing_chyves_loads_nothing() -> None:
    code = "import sys, chyves; print(*sorted(name for name in sys.modules if name.startswith('chyves.')))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "\n"
    with pytest.raises(AttributeError):
        chyves.surplus  # type: ignore[attr-defined]  # noqa: B018


def test_what_changes_something_is_for_the_main_thread(tmp_path: Path) -> None:
    """Undo heeds signals, which Python hands to that thread only."""
    (tmp_path / "lab.json").write_text("{}")
    (tmp_path / "root").mkdir()
    told: list[str] = []

    def stop() -> None:
        try:
            chyves.open(str(tmp_path)).guest("web1").stop()
        except chyves.ChyvesError as error:
            told.append(str(error))

    thread = threading.Thread(target=stop)
    thread.start()
    thread.join()
    assert told == ["stop: changes something, which is for the main thread alone"]


def test_a_dry_run_takes_no_words_of_other_threads(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.redirect_stdout(_Aside()) as out:
        print("mine")
        other = threading.Thread(target=lambda: print("another's", flush=True))
        other.start()
        other.join()
    assert out.getvalue() == "mine\n"
    assert capsys.readouterr().out == "another's\n"


def test_what_takes_over_the_terminal_is_no_call(tmp_path: Path) -> None:
    """It would be another program in the place of the one that calls."""
    host = chyves.open(str(tmp_path))
    with pytest.raises(chyves.ChyvesError, match="console: takes over the terminal; type it: chyves web1 console"):
        host.run("web1", "console")


def test_a_program_that_ignores_its_children_is_refused(tmp_path: Path) -> None:
    """The status of zfs(8) would be 0 whatever it was, and a failure no guests at all."""
    (tmp_path / "lab.json").write_text("{}")
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(chyves.ChyvesError, match="SIGCHLD: is ignored by this process"):
            chyves.open(str(tmp_path)).list()
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_each_kind_of_error_has_its_name_and_its_status() -> None:
    kinds = (chyves.ChyvesError, chyves.UsageError, chyves.Busy, chyves.NeedsRoot)
    assert [kind.status for kind in kinds] == [1, 2, 75, 77]
    assert all(issubclass(kind, chyves.ChyvesError) for kind in kinds)
    assert chyves.Interrupted(15, "").status == 143
    assert chyves.ProgramFailed(("zfs", "list"), 1, " said\n").said == "said"
    assert chyves.SeveralFailed("", [chyves.Busy("")]).errors[0].status == 75


def test_wrong_calls_are_seen_by_mypy() -> None:
    """mypy --strict reads this file: an ignored error that is none would be one."""
    web1 = chyves.open("/nowhere").guest("web1")
    with pytest.raises(UsageError):
        web1.stop("gently")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        web1.start(surplus=True)  # type: ignore[call-arg]
