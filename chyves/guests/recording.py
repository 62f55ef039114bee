"""Keeping what a guest's serial console shows, while its supervisor lives (property console_log)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chyves.bhyve.loaders import OWN
from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.recorder import Recorder
from chyves.host.rotation import RotatedFile
from chyves.properties import Guest

FILE = "console.log"

Tell = Callable[[int, str], None]


class Recording:
    """The console of one guest: relayed and kept where its properties want that, else left alone."""

    def __init__(self, host: Host, logs: Path, tell: Tell) -> None:
        """`logs` is the directory of the guest's logs; `tell` writes to the guest's log."""
        self._host, self._logs, self._tell = host, logs, tell
        self._recorder: Recorder | None = None

    def begin(self, guest: Guest, adopted: bool = False) -> None:
        """Before each boot: relay the console if console_log is set, or it was for a guest that is adopted.

        Once begun it goes on through reboots, so that who has joined it stays. Raises ChyvesError.
        """
        wanted = (guest.console_log or adopted) and guest.serial is not None
        if wanted == self.on:
            return
        self.end()
        if wanted:
            self._recorder = self._begun(guest)

    def _begun(self, guest: Guest) -> Recorder:
        file = RotatedFile(self._logs / FILE, guest.console_log_size, guest.console_log_old, self._say)
        own, users = (self._host.path(f"/dev/{end}") for end in (f"{guest.serial}{OWN}B", f"{guest.serial}A"))
        try:
            return Recorder(self._host.run, own, users, file, self._say)
        except ChyvesError as error:
            raise ChyvesError(f"{guest.owner}: console_log: {error}") from None

    @property
    def on(self) -> bool:
        """Whether the console is relayed."""
        return self._recorder is not None and self._recorder.alive

    def end(self) -> None:
        """Relay no longer."""
        if self._recorder is not None:
            self._recorder.stop()
            self._recorder = None

    def _say(self, text: str) -> None:
        self._tell(1, f"console_log: {text}")
