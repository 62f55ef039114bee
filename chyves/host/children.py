"""Programs that this process itself looks after: started, watched and waited for by their number."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from chyves.host.run import Runner

DEFAULT_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE)


def spawn(run: Runner, argv: Sequence[str], output: Path) -> int:
    """Start a program with both its streams in a file, emptied first; its number.

    It gets a process group of its own, so that a signal for this process is not one for it. Raises ChyvesError when
    the program is not installed.
    """
    where = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.posix_spawn(
            run.program(argv),
            list(argv),
            run.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing, 0), *((os.POSIX_SPAWN_DUP2, where, fd) for fd in (1, 2))],
            setpgroup=0,
            setsigdef=DEFAULT_SIGNALS,
        )
    finally:
        os.close(where)
        os.close(nothing)


def ended(pid: int) -> int | None:
    """The status of a child that has ended (negative: the signal that ended it), or None while it lives."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def wait(pid: int) -> int:
    """Sleep until a child has ended; its status as `ended` gives it. Signals are handled meanwhile."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def send(pid: int, number: int) -> None:
    """Send a signal to a child that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def call(act: Callable[[], int]) -> int:
    """Run a function in a child that has the terminal, and wait for it; its status, 128 and more for a signal's.

    Ctrl-C is the child's alone: it ends, and this process goes on.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _end(act)
        status = wait(pid)
    finally:
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status


def _end(act: Callable[[], int]) -> NoReturn:
    """Do it and end with its status, without what this process would do at its own end."""
    status = 1
    try:
        status = act()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
