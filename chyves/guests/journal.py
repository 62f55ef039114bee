"""What is written to the logs about one guest."""

from __future__ import annotations

from pathlib import Path

from chyves.pools import journal
from chyves.pools.holdings import GuestHolding, Holdings


class Journal:
    """Lines about one guest, in the logs that `log_mode` and `log_to_file` ask for."""

    def __init__(self, holdings: Holdings, holding: GuestHolding) -> None:
        self._logs = journal.Journal(holdings)
        self._name = holding.name

    def places(self) -> list[tuple[Path, str]]:
        """Where a line is written now: directories, and what it begins with in each."""
        return self._logs.places(self._name)

    def write(self, level: int, text: str) -> None:
        """One line an end of line in the text; `level` as in stdout_level."""
        for line in text.splitlines():
            self._logs.write(level, f"{self._name}: {line}")
