"""A guest's loader and bhyve, and a signal that comes at the moment in which one of them begins."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.guests import running
from chyves.guests.programs import Programs
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


@pytest.mark.parametrize("which", ["loader", "bhyve"])
def test_a_program_that_is_not_noted_yet_when_the_guest_is_to_end_is_ended(tmp_path: Path, which: str) -> None:
    host = Host(tmp_path, Runner({}, PLACES))
    running.directory(host, "web1").mkdir(parents=True)
    state = Noting(which, lambda: programs.end())
    programs = Programs(host, "web1", state, lambda level, text: None)
    line = ("sh", "-c", "sleep 20")
    status = programs.load(line, 5) if which == "loader" else programs.run(line, ())
    assert status == -signal.SIGKILL
    assert (state.loader, state.bhyve) == (None, None)
