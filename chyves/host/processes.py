"""Other processes of the host."""

from __future__ import annotations

import os
import re
import select
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.run import Runner


@dataclass(frozen=True)
class Usage:
    """What a process has used: seconds of processors, bytes of memory that it has now; and its command line."""

    seconds: float
    memory: int
    command: str


class Processes:
    """Looks at processes, signals them and waits for their end, children or not."""

    def __init__(self, run: Runner) -> None:
        self.run = run

    def alive(self, pid: int) -> bool:
        """Whether a process is there and has not ended (one that only waits to be collected has)."""
        return not self.wait_for_end(pid, 0)

    def title(self, pid: int) -> str | None:
        """The command line of a process, which bhyve sets to `bhyve: NAME`; None where there is no process."""
        return self._ps("command=", pid)

    def identity(self, pid: int) -> str | None:
        """What tells a process from a later one with the same number: when it began. None where there is none."""
        try:
            # Where the kernel shows it, to the tick; ps(1) has whole seconds that move with the clock.
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
            return self._ps("lstart=", pid)

    def user(self, pid: int) -> str | None:
        """Whose a process is; None where there is none."""
        return self._ps("user=", pid)

    def terminal(self, pid: int) -> str | None:
        """The terminal that a process was started from, `-` for none; None where there is no process."""
        return self._ps("tty=", pid)

    def find(self, command: str) -> list[int]:
        """The processes whose whole command line an extended regular expression matches (pgrep(1))."""
        return self._found("-f", "-x", command)

    def _found(self, *words: str) -> list[int]:
        said = self.run.ask("pgrep", *words, accept=(0, 1))
        with _understood("pgrep", said):
            return [_number(pid) for pid in said.split()]

    def children(self, pid: int) -> list[int]:
        """The processes that a process has begun, and that have not ended."""
        return self._found("-P", str(pid))

    def usage(self, pids: Sequence[int]) -> dict[int, Usage]:
        """What processes have used, from one ps(1); one that has ended is left out."""
        if not pids:
            return {}
        columns = [word for name in ("pid", "time", "rss", "command") for word in ("-o", f"{name}=")]
        said = self.run.ask("ps", "-ww", *columns, "-p", ",".join(map(str, pids)), accept=(0, 1))
        lines = (line.split(maxsplit=3) for line in said.splitlines())
        with _understood("ps", said):
            return {
                _number(pid): Usage(_seconds(time), _number(rss) * 1024, command) for pid, time, rss, command in lines
            }

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal; False where the process has ended. Raises ChyvesError where it may not be sent."""
        if pid <= 1:
            raise ValueError(f"{pid} is not one process that may be signalled")
        if self.run.dry:
            self.run.do("kill", "-s", signal.Signals(number).name.removeprefix("SIG"), str(pid))
            return True
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            raise ChyvesError(f"process {pid}: belongs to another user; become root to end it") from None
        return True

    def wait_for_end(self, pid: int, seconds: float | None) -> bool:
        """Wait until a process, a child or not, has ended; `seconds` at most (None: for ever). Whether it has."""
        return pid in self.wait_for_some((pid,), seconds)

    def wait_for_some(self, pids: Iterable[int], seconds: float | None) -> set[int]:
        """Wait until one of several processes has ended; `seconds` at most (None: for ever). Those that have."""
        if hasattr(select, "kqueue"):
            return _wait_kqueue(select, pids, seconds)
        return _wait_pidfd(pids, seconds)

    def _ps(self, column: str, pid: int) -> str | None:
        """A column of ps(1), or None where there is no such process; raises ProgramFailed where ps fails otherwise."""
        try:
            return self.run.ask("ps", "-ww", "-o", column, "-p", str(pid)).strip() or None
        except ProgramFailed as failure:
            if failure.code == 1 and not failure.said:
                return None
            raise


def wait_for_status(pid: int) -> int | None:
    """Wait until a process, a child or not, has ended; its status (negative: the signal that ended it).

    None where the kernel does not tell (it tells anyone on FreeBSD, kevent(2), and only the parent on Linux), or where
    the process has ended already.
    """
    if hasattr(select, "kqueue"):
        return _status_kqueue(select, pid)
    _wait_pidfd((pid,), None)
    return None


@contextmanager
def _understood(program: str, said: str) -> Iterator[None]:
    """Tell in one sentence of an answer that is not of the form that the program has."""
    try:
        yield
    except ValueError:
        raise ChyvesError(f"{program}: answered {said[:200]!a}, which is not understood; run it by hand") from None


def _number(text: str) -> int:
    """A number in plain digits, and no other that int() takes; raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _seconds(time: str) -> float:
    """The seconds of ps(1)'s `minutes:seconds.hundredths`; raises ValueError for what has another form."""
    minutes, _, seconds = time.rpartition(":")
    if not re.fullmatch(r"[0-9]*:?[0-9]+(\.[0-9]+)?", time, re.ASCII):
        raise ValueError(time)
    return round(60 * int(minutes or 0) + float(seconds), 2)


def _wait_kqueue(system: Any, pids: Iterable[int], seconds: float | None) -> set[int]:
    """Wait as FreeBSD can. (Only its Python has these names, hence the untyped module.)"""
    queue, gone, watched = system.kqueue(), set(), 0
    try:
        for pid in pids:
            try:
                queue.control([_exit_of(system, pid)], 0, 0)
                watched += 1
            except ProcessLookupError:
                gone.add(pid)
        found = queue.control(None, watched, 0 if gone else seconds) if watched else ()
        return gone | {event.ident for event in found}
    finally:
        queue.close()


def _status_kqueue(system: Any, pid: int) -> int | None:
    """The status that FreeBSD tells of a process at its end: `data` is as wait(2) has it (kevent(2), NOTE_EXIT)."""
    queue = system.kqueue()
    try:
        (end,) = queue.control([_exit_of(system, pid)], 1, None)
        return os.waitstatus_to_exitcode(end.data)
    except ProcessLookupError:
        return None
    finally:
        queue.close()


def _exit_of(system: Any, pid: int) -> Any:
    """The event of a process's end."""
    return system.kevent(pid, system.KQ_FILTER_PROC, system.KQ_EV_ADD | system.KQ_EV_ONESHOT, system.KQ_NOTE_EXIT)


def _wait_pidfd(pids: Iterable[int], seconds: float | None) -> set[int]:
    """Wait as Linux can."""
    gone: set[int] = set()
    with ExitStack() as opened:
        watched, poll = {}, select.poll()
        for pid in pids:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                gone.add(pid)
            else:
                opened.callback(os.close, descriptor)
                watched[descriptor] = pid
                poll.register(descriptor, select.POLLIN)
        patience = 0 if gone else None if seconds is None else seconds * 1000
        return gone | {watched[descriptor] for descriptor, _ in (poll.poll(patience) if watched else ())}
