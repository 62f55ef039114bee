"""Null-modem pairs as nmdm(4) makes them (reference, section 3): what goes into one end comes out of the other.

Each end is a pseudo-terminal, with a symbolic link `dev/nmdm<TAG>A` or `B` in the lab's tree. A small process per pair
carries the bytes; it sleeps until there are some, drops those for an end that nobody has open, and ends, taking both
links away, when nobody has had either end open for some seconds. So a console on B lives through a reboot of A.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import sys
import termios
import tty
from pathlib import Path

from chyves.lab.bhyve.title import set_title
from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab

LINGER = 2.0
"""Seconds for which a pair stays when nobody has it open."""

WAITING = 1 << 18
"""Bytes kept for an end that is open and does not read; more are dropped."""

RELAY = "import sys; sys.path.insert(0, sys.argv[1]); from chyves.lab.nmdm import relay; relay(*sys.argv[2:])"


def end_named(device: str) -> tuple[str, str] | None:
    """Tag and end (`A`, `B`) of a device name such as /dev/nmdm7B; None where it is no end of a pair."""
    found = re.fullmatch(r"nmdm(.+)([AB])", Path(device).name)
    return (found[1], found[2]) if found else None


def open_end(lab: Lab, device: str) -> int:
    """Open an end, making the pair where there is none; gives a terminal, in raw mode.

    Raises FileNotFoundError where the module nmdm is not loaded or the name is none of a pair.
    """
    named = end_named(device)
    with Kernel(lab) as kernel:
        there = kernel.loaded("nmdm")
    if named is None or not there:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), device)
    tag, end = named
    (lab.state / "nmdm").mkdir(parents=True, exist_ok=True)
    with _Starting(lab.state):
        if not _carried(lab.state, tag):
            _start(lab, tag)
        return os.open(_node(lab.root, tag, end), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def _node(root: Path, tag: str, end: str) -> Path:
    return root / "dev" / f"nmdm{tag}{end}"


class _Starting:
    """Only one program at a time makes a pair, or takes one away: else one could be opened while it goes."""

    def __init__(self, state: Path) -> None:
        self._place = state / "nmdm.lock"

    def __enter__(self) -> None:
        self._lock = os.open(self._place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)


def _carried(state: Path, tag: str) -> bool:
    """Whether the process of a pair is alive: it holds a lock as long as it is."""
    try:
        lock = os.open(state / "nmdm" / tag, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _start(lab: Lab, tag: str) -> None:
    """Start the process of a pair, and return when both ends are there."""
    read, write = os.pipe()
    package = str(Path(__file__).parents[2])
    argv = [sys.executable, "-IS", "-c", RELAY, package, str(lab.root), str(lab.state), tag]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, write, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_RDWR, 0),
    ]
    child = os.posix_spawn(sys.executable, argv, {"PATH": os.defpath}, file_actions=actions)
    os.close(write)
    os.waitpid(child, 0)
    ready = os.read(read, 1)
    os.close(read)
    if not ready:
        raise OSError(errno.EIO, f"nmdm{tag}: the pair could not be made")


class _End:
    """One end: the master side of a pseudo-terminal, and the bytes that wait to be read from the other side."""

    def __init__(self, node: Path) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.node, self.path = node, os.ttyname(slave)
        self.waiting = b""
        # Closed at once, so that the master tells from now on whether somebody has the end open.
        os.close(slave)
        node.unlink(missing_ok=True)
        node.symlink_to(self.path)

    def is_open(self) -> bool:
        poll = select.poll()
        poll.register(self.master, 0)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    def read(self) -> bytes:
        try:
            return os.read(self.master, 65536)
        except OSError:
            return b""

    def give(self, data: bytes) -> None:
        """Pass bytes on as far as the reader takes them; keep some; drop them where nobody reads."""
        if not self.is_open():
            self.waiting = b""
            return
        self.waiting = (self.waiting + data)[:WAITING]
        try:
            while self.waiting:
                self.waiting = self.waiting[os.write(self.master, self.waiting) :]
        except OSError:
            pass  # full: goes on when the reader has read

    def forget(self) -> None:
        """Drop what a reader left unread when it closed the end, so that the next one does not see it."""
        slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY)
        termios.tcflush(slave, termios.TCIOFLUSH)
        os.close(slave)


def relay(root: str, state: str, tag: str) -> None:
    """The process of one pair: carries its bytes until nobody has wanted it for some seconds."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.closerange(3, 1024)
    lock = os.open(Path(state, "nmdm", tag), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    ends = [_End(_node(Path(root), tag, end)) for end in "AB"]
    set_title(f"nmdm: {tag}")
    os.write(1, b"+")
    os.dup2(0, 1)
    while True:
        _carry(ends)
        with _Starting(Path(state)):
            if any(end.is_open() for end in ends):
                continue
            for path in (*(end.node for end in ends), Path(state, "nmdm", tag)):
                path.unlink(missing_ok=True)
            return


def _carry(ends: list[_End]) -> None:
    """Carry bytes until both ends have been closed for some seconds.

    Edges are waited for, not levels: a closed end would be reported again and again.
    """
    poller = select.epoll()
    for end in ends:
        poller.register(end.master, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    used = [True, True]
    while True:
        is_open = [end.is_open() for end in ends]
        for end, now, before in zip(ends, is_open, used, strict=True):
            if before and not now:
                end.forget()
        used = is_open
        events = poller.poll(None if any(is_open) else LINGER)
        if not events and not any(end.is_open() for end in ends):
            poller.close()
            return
        for end, other in (ends, ends[::-1]):
            other.give(b"")
            while data := end.read():
                other.give(data)
