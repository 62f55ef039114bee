"""A file that is put aside when it has grown to a size: `console.log`, then `console.log.1`, older ones higher."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from chyves.host.files import opened_to_add


class RotatedFile:
    """Takes bytes as they come; a disk that is full or gone costs bytes, and nobody who writes is held up by it.

    `size` is in bytes, `old` how many are kept besides; `tell` gets a sentence when bytes begin to be lost.
    """

    def __init__(self, path: Path, size: int, old: int, tell: Callable[[str], None]) -> None:
        self.path, self.size, self.old = path, size, old
        self._tell = tell
        self._descriptor: int | None = None
        self._length = 0
        self._losing = False

    def write(self, data: bytes) -> None:
        """Add bytes; never raises OSError."""
        try:
            self._put(data)
            self._losing = False
        except OSError as error:
            self.close()
            if not self._losing:
                self._losing = True
                self._tell(f"{self.path} cannot be written: {error.strerror}; the console itself goes on")

    def close(self) -> None:
        """Leave the file; the next bytes open it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _put(self, data: bytes) -> None:
        if self._descriptor is None:
            self._open()
        if self._length and self._length + len(data) > self.size:
            self.close()
            self._rotate()
            self._open()
        while data and self._descriptor is not None:
            done = os.write(self._descriptor, data)
            self._length += done
            data = data[done:]

    def _open(self) -> None:
        self._descriptor = opened_to_add(self.path, 0o600)
        self._length = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        """Move every file one number up; those beyond the last one go."""
        for path in self.path.parent.glob(f"{self.path.name}.*"):
            if path.suffix[1:].isdecimal() and int(path.suffix[1:]) > self.old:
                path.unlink()
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{number}") for number in range(1, self.old + 1))]
        names[-1].unlink(missing_ok=True)
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            if newer.exists():
                newer.rename(older)
