"""The programs that are a guest: its loader and then bhyve, started, watched and ended by its supervisor."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chyves import names
from chyves.bhyve.limits import rctl
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host import children
from chyves.host.machine import Host

LOOK_AGAIN = 0.05
"""Seconds between looks at bhyve's process title, until it says that the devices are there."""

Tell = Callable[[int, str], None]


class Programs:
    """The loader and bhyve of one guest, one after the other; what runs is in `state`, and written down.

    `ending` says that the guest is to end, `up` that the devices of this boot's bhyve are there.
    """

    def __init__(self, host: Host, name: str, state: running.Running, tell: Tell) -> None:
        self.host, self.name, self.state, self.tell = host, name, state, tell
        self.ending: bool = False
        self.up: bool = False

    def load(self, line: Sequence[str], seconds: int) -> int | None:
        """Run the loader to its end; its status, or None where it was ended after so many seconds (0: never).

        Raises ChyvesError where it cannot be written down, and has been ended.
        """
        self.up = False
        pid = self.state.loader = self._spawn(line)
        self._end_now(pid)
        try:
            running.write(self.host, self.name, self.state)
        except ChyvesError:
            self._end_whole(pid)
            self.state.loader = None
            raise
        ended = self.host.processes.wait_for_end(pid, seconds or None)
        if not ended:
            children.send(pid, signal.SIGKILL)
        status = children.wait(pid)
        self.state.loader = None
        return status if ended else None

    def run(self, line: Sequence[str], limits: tuple[str, ...]) -> int | None:
        """Start bhyve with its limits; None once its devices are there, or its status where it has ended before.

        Raises ChyvesError where it cannot be written down or limited, and has been ended.
        """
        self.up = False
        pid = self.state.bhyve = self._spawn(line)
        self._end_now(pid)
        failure = self._written_down(pid) or self._limit(pid, limits)
        title = f"bhyve: {names.vm(self.name)}"
        while (status := children.ended(pid)) is None:
            if failure is not None:
                self._end_whole(pid)
                self.ended()
                raise failure
            if (self.host.processes.title(pid) or "").startswith(title):
                self.up = True
                return None
            time.sleep(LOOK_AGAIN)
        self.ended()
        return status

    def _written_down(self, pid: int) -> ChyvesError | None:
        """Have it known which process bhyve is; what kept it from that."""
        try:
            self.state.identity = self.host.processes.identity(pid)
            running.write(self.host, self.name, self.state)
        except ChyvesError as error:
            return error
        return None

    def _limit(self, pid: int, limits: tuple[str, ...]) -> ChyvesError | None:
        """Have the kernel limit what bhyve takes; what kept it from that."""
        try:
            if limits:
                self.host.run.do(*rctl(limits, str(pid)))
        except ChyvesError as error:
            return ChyvesError(f"{self.name}: its limits cannot be set: {error}")
        return None

    def _end_whole(self, pid: int) -> None:
        children.send(pid, signal.SIGKILL)
        children.wait(pid)

    def ended(self) -> None:
        """Bhyve has ended, and been collected."""
        self.state.bhyve = self.state.identity = None

    def words(self) -> str:
        """What the program that ended said, now also in the log."""
        try:
            words = self._output.read_text(errors="replace").strip()
        except OSError as error:
            words = f"{self._output}: cannot be read: {error.strerror}"
        self.tell(1, words)
        return words

    def end(self) -> None:
        """Have a loader end, and bhyve, which makes of SIGTERM an ACPI button; before it is up nothing can be lost."""
        self.ending = True
        if self.state.loader is not None:
            children.send(self.state.loader, signal.SIGTERM)
        if self.state.bhyve is not None:
            children.send(self.state.bhyve, signal.SIGTERM if self.up else signal.SIGKILL)

    def _spawn(self, line: Sequence[str]) -> int:
        self.tell(3, shlex.join(line))
        return children.spawn(self.host.run, line, self._output)

    def _end_now(self, pid: int) -> None:
        """End what has just begun where the signal came before `end` knew of it; later ones find it in `state`."""
        if self.ending:
            children.send(pid, signal.SIGKILL)

    @property
    def _output(self) -> Path:
        """Where the loader and bhyve write, until it is in the log."""
        return running.directory(self.host, self.name) / "output"
