"""Locks between chyves's own processes: flock(2) on files that are never removed.

The kernel drops a lock when its holder ends, however it ends, so no lock is ever stale. A file's text says who holds
the lock; it means something only while the lock is held.
"""

from __future__ import annotations

import fcntl
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from chyves.errors import Busy, ChyvesError
from chyves.masking import masked

PAUSE = 0.05
"""Seconds between two tries; flock(2) itself knows no limit of time."""

EVERYTHING = "all"
"""The lock of what is shared by guests: names, numbers, bridges, datasets that are being made."""

GLANCE = 2.0
"""Seconds after which a lock is not held by a reader that only looked who has it, and its holder has said so."""


SPARE = 64
"""Open files that a command needs beside its locks: programs that it talks to, files that it reads and writes."""


class Sight(NamedTuple):
    """A lock at one moment: who holds it (0: who has not said so yet), and when it was last taken or dropped."""

    holder: int | None
    changed: int


class Locks:
    """The locks below one directory: `all`, `guest.NAME` (changing a guest), `running.NAME` (running one)."""

    def __init__(self, directory: Path, dry: bool = False) -> None:
        self.directory = directory
        self.dry = dry
        self._held: set[str] = set()
        self._mark = b""
        self._undisturbed = False

    @contextmanager
    def hold(self, *names: str, wait: float | None = None) -> Iterator[None]:
        """Hold locks, taken in the order of their names; those that this process holds already are passed over.

        `wait` is in seconds (None: as long as is usual), for each holder anew: a queue that moves is waited for, one
        that hangs is not. Raises Busy, which names the holder, and ChyvesError where so many cannot be held.
        """
        wanted = sorted(set(names) - self._held)
        self.make_room(len(wanted))
        with ExitStack() as held:
            for name in wanted:
                if not self.dry:
                    held.callback(self._release, name, self._locked(name, _patience(name) if wait is None else wait))
                    held.callback(self._held.discard, name)
                    self._held.add(name)
            yield

    def make_room(self, more: int) -> None:
        """See to it that this process can hold so many locks more, each of which is an open file.

        The soft limit is raised as far as that takes and the hard one lets it. Raises ChyvesError.
        """
        needed = len(self._held) + more + SPARE
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if self.dry or _allows(soft, needed):
            return
        most = needed if _allows(hard, needed) else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        # FreeBSD takes more than kern.maxfilesperproc without a word, and leaves it at that (setrlimit(2)).
        now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if not _allows(now, needed):
            raise ChyvesError(
                f"this host: lets a process have {now} files open, and so many guests at once take {needed}; "
                "raise that (limits -n, kern.maxfilesperproc), or name fewer guests"
            )

    def undisturbed(self) -> bool:
        """Whether nobody else has held the lock `all`, which this process holds, since it held it before."""
        return self.dry or self._undisturbed

    def take(self, name: str) -> int:
        """Take a lock until the process ends: the descriptor that holds it, kept open. Raises Busy."""
        return self._locked(name, GLANCE)

    def holder(self, name: str) -> int | None:
        """The process that holds a lock, or None; needs no right but to read. Raises ChyvesError when it cannot."""
        deadline = time.monotonic() + GLANCE
        while True:
            held, pid, _ = self._look(name)
            if not held:
                return None
            if pid is not None and _exists(pid):
                return pid
            # The holder has the lock but has not written its number yet.
            if time.monotonic() > deadline:
                raise ChyvesError(f"{self._file(name)}: is locked by another program; find it with fstat(1)")
            time.sleep(PAUSE)

    def seen(self) -> dict[str, Sight]:
        """Every lock that there is or was, but for those that this process holds; needs no right but to read.

        Raises ChyvesError.
        """
        try:
            found = sorted(name for name in os.listdir(self.directory) if name.endswith(".lock"))
        except OSError:
            return {}
        names = (file.removesuffix(".lock") for file in found)
        return {name: self._sight(name) for name in names if name not in self._held}

    def _sight(self, name: str) -> Sight:
        held, pid, _ = self._look(name)
        try:
            return Sight((pid or 0) if held else None, self._file(name).stat().st_mtime_ns)
        except FileNotFoundError:
            return Sight(None, 0)

    def _file(self, name: str) -> Path:
        return self.directory / f"{name}.lock"

    def _locked(self, name: str, wait: float) -> int:
        """An open descriptor with the lock, signed; raises Busy when one process has held it for `wait` seconds."""
        descriptor = self._open(name)
        holder, deadline = b"", time.monotonic() + wait
        try:
            while not _try(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise Busy(self.sentence(name))
                now = os.pread(descriptor, 4096, 0)
                if now and holder and now != holder:
                    deadline = time.monotonic() + wait
                holder = now or holder
                time.sleep(PAUSE)
            self._sign(descriptor, name)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _sign(self, descriptor: int, name: str) -> None:
        """Write down who holds a lock: a holder that nobody can name is none that can be waited for."""
        try:
            if name == EVERYTHING:
                self._undisturbed = self._mark != b"" and os.pread(descriptor, 4096, 0) == self._mark
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n{_command()}\n".encode(errors="surrogateescape"), 0)
        except OSError as error:
            raise ChyvesError(_unlockable(self._file(name), error)) from None

    def _release(self, name: str, descriptor: int) -> None:
        """Drop a lock, and first the words of who held it: the next holder's are not there at once.

        In those of `all` there is a mark then, which goes when anybody takes it.
        """
        with suppress(OSError):  # on a full disk it is as if somebody else had held it since
            os.ftruncate(descriptor, 0)
            if name == EVERYTHING:
                self._mark = f"\n{os.getpid()} {time.monotonic_ns()}\n".encode()
                os.pwrite(descriptor, self._mark, 0)
        os.close(descriptor)

    def _open(self, name: str) -> int:
        file = self._file(name)
        try:
            if not self.directory.is_dir():
                self.directory.mkdir(parents=True, exist_ok=True)
                self.directory.chmod(0o755)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            if os.fstat(descriptor).st_mode & 0o777 != 0o644:
                os.fchmod(descriptor, 0o644)
        except OSError as error:
            raise ChyvesError(_unlockable(file, error)) from None
        return descriptor

    def _look(self, name: str) -> tuple[bool, int | None, str]:
        """Whether a lock is held, and the number and the command line of the process that says so."""
        file = self._file(name)
        try:
            descriptor = os.open(file, os.O_RDONLY)
        except FileNotFoundError:
            return False, None, ""
        except OSError as error:
            raise ChyvesError(f"{file}: cannot be read: {error.strerror}; see to that and try again") from None
        try:
            if _try(descriptor, fcntl.LOCK_SH):
                return False, None, ""
            pid, _, command = os.pread(descriptor, 4096, 0).decode(errors="replace").partition("\n")
        finally:
            os.close(descriptor)
        return True, int(pid) if pid.isdecimal() else None, command.partition("\n")[0]

    def sentence(self, name: str) -> str:
        """The sentence about a lock that another process holds."""
        _, pid, command = self._look(name)
        by = f"process {pid} ({command})" if pid is not None else "another process"
        kind, _, guest = name.partition(".")
        if kind == "running":
            return f"{guest}: is being run by {by}; stop it first"
        return f"{guest or 'this host'}: is being changed by {by}; wait for it, or end it"


def _allows(limit: int, files: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= files


def _unlockable(file: Path, error: OSError) -> str:
    return f"{file}: cannot be locked: {error.strerror}; see to that and try again"


def _patience(name: str) -> float:
    """Seconds for which one holder of a lock is waited for: a command that makes many guests takes its time."""
    return 30 if name == EVERYTHING else 10


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _command() -> str:
    """The command line of this process, on one line of readable length, without secrets."""
    name = Path(sys.argv[0]).name.replace("__main__.py", "chyves")
    return masked(" ".join(" ".join([name, *sys.argv[1:]]).split()))[:200]
