"""What is written to the logs of the host and of its guests."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from chyves import names
from chyves.errors import ChyvesError
from chyves.properties import Global

if TYPE_CHECKING:
    from chyves.pools.holdings import GuestHolding, Holdings


class Journal:
    """The logs, as log_mode and log_to_file want them at the moment."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._known = Global.log_mode.default

    def write(self, level: int, text: str) -> None:
        """A line an end of line; `level` as in stdout_level.

        Each goes to the host's log, and to those of the guests whose names it begins with, as in `web1, web2: ...`.
        """
        host, mode = self._holdings.host, self._mode()
        for line in text.splitlines():
            if mode in ("host", "dual"):
                with suppress(ChyvesError):  # there is no primary pool
                    host.log.write(self._holdings.primary.mountpoint / "logs", level, line)
            if mode in ("guest", "dual"):
                self._write_to_guests(level, line)

    def places(self, name: str) -> list[tuple[Path, str]]:
        """The directories of the logs in which a line about a guest is written now, and what it begins with there."""
        mode = self._mode()
        found: list[tuple[Path, str]] = []
        with suppress(ChyvesError):
            if mode in ("host", "dual"):
                found.append((self._holdings.primary.mountpoint / "logs", f"{name}: "))
            directory = self._directory(name) if mode in ("guest", "dual") else None
            found += [(directory, "")] if directory is not None else []
        return found

    def _mode(self) -> str:
        """Which logs are written; as far as is known where the file of it is broken, which is told by who needs it."""
        with suppress(ChyvesError):
            settings = Global("global", self._holdings.host.files.read_properties(self._holdings.globals_file))
            self._known = settings.log_mode if settings.log_to_file else "off"
        return self._known

    def _write_to_guests(self, level: int, line: str) -> None:
        owners, _, rest = line.partition(": ")
        for name in owners.split(", ") if rest else ():
            with suppress(ChyvesError):
                directory = self._directory(names.guest(name))
                if directory is not None:
                    self._holdings.host.log.write(directory, level, rest)

    @cached_property
    def _guests(self) -> dict[str, GuestHolding]:
        return self._holdings.guests

    def _directory(self, name: str) -> Path | None:
        """Where a guest's log is: one that was read, or was made since then; None where there is no such guest."""
        known = self._guests.get(name)
        if known is not None:
            return known.logs if known.mountpoint.is_dir() else None
        for pool in self._holdings.pools.values():
            directory = pool.place(pool.guests_dataset) / name / "logs"
            if directory.is_dir():
                return directory
        return None
