"""Who has a volume open or works inside a file system, so that it cannot be taken away."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator


def in_use(paths: Iterable[str], mounted: Collection[str]) -> str | None:
    """The first of these files and directories that a process has open or stands in; None when all are free.

    `mounted` are directories where other file systems begin: what is in those does not count. Compared by inode,
    because a program in a lab's shell may know the file by another path.
    """
    owners: dict[tuple[int, int], str] = {}
    for path in paths:
        for inner in _inside(path, mounted):
            try:
                status = os.lstat(inner)
            except FileNotFoundError:
                continue
            owners[status.st_dev, status.st_ino] = path
    return next((owners[used] for used in _opened() if used in owners), None) if owners else None


def _inside(path: str, mounted: Collection[str]) -> Iterator[str]:
    yield path
    try:
        entries = list(os.scandir(path))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.path not in mounted:
                yield from _inside(entry.path, mounted)
        else:
            yield entry.path


def _opened() -> Iterator[tuple[int, int]]:
    mine = str(os.getpid())
    for process in os.listdir("/proc"):
        if not process.isdigit() or process == mine:
            continue
        links = [f"/proc/{process}/cwd"]
        try:
            links += [f"/proc/{process}/fd/{number}" for number in os.listdir(f"/proc/{process}/fd")]
        except OSError:
            pass  # gone, or another user's: as far as this user can see it has nothing open
        for link in links:
            try:
                status = os.stat(link)
            except OSError:
                continue
            yield status.st_dev, status.st_ino
