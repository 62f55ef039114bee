"""What is written to the logs of a guest and of the host."""

from __future__ import annotations

from pathlib import Path

from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding, Holdings


class Journal:
    """Lines about one guest, in the logs that `log_mode` and `log_to_file` ask for."""

    def __init__(self, holdings: Holdings, holding: GuestHolding) -> None:
        settings = holdings.globals
        self._host: Host = holdings.host
        self._name = holding.name
        self._guest: Path | None = holding.logs if settings.log_mode in ("guest", "dual") else None
        primary = holdings.primary.mountpoint / "logs"
        self._all: Path | None = primary if settings.log_mode in ("host", "dual") else None
        if not settings.log_to_file:
            self._guest = self._all = None

    def write(self, level: int, text: str) -> None:
        """One line an end of line in the text; `level` as in stdout_level."""
        for line in text.splitlines():
            if self._guest is not None:
                self._host.log.write(self._guest, level, line)
            if self._all is not None:
                self._host.log.write(self._all, level, f"{self._name}: {line}")
