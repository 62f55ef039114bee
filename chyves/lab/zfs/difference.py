"""What a snapshot holds, as records of a stream: all of it, or what differs from another snapshot; and back again.

The order is always the same (what is gone, files and directories by name, the directories' times), so that a stream
that was cut off can be taken up where it was.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

from chyves.lab.zfs import extents, journal
from chyves.lab.zfs.content import CONTROL
from chyves.lab.zfs.stream import CLOSE, FREE, OBJECT, REMOVE, WRITE, Told, Writer, freed, told_of, written

_TYPES = ((stat.S_ISDIR, "directory"), (stat.S_ISREG, "file"), (stat.S_ISLNK, "link"), (stat.S_ISFIFO, "fifo"))


class Position(NamedTuple):
    """Up to where a stream has been received: an object, and an offset in it."""

    path: str
    offset: int


def send(writer: Writer, new: str, old: str | None, start: Position | None) -> None:
    """Send the content of a snapshot that is kept at a path, from a position on."""
    if not os.path.isdir(new):
        _send_file(writer, new, old, {"path": ""}, start.offset if start else 0)
        return
    if old and not start:
        for path in _gone(new, old, ""):
            writer.remove(path)
    links: dict[int, str] = {}
    reached = start is None
    for path in _walk(new, ""):
        again = start is not None and path == start.path
        reached = reached or again
        _send_object(writer, new, old, path, links, start.offset if start and again else 0, silent=not reached)
    for path in ["", *_walk(new, "")]:
        status = os.lstat(f"{new}/{path}")
        if stat.S_ISDIR(status.st_mode):
            writer.close(_meta(path, status))


def _walk(top: str, below: str) -> Iterator[str]:
    """All paths inside a directory, each directory before what is in it."""
    for name in sorted(os.listdir(f"{top}/{below}")):
        path = f"{below}/{name}" if below else name
        if path == CONTROL:
            continue
        yield path
        if stat.S_ISDIR(os.lstat(f"{top}/{path}").st_mode):
            yield from _walk(top, path)


def _gone(new: str, old: str, below: str) -> Iterator[str]:
    """The paths that are only in the old directory, or are something else now."""
    for name in sorted(os.listdir(f"{old}/{below}")):
        path = f"{below}/{name}" if below else name
        if path == CONTROL:
            continue
        mode = os.lstat(f"{old}/{path}").st_mode
        if not os.path.lexists(f"{new}/{path}") or stat.S_IFMT(os.lstat(f"{new}/{path}").st_mode) != stat.S_IFMT(mode):
            yield path
        elif stat.S_ISDIR(mode):
            yield from _gone(new, old, path)


def _type(status: os.stat_result) -> str:
    return next((name for holds, name in _TYPES if holds(status.st_mode)), "")


def _meta(path: str, status: os.stat_result) -> Told:
    return {
        "path": path,
        "type": _type(status),
        "mode": stat.S_IMODE(status.st_mode),
        "owner": [status.st_uid, status.st_gid],
        "times": [status.st_atime_ns, status.st_mtime_ns],
    }


def _send_object(
    writer: Writer, new: str, old: str | None, path: str, links: dict[int, str], offset: int, silent: bool
) -> None:
    """Send one object; `silent` ones have been received already, and are only looked at for their links."""
    status = os.lstat(f"{new}/{path}")
    told = _meta(path, status)
    first = links.setdefault(status.st_ino, path)
    if silent:
        return
    if told["type"] != "directory" and first != path:
        writer.object({**told, "type": "same", "target": first})
    elif told["type"] == "link":
        writer.object({**told, "target": os.readlink(f"{new}/{path}")})
    elif told["type"] == "file":
        before = f"{old}/{path}" if old and _patchable(f"{old}/{path}") and status.st_nlink == 1 else None
        _send_file(writer, f"{new}/{path}", before, told, offset)
    elif told["type"]:
        writer.object(told)


def _patchable(path: str) -> bool:
    """Whether a file can be changed in place: it has no other name."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _send_file(writer: Writer, new: str, old: str | None, told: Told, start: int) -> None:
    with ExitStack() as opened:
        reader = opened.enter_context(open(new, "rb")).fileno()
        base = opened.enter_context(open(old, "rb")).fileno() if old else None
        status = os.fstat(reader)
        kept = base is not None or start > 0
        writer.object({**_meta("", status), **told, "type": "file", "size": status.st_size, "kept": kept})
        extents.send(writer, reader, base, start)


def estimate(new: str, old: str | None) -> int:
    """Bytes of data that a stream will have, from the sizes and times of files alone."""
    from chyves.lab.zfs import space

    content = space.measure(new)
    return content.beyond(space.measure(old)) if old else content.total


class Builder:
    """Makes what a stream holds below a path, which has the base's content or nothing."""

    def __init__(self, top: str) -> None:
        self._top = top
        self._file = -1
        self._told: Told = {}
        self.position = Position("", 0)

    def apply(self, kind: int, payload: bytes) -> None:
        """Do what one record says."""
        if kind == OBJECT:
            self._begin(told_of(payload))
        elif kind == WRITE:
            offset, data = written(payload)
            os.pwrite(self._file, data, offset)
            self.position = Position(self._told["path"], offset + len(data))
        elif kind == FREE:
            extents.punch(self._file, *freed(payload))
        elif kind == REMOVE:
            journal.remove(self._place(str(told_of(payload))))
        elif kind == CLOSE:
            self.finish()
            self._dress(told_of(payload))

    def finish(self) -> None:
        """Close the file that was written last, and give it its times."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._dress(self._told)

    def _place(self, path: str) -> str:
        place = os.path.normpath(f"{self._top}/{path}")
        if place != self._top and not place.startswith(f"{self._top}/"):
            raise ValueError(f"{path} leads out of the dataset")
        return place

    def _begin(self, told: Told) -> None:
        self.finish()
        self._told = told
        place, kind = self._place(told["path"]), told["type"]
        self.position = Position(told["path"], 0)
        if kind == "directory":
            os.makedirs(place, exist_ok=True)
            return
        if kind == "file":
            self._open(place, told)
            return
        journal.remove(place)
        if kind == "link":
            os.symlink(told["target"], place)
        elif kind == "fifo":
            os.mkfifo(place)
        elif kind == "same":
            os.link(self._place(told["target"]), place, follow_symlinks=False)
            return
        self._dress(told)

    def _open(self, place: str, told: Told) -> None:
        if not told["kept"]:
            journal.remove(place)
        self._file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.ftruncate(self._file, told["size"])

    def _dress(self, told: Told) -> None:
        place = self._place(told["path"])
        if os.geteuid() == 0:
            os.chown(place, *told["owner"], follow_symlinks=False)
        if told["type"] != "link":
            os.chmod(place, told["mode"])
        os.utime(place, ns=(told["times"][0], told["times"][1]), follow_symlinks=False)
