"""Relaying a guest's serial console, while its supervisor lives (properties console_log, loader_timeout)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from chyves.bhyve.loaders import OWN
from chyves.errors import ChyvesError
from chyves.guests import relay
from chyves.host.machine import Host
from chyves.host.recorder import Recorder, ends
from chyves.host.rotation import RotatedFile
from chyves.properties import Guest

FILE = "console.log"
Tell = Callable[[int, str], None]


class Recording:
    """The console of one guest: relayed where its properties want that, and kept with console_log; else left alone."""

    def __init__(self, host: Host, logs: Path, tell: Tell) -> None:
        """`logs` is the directory of the guest's logs; `tell` writes to the guest's log."""
        self._host, self._logs, self._tell = host, logs, tell
        self._recorder: Recorder | None = None
        self._file: RotatedFile | None = None

    def begin(self, guest: Guest, adopted: bool = False) -> None:
        """Before each boot: relay the console if console_log is set, or it was for a guest that is adopted.

        Once begun it goes on through reboots, so that who has joined it stays. Raises ChyvesError.
        """
        wanted = (guest.console_log or adopted) and guest.serial is not None
        if wanted == self.on:
            return
        self.end()
        if wanted:
            self._relay(guest, self._kept(guest))

    def begin_loader(self, guest: Guest) -> None:
        """Before a loader that may not wait for ever: relay what it shows, to know it. Raises ChyvesError."""
        if guest.loader_timeout and guest.serial is not None and not self.on:
            self._relay(guest, None)

    def end_loader(self) -> bytes:
        """After a loader: what the console showed last, as far as that was relayed."""
        recorder = self._recorder
        if recorder is not None and self._file is None:
            self.end()
        return b"" if recorder is None else recorder.last

    @property
    def on(self) -> bool:
        """Whether the console is relayed."""
        return self._recorder is not None and self._recorder.alive

    def end(self) -> None:
        """Relay no longer."""
        if self._recorder is not None:
            self._recorder.stop()
        self._recorder = self._file = None

    def hand_over(self, logs: relay.Logs) -> list[str]:
        """Leave the relay to the program that this process is about to become; the words for that, where there is one.

        It writes into `logs` what there is to tell.
        """
        if self._recorder is None or self._file is None:
            return []
        opened = self._recorder.leave()
        self._recorder = None
        for descriptor in opened:
            os.set_inheritable(descriptor, True)
        return relay.words(opened, self._file, logs)

    def take_over(self, guest: Guest, opened: tuple[int, int]) -> None:
        """Go on with a relay that the program left which this process was."""
        for descriptor in opened:
            os.set_inheritable(descriptor, False)
        self._file = self._kept(guest)
        self._recorder = Recorder(*opened, self._file, self._say)

    def _kept(self, guest: Guest) -> RotatedFile:
        return RotatedFile(self._logs / FILE, guest.console_log_size, guest.console_log_old, self._say)

    def _relay(self, guest: Guest, file: RotatedFile | None) -> None:
        own, users = (self._host.path(f"/dev/{end}") for end in (f"{guest.serial}{OWN}B", f"{guest.serial}A"))
        try:
            self._recorder = Recorder(*ends(self._host.run, own, users), file, self._say)
        except ChyvesError as error:
            which = "loader_timeout" if file is None else "console_log"
            raise ChyvesError(f"{guest.owner}: {which}: {error}") from None
        self._file = file

    def _say(self, text: str) -> None:
        self._tell(1, f"console_log: {text}")
