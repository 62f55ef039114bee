"""Start a guest's supervisor, and learn from it whether bhyve is up."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

import chyves
from chyves.errors import ChyvesError, Interrupted
from chyves.host.machine import Host
from chyves.host.undo import SIGNALS

UP = "up"


PATIENCE = 10
"""Seconds that a supervisor is given to end once it has said why the guest is not up."""


def launch_supervisor(
    host: Host, name: str, medium: str | None = None, taps: Sequence[str] = (), adopt: bool = False
) -> None:
    """Start the process that looks after a guest; returns when bhyve is up, raises ChyvesError with its words if not.

    The supervisor reports through a pipe, which it closes after the word `up` or the sentence that says why not. A
    signal to this process ends it, however long a loader waits, and it frees what the guest held; then Interrupted is
    raised. One that only adopts a guest is not ended.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8", errors="replace") as report, _Forwarding(not adopt) as forwarding:
        try:
            words = ["--report", str(writing), *(f"--tap={tap}" for tap in taps)]
            words += [f"--medium={medium}"] if medium else []
            words += ["--adopt"] if adopt else []
            pid = host.run.detach(own_program("chyves.guests.supervisor", *words, "--", name), keep=(writing,))
        finally:
            os.close(writing)
        if host.dry:
            return
        forwarding.to(pid)
        said = report.read().strip()
    if said != UP:
        host.processes.wait_for_end(pid, PATIENCE)
    if forwarding.noted:
        signalled = signal.Signals(forwarding.noted[0])
        what = "just up; its power button has been pressed" if said == UP else "not up yet; it is off again"
        raise Interrupted(signalled, f"{name}: stopped by {signalled.name} when it was {what}")
    if said != UP:
        raise ChyvesError(
            said or f"{name}: its supervisor ended without a word; look at the guest's log, and try again"
        )


def own_program(module: str, *words: str) -> tuple[str, ...]:
    """The words that run a module of chyves as a process of its own.

    Python finds the package where it lies, also where that is none of its own places (make install PREFIX).
    """
    return ("env", f"PYTHONPATH={Path(chyves.__file__).parents[1]}", sys.executable, "-m", module, *words)


class _Forwarding:
    """Passes the signals that would end this process on to another one, as SIGTERM, instead of acting on them."""

    def __init__(self, wanted: bool) -> None:
        self.noted: list[int] = []
        self._wanted, self._pid = wanted, 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS if self._wanted else ():
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def to(self, pid: int) -> None:
        """From now on there is the process, which also gets what came before."""
        self._pid = pid
        if self.noted:
            self._send()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.noted.append(number)
        if self._pid:
            self._send()

    def _send(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
