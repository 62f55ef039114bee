"""Faults at what chyves does itself: changing a file's name, or asking a guest's agent, is a step as a command is.

See tests.torture.strike.

Where the disk becomes full, each piece of data that is written is a step too, and from the chosen one on nothing more
can be written: no data, no new file or directory, no other name; also not while chyves takes back what it did. (That
the name of a file is on the disk, which fsync(2) of its directory waits for, takes no further room.)
"""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Callable
from typing import Any

from chyves.host.agent import Agent, Refused
from tests.torture.strike import AFTER, BEFORE, CUT, FULL, HALF, HANG, REFUSE, STUCK, Fault, counted, cut

NAMES = ("rename", "replace", "unlink", "link", "mkdir", "rmdir", "ftruncate")
DATA = ("open", "write", "pwrite", "fsync")
SHRINKING = ("unlink", "rmdir")
ASKING = ("ask", "tell")
CHANGING = ("guest-fsfreeze-freeze", "guest-fsfreeze-thaw", "guest-set-time", "guest-shutdown")
OWN = ("file ", "agent ")
"""How the lines of such steps begin."""

_own: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in (*NAMES, *DATA)}
_own_open = io.open
_own_asking: dict[str, Callable[..., Any]] = {name: getattr(Agent, name) for name in ASKING}


def lay(top: str, root: str) -> None:
    """From now on what this process does to files below `root` may fail, as the file `fault` below `top` has it."""
    for name in NAMES:
        setattr(os, name, _change(name, top, root))
    for name in DATA:
        setattr(os, name, _writing(name, top, root))
    io.open = _opening(top, root)
    for name in ASKING:
        setattr(Agent, name, _asking(name, top))


def lift() -> None:
    """From now on nothing fails in this process."""
    for name, act in _own.items():
        setattr(os, name, act)
    io.open = _own_open
    for name, act in _own_asking.items():
        setattr(Agent, name, act)


def _change(name: str, top: str, root: str) -> Callable[..., Any]:
    """A change of a file's name, which counts and fails as chosen."""
    act = _own[name]

    def change(what: Any, *rest: Any, **options: Any) -> Any:
        path = _path(what)
        nothing = os.path.lexists(path) == (name == "mkdir")  # so that nothing is changed
        if nothing or not _below(path, root) or path.endswith((".log", ".lock")):
            return act(what, *rest, **options)
        fault = Fault.read(top)
        number = counted(top, f"file {name} {path}")
        if fault.what == FULL:
            shrinks = name in SHRINKING or (name == "ftruncate" and rest[0] <= os.path.getsize(path))
            if 0 < fault.nth <= number and not shrinks:
                raise _full()
        elif fault.what == CUT:
            cut(top, number)
            done = act(what, *rest, **options)
            cut(top, number)
            return done
        elif fault.nth == number:
            return _strike(fault.what, lambda: act(what, *rest, **options))
        return act(what, *rest, **options)

    return change


def _asking(name: str, top: str) -> Callable[..., Any]:
    """What changes the guest that is asked, which counts and fails as chosen."""
    act = _own_asking[name]

    def ask(agent: Agent, command: str, *rest: Any, **options: Any) -> Any:
        if command not in CHANGING:
            return act(agent, command, *rest, **options)
        fault = Fault.read(top)
        if counted(top, f"agent {command}") != fault.nth or fault.what in (FULL, CUT):
            return act(agent, command, *rest, **options)
        return _strike(fault.what, lambda: act(agent, command, *rest, **options), Refused("the test refuses"))

    return ask


def _strike(what: str, act: Callable[[], Any], refusal: Exception | None = None) -> Any:
    what, _, sent = what.partition(":")
    if what in (REFUSE, HALF):
        raise refusal or OSError(errno.EIO, os.strerror(errno.EIO))
    if what == BEFORE:
        os.kill(os.getpid(), signal.SIGKILL)
    if what == AFTER:
        act()
        os.kill(os.getpid(), signal.SIGKILL)
    number = sent if what in (HANG, STUCK) else what
    os.kill(os.getpid(), getattr(signal, number))
    return act()


def _writing(name: str, top: str, root: str) -> Callable[..., Any]:
    """A piece of data that is written, or a file opened to be written, which fails when the disk is full."""
    act = _own[name]

    def write(what: Any, *rest: Any, **options: Any) -> Any:
        if name != "open" or (rest and rest[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            _check(top, root, name, what)
        return act(what, *rest, **options)

    return write


def _opening(top: str, root: str) -> Callable[..., Any]:
    def opened(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if not isinstance(file, int) and set(mode) & set("wax+"):
            _check(top, root, "open", file)
        return _own_open(file, mode, *rest, **options)

    return opened


def _check(top: str, root: str, name: str, what: Any) -> None:
    path = _path(what)
    if not _below(path, root) or os.path.isdir(path):
        return
    fault = Fault.read(top)
    if fault.what != FULL:
        return
    if path.endswith(".log"):
        with _own_open(f"{top}/steps") as steps:
            number = steps.read().count("\n")
    else:
        number = counted(top, f"file {name} {path}")
    if 0 < fault.nth <= number and not (name == "open" and os.path.lexists(path)):
        raise _full()


def _full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _path(what: Any) -> str:
    """The path of a file, which may be given by a descriptor."""
    return os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fsdecode(what)


def _below(path: str, root: str) -> bool:
    return path.startswith(root + "/")
