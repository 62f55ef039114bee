"""Waiting until guests run, or do not."""

from __future__ import annotations

import time

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings
from chyves.targets import Target

RUNNING, STOPPED = "running", "stopped"
PAUSE = 0.2
"""Seconds between two looks, each of which reads some files and starts no program."""


def wait(host: Host, guest: Target, state: str, seconds: str | None = None) -> None:
    """Return when all the guests run, or none does; raises ChyvesError after so many seconds, naming the others."""
    left = [holding.name for holding in Holdings.read(host).find(guest)]
    deadline = None if seconds is None else time.monotonic() + int(seconds)
    while left := [name for name in left if _runs(host, name) != (state == RUNNING)]:
        if deadline is not None and time.monotonic() >= deadline:
            what = "does not run" if state == RUNNING else "still runs"
            raise ChyvesError(f"{', '.join(left)}: {what} after {seconds} s; see: chyves {left[0]} log")
        time.sleep(PAUSE)


def _runs(host: Host, name: str) -> bool:
    """Whether bhyve runs a guest: not while a loader is at work, nor while a crashed one waits to be booted again."""
    state = running.living(host, name)
    return state is not None and state.bhyve is not None
