"""Undo: faults, and signals that are really sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from chyves.errors import ChyvesError, Interrupted
from chyves.host.undo import SIGNALS, Undo


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.fixture(autouse=True)
def same_handlers() -> Iterator[None]:
    before = handlers()
    yield
    assert handlers() == before


@pytest.fixture
def done() -> list[str]:
    """What has been done and taken back, in order."""
    return []


def step(undo: Undo, done: list[str], name: str, act: Callable[[], object] | None = None) -> object:
    """A step that notes itself, and its way back."""

    def noted() -> object:
        done.append(name)
        return act() if act else None

    return undo.do(noted, lambda: done.append(f"-{name}"), f"take back {name}")


def kill(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def fail() -> None:
    raise ChyvesError("no")


def test_what_was_done_stays_and_a_step_gives_its_answer(done: list[str]) -> None:
    with Undo() as undo:
        assert undo.do(lambda: 7, lambda: done.append("back"), "x") == 7
    assert done == []


def test_a_fault_takes_all_back_last_first_but_not_the_step_that_failed(done: list[str]) -> None:
    with pytest.raises(ChyvesError, match=r"^no$"), Undo() as undo:
        step(undo, done, "a")
        step(undo, done, "b")
        step(undo, done, "c", fail)
    assert done == ["a", "b", "c", "-b", "-a"]


def test_a_step_may_be_taken_back_by_an_earlier_one(done: list[str]) -> None:
    with pytest.raises(ChyvesError) as caught, Undo() as undo:
        step(undo, done, "a")
        assert undo.do(lambda: 7) == 7
        undo.do(fail)
    assert done == ["a", "-a"]
    assert not hasattr(caught.value, "__notes__")


def test_a_step_back_that_fails_is_told_and_the_rest_is_taken_back(done: list[str]) -> None:
    def broken() -> None:
        raise OSError("busy")

    with pytest.raises(ChyvesError) as caught, Undo() as undo:
        step(undo, done, "a")
        undo.do(lambda: None, broken, "destroy tap5")
        fail()
    assert done == ["a", "-a"]
    assert caught.value.__notes__ == ["could not destroy tap5: busy"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_whatever_ends_it_takes_back(done: list[str], error: type[BaseException]) -> None:
    with pytest.raises(error), Undo() as undo:
        step(undo, done, "a")
        raise error
    assert done == ["a", "-a"]


def test_a_step_back_that_wants_to_end_the_program_does_not_stop_the_rest(done: list[str]) -> None:
    with pytest.raises(ChyvesError), Undo() as undo:
        step(undo, done, "a")
        undo.do(lambda: None, sys.exit, "leave")
        fail()
    assert done == ["a", "-a"]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_a_step_is_acted_on_before_the_next(done: list[str], number: int) -> None:
    with pytest.raises(Interrupted) as caught, Undo() as undo:
        step(undo, done, "a")
        step(undo, done, "b", kill(number))
        step(undo, done, "c")
    assert done == ["a", "b", "-b", "-a"]
    assert caught.value.status == 128 + number


def test_a_signal_in_the_last_step_is_told_and_the_work_is_kept(done: list[str]) -> None:
    with pytest.raises(Interrupted, match="SIGTERM, after all was done"), Undo() as undo:
        step(undo, done, "a", kill(signal.SIGTERM))
    assert done == ["a"]


def test_a_signal_while_taking_back_does_not_stop_that_and_is_told(done: list[str]) -> None:
    with pytest.raises(Interrupted, match=r"^no; then stopped by SIGINT$") as caught, Undo() as undo:
        step(undo, done, "a")
        undo.do(lambda: None, kill(signal.SIGINT), "be interrupted")
        fail()
    assert done == ["a", "-a"]
    assert isinstance(caught.value.__cause__, ChyvesError)


def test_notes_of_the_first_error_are_kept_when_a_signal_came_too() -> None:
    with pytest.raises(Interrupted) as caught, Undo() as undo:
        undo.do(kill(signal.SIGHUP), fail, "mend it")
        fail()
    assert caught.value.__notes__ == ["could not mend it: no"]


def test_a_signal_in_an_inner_undo_that_ends_well_is_acted_on_by_the_outer_one(done: list[str]) -> None:
    def inner() -> None:
        with Undo() as undo:
            step(undo, done, "inner", kill(signal.SIGTERM))

    with pytest.raises(Interrupted), Undo() as outer:
        step(outer, done, "outer", inner)
        step(outer, done, "never")
    assert done == ["outer", "inner", "-outer"]


def test_a_signal_before_an_inner_undo_stops_its_first_step(done: list[str]) -> None:
    with pytest.raises(Interrupted), Undo() as outer:
        step(outer, done, "outer")
        kill(signal.SIGTERM)()
        with Undo() as inner:
            step(inner, done, "inner")
    assert done == ["outer", "-outer"]


def test_an_inner_fault_takes_back_the_inner_then_the_outer(done: list[str]) -> None:
    with pytest.raises(ChyvesError), Undo() as outer:
        step(outer, done, "a")
        with Undo() as inner:
            step(inner, done, "b")
            fail()
    assert done == ["a", "b", "-b", "-a"]


def test_a_signal_that_the_process_ignores_stays_ignored(done: list[str]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Undo() as undo:
            step(undo, done, "a", kill(signal.SIGHUP))
            step(undo, done, "b")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done == ["a", "b"]


def test_the_old_handlers_are_back_while_the_error_is_on_its_way() -> None:
    before = handlers()
    try:
        with Undo():
            fail()
    except ChyvesError:
        assert handlers() == before


TERMINAL = """
import os, signal, sys
from chyves.host.machine import Host
from chyves.host.undo import Undo
run = Host.open(os.environ).run
with Undo() as undo:
    undo.do(lambda: print("made", flush=True), lambda: print("taken back", flush=True), "take back")
    undo.do(lambda: run.do("slow"), lambda: print("slow taken back", flush=True), "end slow")
    undo.do(lambda: print("never"), lambda: None, "x")
"""


def test_ctrl_c_on_a_terminal_lets_the_program_end_and_then_takes_back(tmp_path: object) -> None:
    """The whole group of processes gets SIGINT, as a terminal sends it; the program is not in that group."""
    place = str(tmp_path)
    for directory in ("bin", "root"):
        os.mkdir(f"{place}/{directory}")
    with open(f"{place}/lab.json", "w") as settings:
        settings.write("{}")
    with open(f"{place}/bin/slow", "w") as program:
        program.write(f"#!/bin/sh\necho here > {place}/fifo\nread go < {place}/go\necho ended > {place}/ended\n")
    os.chmod(f"{place}/bin/slow", 0o755)
    os.mkfifo(f"{place}/fifo")
    os.mkfifo(f"{place}/go")
    child = subprocess.Popen(
        [sys.executable, "-c", TERMINAL],
        env={**os.environ, "CHYVES_LAB": place},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with open(f"{place}/fifo") as fifo:
        assert fifo.read() == "here\n"
    os.killpg(child.pid, signal.SIGINT)
    with open(f"{place}/go", "w") as go:
        go.write("go\n")
    out, error = child.communicate(timeout=60)
    assert os.path.exists(f"{place}/ended")
    assert out == "made\nslow taken back\ntaken back\n"
    assert "Interrupted: stopped by SIGINT; what was done has been taken back" in error
