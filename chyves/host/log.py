"""Logs: a line an event, a file a month (the form of chyves 0.2.0)."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from chyves.host.files import opened_to_add
from chyves.masking import masked


class Log:
    """Writes logs; what cannot be written is told once on stderr and stops nothing."""

    def __init__(self, dry: bool = False) -> None:
        self.dry = dry
        self._told = False

    def write(self, directory: Path, level: int, text: str) -> None:
        """Add a text to this month's log in a directory, each of its lines as `TIME - [LEVEL] - LINE` by one write.

        The directory is never made here: it is the mountpoint of a dataset, and what is below it without that is lost.
        """
        if self.dry:
            return
        now = time.localtime()
        head = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z', now)} - [{level}] - "
        try:
            descriptor = opened_to_add(directory / time.strftime("%Y%m.log", now), 0o644)
            try:
                for line in text.splitlines() or [""]:
                    os.write(descriptor, f"{head}{plain(masked(line))}\n".encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            self._tell(directory, error)

    def _tell(self, directory: Path, error: OSError) -> None:
        if not self._told:
            self._told = True
            print(f"{directory}: the log cannot be written: {error.strerror}; see to that", file=sys.stderr, flush=True)


def plain(line: str) -> str:
    """A line that can be shown: what a guest or a program said may steer a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in line)
