"""Programs of the user's own, which get so many seconds and no more."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from chyves.host import children

KEPT = 16 << 10
"""Bytes of what a program says that are kept: the last."""

TICK = 0.05
"""Seconds between two looks at whether it has ended, or shall end."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its status (negative: the signal that ended it), None where it was ended; what it said."""

    status: int | None
    said: str


def run(
    program: str, environ: Mapping[str, str], seconds: float, ending: Callable[[], bool], begun: Callable[[int], None]
) -> Ended:
    """Run a program to its end, without input and in a process group of its own, which is ended when the time is up.

    It is also ended once `ending` says so; `begun` is told its number. What it leaves behind may go on. Raises OSError
    where it cannot be started.
    """
    reading, writing = os.pipe()
    try:
        pid = _spawn(program, environ, writing)
    finally:
        os.close(writing)
    output = _Output(reading)
    try:
        _tell(begun, pid)
        until = time.monotonic() + seconds
        while (status := children.ended(pid)) is None:
            if time.monotonic() >= until or ending():
                end_group(pid)
                children.wait(pid)
                break
            output.read(TICK)
        return Ended(status, output.rest())
    finally:
        os.close(reading)


def _tell(begun: Callable[[int], None], pid: int) -> None:
    """Tell of a program that has begun; what nobody could be told of is ended."""
    try:
        begun(pid)
    except BaseException:
        end_group(pid)
        children.wait(pid)
        raise


def end_group(pid: int) -> None:
    """End a program that `run` started, and all that it started in its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _spawn(program: str, environ: Mapping[str, str], output: int) -> int:
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.posix_spawn(
            program,
            [program],
            environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing, 0), *((os.POSIX_SPAWN_DUP2, output, fd) for fd in (1, 2))],
            setpgroup=0,
            setsigmask=(),
            setsigdef=children.DEFAULT_SIGNALS,
        )
    finally:
        os.close(nothing)


class _Output:
    """The last of what comes through a pipe, which what a program left behind may hold open for ever."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._kept = descriptor, b""
        os.set_blocking(descriptor, False)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._open = True

    def read(self, seconds: float) -> bool:
        """Read what is there, or comes within so many seconds; whether there was anything."""
        if not self._open:
            time.sleep(seconds)
            return False
        data = os.read(self._descriptor, KEPT) if self._poll.poll(seconds * 1000) else None
        self._open = data != b""
        self._kept = (self._kept + (data or b""))[-KEPT:]
        return bool(data)

    def rest(self) -> str:
        """All that is kept, with what is still in the pipe now: no more than it holds, as others may go on to write."""
        for _ in range(8):
            if not self.read(0):
                break
        return self._kept.decode(errors="replace").strip()
