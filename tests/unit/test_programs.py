"""A guest's loader and bhyve, and a signal that comes at the moment in which one of them begins."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.programs import Programs
from chyves.host import children
from chyves.host.machine import Host
from chyves.host.run import PLACES, Runner


class Noting(running.Running):
    """Calls a function right before one of the guest's programs is noted, as a signal's handler can be."""

    def __init__(self, at: str, act: Callable[[], None]) -> None:
        super().__init__()
        self.__dict__ |= {"_at": at, "_act": act}

    def __setattr__(self, name: str, value: object) -> None:
        if value is not None and name == self.__dict__.get("_at"):
            self.__dict__["_act"]()
        super().__setattr__(name, value)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path, Runner({}, PLACES))
    running.directory(made, "web1").mkdir(parents=True)
    return made


@pytest.mark.parametrize("which", ["loader", "bhyve"])
def test_a_program_that_is_not_noted_yet_when_the_guest_is_to_end_is_ended(host: Host, which: str) -> None:
    state = Noting(which, lambda: programs.end())
    programs = Programs(host, "web1", state, lambda level, text: None)
    line = ("sh", "-c", "sleep 20")
    status = programs.load(line, 5) if which == "loader" else programs.run(line, ())
    assert status == -signal.SIGKILL
    assert (state.loader, state.bhyve) == (None, None)


@pytest.mark.parametrize("which", ["loader", "bhyve"])
def test_a_program_that_cannot_be_written_down_is_ended(
    host: Host, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    spawn, pids = children.spawn, list[int]()

    def spawned(run: Runner, argv: Sequence[str], output: Path) -> int:
        pids.append(spawn(run, argv, output))
        return pids[-1]

    monkeypatch.setattr(children, "spawn", spawned)
    (host.root / "var/run/chyves/web1.json").mkdir()
    state = running.Running()
    programs = Programs(host, "web1", state, lambda level, text: None)
    line = ("sh", "-c", "sleep 20")
    with pytest.raises(ChyvesError, match=r"web1\.json: cannot be written"):
        _ = programs.load(line, 5) if which == "loader" else programs.run(line, ())
    assert (state.loader, state.bhyve) == (None, None)
    assert not host.processes.alive(pids[0])
