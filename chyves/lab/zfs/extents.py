"""What in a file is data and what is a hole, and what differs between two files."""

from __future__ import annotations

import os
from collections.abc import Iterator

from chyves.lab.zfs.content import data
from chyves.lab.zfs.stream import CHUNK, Writer

_PUNCH_HOLE = 0x03  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
_BLOCK = 64 << 10


def taken(file: int) -> int:
    """Bytes of data in an open file."""
    return sum(end - begin for begin, end in data(file))


def send(writer: Writer, new: int, old: int | None, start: int) -> None:
    """Send what an open file holds from an offset on: all data, or what differs from another file."""
    for begin, end in data(new, start):
        for at in range(begin, end, CHUNK):
            _send_chunk(writer, new, old, at, min(CHUNK, end - at))
    if old is not None:
        for begin, end in _emptied(new, old):
            writer.free(begin, end - begin)


def _send_chunk(writer: Writer, new: int, old: int | None, at: int, length: int) -> None:
    wanted = os.pread(new, length, at)
    if old is None:
        writer.write(at, wanted)
        return
    had = os.pread(old, length, at)
    if had == wanted:
        return
    for inner in range(0, len(wanted), _BLOCK):
        block = wanted[inner : inner + _BLOCK]
        if had[inner : inner + _BLOCK] != block:
            writer.write(at + inner, block)


def _emptied(new: int, old: int) -> Iterator[tuple[int, int]]:
    """The stretches that are data in the old file and a hole in the new one."""
    size = os.fstat(new).st_size
    for begin, end in data(old):
        at = begin
        for full, after in data(new, begin):
            if full >= end:
                break
            if at < full:
                yield at, full
            at = max(at, after)
        if at < min(end, size):
            yield at, min(end, size)


def punch(file: int, offset: int, length: int) -> None:
    """Make a hole in an open file; zeros, where the machine's file system has no holes."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (file, _PUNCH_HOLE, ctypes.c_int64(offset), ctypes.c_int64(length))
    if libc.fallocate64(*arguments) != 0:
        for at in range(offset, offset + length, CHUNK):
            os.pwrite(file, bytes(min(CHUNK, offset + length - at)), at)
