"""Start a guest's supervisor, and learn from it whether bhyve is up."""

from __future__ import annotations

import os
import signal
import sys

from chyves.errors import ChyvesError
from chyves.host.machine import Host

UP = "up"


def launch_supervisor(
    host: Host, name: str, medium: str | None = None, taps: tuple[str, ...] = (), adopt: bool = False
) -> None:
    """Start the process that looks after a guest; returns when bhyve is up, raises ChyvesError with its words if not.

    The supervisor reports through a pipe, which it closes after the word `up` or the sentence that says why not.
    """
    reading, writing = os.pipe()
    try:
        words = ["--report", str(writing), *(f"--tap={tap}" for tap in taps)]
        words += [f"--medium={medium}"] if medium else []
        words += ["--adopt"] if adopt else []
        pid = host.run.detach((sys.executable, "-m", "chyves.guests.supervisor", *words, "--", name), keep=(writing,))
    finally:
        os.close(writing)
    if host.dry:
        os.close(reading)
        return
    said = _hear(reading, pid)
    if said != UP:
        raise ChyvesError(said or f"{name}: its supervisor ended without a word; see: chyves {name} log")


def _hear(reading: int, pid: int) -> str:
    """What the supervisor says; a signal to this process ends the supervisor, which then cleans up and says so."""
    try:
        with os.fdopen(reading, encoding="utf-8", errors="replace") as report:
            return report.read().strip()
    except KeyboardInterrupt:
        os.kill(pid, signal.SIGTERM)
        raise
