"""Starting a process that outlives this one."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import NoReturn

from chyves.host.run import not_started

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE)


def start(program: str, argv: Sequence[str], environ: Mapping[str, str], keep: Sequence[int]) -> int:
    """Start a process as chyves.host.run.Runner.detach has it; its number. Raises ChyvesError.

    The child that we fork forks once more and ends, so that the process belongs to init and leaves no zombie here.
    """
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        _between(program, argv, environ, keep, tell)
    os.close(tell)
    with open(told, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    number, _, problem = said.partition("\n")
    if problem or not number:
        raise not_started(argv, problem or "no process could be made")
    return int(number)


def _between(program: str, argv: Sequence[str], environ: Mapping[str, str], keep: Sequence[int], tell: int) -> NoReturn:
    """The short-lived process in between: makes the session, forks and ends."""
    try:
        os.setsid()
        if os.fork() == 0:
            _last(program, argv, environ, keep, tell)
    finally:
        os._exit(0)


def _last(program: str, argv: Sequence[str], environ: Mapping[str, str], keep: Sequence[int], tell: int) -> NoReturn:
    """The process itself, up to becoming the program, which closes `tell`; tells its number, and why it could not."""
    try:
        os.write(tell, f"{os.getpid()}\n".encode())
        os.chdir("/")
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            if stream == 0 or stream not in keep:
                os.dup2(nothing, stream)
        _close_all_but({0, 1, 2, tell, *keep})
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.execve(program, tuple(argv), environ)
    except OSError as failure:
        os.write(tell, str(failure.strerror).encode())
    finally:
        os._exit(1)


def _close_all_but(kept: set[int]) -> None:
    """Close every descriptor but those: one from the caller's shell would keep its pipe open for ever."""
    last = -1
    for descriptor in sorted(kept):
        # Python makes of closerange(0, 0) a close_range(2) of everything.
        if last + 1 < descriptor:
            os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))
