"""The stream of `zfs send`: records with a running checksum. Its form is the lab's own; no other ZFS can read it.

A stream is one snapshot: what it is (BEGIN), its content, END. A package is a BEGIN that tells of several, END, their
streams, END. As in OpenZFS, BEGIN and END take 312 bytes at least, by which a receiver knows what is no stream, and
as many each; those of a BEGIN are the record of OpenZFS (dmu_replay_record), from which others read what was sent.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from chyves.lab.zfs.refusals import Refused

BEGIN, OBJECT, WRITE, FREE, REMOVE, CLOSE, END = range(1, 8)
CHUNK = 1 << 20
"""The most bytes of data in one record."""

_HEADER = struct.Struct(">8sB3xQI")
_OFFSET = struct.Struct(">Q")
_RANGE = struct.Struct(">QQ")
_MARK = b"zLABsend"
_MAGIC = 0x2F5BACBAC
_BEGIN = struct.Struct("<IIQQQIIQQ256s")
_LEAST = _BEGIN.size
_LONGEST = 256 << 20
Told = dict[str, Any]


class Cut(Exception):
    """A stream that was begun does not come to its end; the text is why, in the words of zfs(8)."""


class Writer:
    """Writes records to a file; `sent` counts bytes, also of a stream that is only measured (no file)."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = 0
        self._length = _LEAST
        self.sent = 0

    def begin(self, told: Told) -> None:
        """Begin a stream or a package."""
        self._sum = 0
        of, base = told.get("guid", 0), told.get("from", 0)
        begin = _BEGIN.pack(0, 0, _MAGIC, 0, 0, 0, 0, of, base, told["name"].encode())
        self._file.write(begin)
        self.sent += len(begin)
        payload = json.dumps(told).encode()
        self._record(BEGIN, payload, begin)
        self._length = len(begin) + len(payload)

    def object(self, told: Told) -> None:
        """Begin a file or directory, a link or a volume; what is written next belongs to it."""
        self._record(OBJECT, json.dumps(told).encode())

    def write(self, offset: int, data: bytes) -> None:
        """Data of the object, at most CHUNK bytes."""
        self._record(WRITE, _OFFSET.pack(offset) + data)

    def free(self, offset: int, length: int) -> None:
        """A hole in the object, where the base had data."""
        self._record(FREE, _RANGE.pack(offset, length))

    def remove(self, path: str) -> None:
        """What the base had and the snapshot has not."""
        self._record(REMOVE, json.dumps(path).encode())

    def close(self, told: Told) -> None:
        """A directory's mode and times, once all that is in it has been sent."""
        self._record(CLOSE, json.dumps(told).encode())

    def end(self) -> None:
        """End a stream or a package."""
        self._record(END, bytes(self._length))
        self._file.flush()

    def _record(self, kind: int, payload: bytes, begin: bytes = b"") -> None:
        self._sum = _checksum(kind, begin + payload, self._sum)
        self._file.write(_HEADER.pack(_MARK, kind, len(payload), self._sum))
        self._file.write(payload)
        self.sent += _HEADER.size + len(payload)


class Reader:
    """Reads records from a file; `got` counts bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = 0
        self.got = 0

    def begin(self) -> Told | None:
        """What a stream or package is; None at the end of a package. Raises Refused for what is neither."""
        begin = self._read_all(_LEAST)
        mark, kind, length, _ = _HEADER.unpack_from(begin)
        if mark == _MARK and kind == END:
            self._read_all(length + _HEADER.size - _LEAST)
            return None
        head = self._read(_HEADER.size) if _BEGIN.unpack(begin)[2] == _MAGIC else b""
        mark, kind, length, told_sum = _HEADER.unpack(head.ljust(_HEADER.size))
        if mark != _MARK or kind != BEGIN or length > _LONGEST:
            raise Refused("cannot receive: invalid stream (bad magic number)")
        payload = self._read(length)
        self._sum = _checksum(kind, begin + payload, 0)
        if len(payload) < length or self._sum != told_sum:
            raise Refused("cannot receive: incorrect header checksum")
        told: Told = json.loads(payload)
        return told

    def records(self) -> Iterator[tuple[int, bytes]]:
        """The records up to the end of a stream; raises Cut when that does not come, or not as it was sent."""
        while True:
            head = self._read(_HEADER.size)
            if len(head) < _HEADER.size:
                raise Cut("incomplete stream")
            mark, kind, length, told_sum = _HEADER.unpack(head)
            if mark != _MARK or length > _LONGEST:
                raise Cut("checksum mismatch")
            payload = self._read(length)
            if len(payload) < length:
                raise Cut("incomplete stream")
            self._sum = _checksum(kind, payload, self._sum)
            if self._sum != told_sum:
                raise Cut("checksum mismatch")
            if kind == END:
                return
            yield kind, payload

    def _read_all(self, length: int) -> bytes:
        data = self._read(length)
        if len(data) < length:
            raise Refused("cannot receive: failed to read from stream")
        return data

    def _read(self, length: int) -> bytes:
        data = self._file.read(length)
        self.got += len(data)
        return data


def told_of(payload: bytes) -> Told:
    """What an OBJECT or CLOSE record tells."""
    told: Told = json.loads(payload)
    return told


def written(payload: bytes) -> tuple[int, memoryview]:
    """Where a WRITE record's data belong, and the data."""
    return _OFFSET.unpack_from(payload)[0], memoryview(payload)[_OFFSET.size :]


def freed(payload: bytes) -> tuple[int, int]:
    """Where a FREE record's hole is, and its length."""
    offset, length = _RANGE.unpack(payload)
    return offset, length


def _checksum(kind: int, payload: bytes, before: int) -> int:
    return zlib.crc32(payload, zlib.crc32(bytes([kind]), before))
