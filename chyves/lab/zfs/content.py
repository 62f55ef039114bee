"""Copies of what is in file systems and volumes, without writing out holes."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Collection, Iterator

from chyves.lab.zfs.journal import remove

CONTROL = ".zfs"
_FICLONE = 0x40049409  # share the blocks, where the machine's file system can
_CHUNK = 16 << 20


def copy_volume(source: str, target: str) -> None:
    """Make a file with the content and times of another."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        try:
            fcntl.ioctl(writer, _FICLONE, reader.fileno())
        except OSError:
            _copy_data(reader.fileno(), writer.fileno())
    _copy_times(source, target)


def refill_volume(source: str, target: str) -> None:
    """Give an existing file, which somebody may have open, the content of another."""
    with open(source, "rb") as reader, open(target, "r+b") as writer:
        writer.truncate(0)
        _copy_data(reader.fileno(), writer.fileno())
    _copy_times(source, target)


def copy_tree(source: str, target: str, mounted: Collection[str]) -> None:
    """Copy the directory of a file system: `mounted` are the directories where others begin, which stay empty."""
    os.makedirs(target, exist_ok=True)
    links: dict[int, str] = {}
    for entry in os.listdir(source):
        if entry != CONTROL:
            _copy(f"{source}/{entry}", f"{target}/{entry}", mounted, links)
    _copy_mode(source, target)


def restore_tree(source: str, target: str, mounted: Collection[str]) -> None:
    """Make a file system's directory, which stays the same directory, hold what a snapshot of it holds.

    What other file systems are mounted on below it stays as it is, with the directories that lead there.
    """
    os.makedirs(target, exist_ok=True)
    _clear(target, mounted)
    links: dict[int, str] = {}
    for entry in os.listdir(source):
        _copy(f"{source}/{entry}", f"{target}/{entry}", mounted, links)
    _copy_mode(source, target)


def _clear(path: str, mounted: Collection[str]) -> None:
    for entry in os.listdir(path):
        inner = f"{path}/{entry}"
        if inner in mounted or entry == CONTROL:
            continue
        if any(one.startswith(f"{inner}/") for one in mounted):
            _clear(inner, mounted)
        else:
            remove(inner)


def _copy(source: str, target: str, mounted: Collection[str], links: dict[int, str]) -> None:
    status = os.lstat(source)
    if stat.S_ISDIR(status.st_mode):
        os.makedirs(target, exist_ok=True)
        if source in mounted or target in mounted:
            return
        for entry in os.listdir(source):
            _copy(f"{source}/{entry}", f"{target}/{entry}", mounted, links)
        _copy_mode(source, target)
        return
    if status.st_nlink > 1 and status.st_ino in links:
        os.link(links[status.st_ino], target, follow_symlinks=False)
        return
    links[status.st_ino] = target
    _copy_leaf(source, target, status)


def _copy_leaf(source: str, target: str, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source), target)
        _copy_times(source, target)
    elif stat.S_ISREG(status.st_mode):
        copy_volume(source, target)
        _copy_mode(source, target)
    elif stat.S_ISFIFO(status.st_mode):
        os.mkfifo(target)
    # A socket or a device is nothing without the program behind it: not copied.


def _copy_mode(source: str, target: str) -> None:
    status = os.stat(source)
    if os.geteuid() == 0:
        os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))
    _copy_times(source, target)


def _copy_times(source: str, target: str) -> None:
    status = os.lstat(source)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _copy_data(reader: int, writer: int) -> None:
    os.ftruncate(writer, os.fstat(reader).st_size)
    for at, end in data(reader):
        while at < end:
            at += _copy_range(reader, writer, at, min(_CHUNK, end - at))


def data(file: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """The begin and end of each stretch of data in an open file, from an offset on."""
    size = os.fstat(file).st_size
    at = start
    while at < size:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # no more data: the rest is a hole
                return
            raise
        end = os.lseek(file, at, os.SEEK_HOLE)
        yield at, end
        at = end


def _copy_range(reader: int, writer: int, at: int, count: int) -> int:
    try:
        copied = os.copy_file_range(reader, writer, count, at, at)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        copied = os.pwrite(writer, os.pread(reader, count, at), at)
    return copied or count  # the source has become shorter: the rest is a hole
