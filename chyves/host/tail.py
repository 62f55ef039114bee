"""The ends of files that grow, and are begun anew from time to time: by month, or by size."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

BLOCK = 1 << 16
PAUSE = 0.25
"""Seconds between two looks at a file that is followed."""

Files = Callable[[], Sequence[Path]]
"""Gives the files that are one log, the oldest first."""


READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
"""What a link points to is no log, and a pipe is not waited for."""


def last_lines(files: Sequence[Path], count: int) -> list[str]:
    """The last lines of several files that are one log, the oldest file first. Raises OSError."""
    found: list[str] = []
    for path in reversed(files):
        if len(found) >= count:
            break
        found = _last_lines(path, count - len(found)) + found
    return found


def _last_lines(path: Path, count: int) -> list[str]:
    """The last lines of one file, which is read from its end; a file that is just gone has none."""
    try:
        with open(os.open(path, READING), "rb") as file:
            place, data = file.seek(0, os.SEEK_END), b""
            while place and data.count(b"\n") <= count:
                step = min(BLOCK, place)
                place = file.seek(place - step)
                data = file.read(step) + data
    except FileNotFoundError:
        return []
    return data.decode(errors="replace").removesuffix("\n").split("\n")[-count:] if data else []


def follow(files: Files, pause: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """What is written from now on, for ever: whole lines, and a part of one when nothing has come after it.

    A file that takes the place of another (the next month's, or after a rotation) is read from its beginning, once the
    other has been read to its end. `pause` waits so many seconds between two looks. Raises OSError.
    """
    reader = _Reader()
    known = files()
    if known:
        reader.open(known[-1], at_end=True)
    while True:
        text = reader.text()
        if text:
            yield text
            continue
        later = _after(files(), reader)
        if later is not None:
            yield from reader.rest()
            reader.open(later)
            continue
        yield from reader.rest()
        pause(PAUSE)


def _after(files: Sequence[Path], reader: _Reader) -> Path | None:
    """The file that comes after the one that is read; where that is no more, the oldest."""
    found = [(path, _identity(path)) for path in files]
    places = [number for number, (_, identity) in enumerate(found) if identity == reader.identity]
    later = found[places[0] + 1 :] if places else found
    return later[0][0] if later else None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


class _Reader:
    """One file, read as it grows."""

    def __init__(self) -> None:
        self.identity: tuple[int, int] | None = None
        self._descriptor: int | None = None
        self._part = b""

    def open(self, path: Path, at_end: bool = False) -> None:
        """Read this file from now on."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        try:
            self._descriptor = os.open(path, READING)
        except FileNotFoundError:
            self.identity = None
            return
        status = os.fstat(self._descriptor)
        self.identity = status.st_dev, status.st_ino
        if at_end:
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def text(self) -> str:
        """The whole lines that have come; a file that was cut short is read from its beginning."""
        if self._descriptor is None:
            return ""
        if os.fstat(self._descriptor).st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        new = os.read(self._descriptor, BLOCK)
        lines, newline, part = (self._part + new).rpartition(b"\n")
        if not new:
            return ""
        self._part = part
        return (lines + newline).decode(errors="replace")

    def rest(self) -> Iterator[str]:
        """The part of a line that has come."""
        if self._part:
            yield self._part.decode(errors="replace")
            self._part = b""


class Tails:
    """All files of a log, read as they grow: the first look gives what is in them, each further one what has come.

    Only whole lines are given. A file that was cut short is read from its beginning. One that is put aside or removed
    is read to its end first; it is kept open until then, so that no other file can be taken for it.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._open: dict[tuple[int, int], _Tail] = {}

    def lines(self) -> Iterator[str]:
        """What has come since the last look; raises OSError."""
        listed = {identity for path in self._files() if (identity := self._opened(path)) is not None}
        for identity, tail in list(self._open.items()):
            yield from tail.lines()
            if identity not in listed and tail.is_left():
                del self._open[identity]

    def _opened(self, path: Path) -> tuple[int, int] | None:
        """Which file has this name now, which is open from now on; None for one that is just gone."""
        identity = _identity(path)
        if identity is None or identity in self._open:
            return identity
        try:
            tail = _Tail(os.open(path, READING))
        except FileNotFoundError:
            return None
        self._open.setdefault(tail.identity, tail)
        return tail.identity


class _Tail:
    """One file of several that are read as they grow, open for as long as it is kept."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self.identity = status.st_dev, status.st_ino
        self._read = 0
        self._missed = 0

    def __del__(self) -> None:
        os.close(self._descriptor)

    def lines(self) -> Iterator[str]:
        """The whole lines that have come."""
        size = os.fstat(self._descriptor).st_size
        if size == self._read:
            return
        with open(self._descriptor, "rb", closefd=False) as file:
            self._read = file.seek(self._read if self._read <= size else 0)
            for line in file:
                if line.endswith(b"\n"):
                    self._read += len(line)
                    yield line.decode(errors="replace")

    def is_left(self) -> bool:
        """Whether it has been without its name at two looks: who had it open before has written to it by then."""
        self._missed += 1
        return self._missed > 1


def _size(path: Path) -> tuple[tuple[int, int] | None, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None, 0
    return (status.st_dev, status.st_ino), status.st_size


class Added:
    """What is added to the files of a log from now on, as bytes: also a line that is not at its end."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._read = dict(_size(path) for path in files())

    def text(self) -> bytes:
        """What has come since the last look; raises OSError."""
        return b"".join(map(self._added, self._files()))

    def _added(self, path: Path) -> bytes:
        identity, size = _size(path)
        if identity is None or size == self._read.get(identity, 0):
            return b""
        with open(os.open(path, READING), "rb") as file:
            file.seek(self._read.get(identity, 0))
            added = file.read()
            self._read[identity] = file.tell()
        return added
