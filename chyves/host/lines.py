"""Who has a terminal line: the UUCP locks that cu(1) and its like take (uucplock(3))."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.host.processes import Processes

PATIENCE = 5
"""Seconds that a session is given to end."""


@dataclass(frozen=True)
class Session:
    """A process that a line's lock names. It need not have the line: a dead one's number may have come back."""

    pid: int
    user: str
    terminal: str
    title: str

    def uses(self, device: str) -> bool:
        """Whether it was started for a line, as `cu -l nmdm50B` was."""
        return re.search(rf"\b{re.escape(device)}\b", self.title) is not None

    def __str__(self) -> str:
        where = f" on {self.terminal}" if self.terminal not in ("", "-") else ""
        return f"{self.user}{where} (process {self.pid})"


class Lines:
    """The locks of the host's lines, in the directory where uucplock(3) has them."""

    def __init__(self, directory: Path, processes: Processes) -> None:
        self.directory = directory
        self.processes = processes

    def session(self, device: str) -> Session | None:
        """Who has a line (`nmdm50B`), or None; raises ChyvesError where the lock cannot be read."""
        pid = self._number(device)
        title = None if pid is None else self.processes.title(pid)
        if pid is None or title is None:
            return None
        return Session(pid, self.processes.user(pid) or "somebody", self.processes.terminal(pid) or "", title)

    def file(self, device: str) -> Path:
        """The file that is a line's lock."""
        return self.directory / f"LCK..{device}"

    @contextmanager
    def taken(self, device: str) -> Iterator[None]:
        """Have a line for this process, as cu(1) has it; raises ChyvesError where another has it."""
        file = self.file(device)
        if self.abandoned(device):
            file.unlink(missing_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise ChyvesError(f"{device}: cannot be taken: {file}: {error.strerror}; see to that") from None
        try:
            os.write(descriptor, f"{os.getpid():10}\n".encode())
            yield
        finally:
            os.close(descriptor)
            file.unlink(missing_ok=True)

    def abandoned(self, device: str) -> bool:
        """Whether a line is locked for a process that is gone; raises ChyvesError where the lock cannot be read."""
        pid = self._number(device)
        return pid is not None and not self.processes.alive(pid)

    def end(self, session: Session) -> None:
        """End a session: as a hang-up would, then by force; raises ChyvesError where it goes on."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.processes.signal(session.pid, number) or self.processes.run.dry:
                return
            if self.processes.wait_for_end(session.pid, PATIENCE):
                return
        raise ChyvesError(f"process {session.pid}: cannot be ended; see: ps -l -p {session.pid}")

    def _number(self, device: str) -> int | None:
        try:
            text = self.file(device).read_text(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ChyvesError(f"{self.file(device)}: cannot be read: {error.strerror}; see to that") from None
        found = re.match(r"\s*(\d+)", text)
        return int(found[1]) if found and int(found[1]) > 1 else None
