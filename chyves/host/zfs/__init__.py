"""ZFS, asked and changed through one interface that has two adapters: zfs(8), and libzfs where py-libzfs is installed.

The pools are changed by zfs(8) alone: what a dry run prints is what is run, what fails is told in its words, and what
hangs can be ended. libzfs answers questions; what that gains, and what it costs, is in chyves.host.zfs.libzfs.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from chyves.host.run import End, Runner

Heed = Callable[[int], None]
LONGEST = 1 << 16
"""Bytes of names in one command line: a quarter of what the smallest kernel takes (ARG_MAX of FreeBSD on i386)."""


class Zfs(Protocol):
    """Datasets and pools of the host. Every refusal by ZFS is a ProgramFailed with its words."""

    run: Runner

    def list(
        self,
        *names: str,
        properties: Sequence[str] = ("name",),
        types: str = "filesystem,volume",
        recursive: bool = False,
        depth: int | None = None,
    ) -> builtins.list[dict[str, str]]:
        """Datasets with properties of theirs, in the order of their names; all of the host where no name is given.

        Numbers are in bytes, times in seconds since 1970; `-` is a property that is not there.
        Raises ProgramFailed when a name is missing, ChyvesError when the answer is not to the question.
        """

    def get(self, name: str, property: str) -> str:
        """The value of one property of a dataset; `-` where it has none."""

    def exists(self, name: str) -> bool:
        """Whether there is a dataset; raises ProgramFailed when ZFS cannot tell."""

    def create(self, name: str, properties: Mapping[str, str] = {}, parents: bool = False) -> None:
        """Make a file system; with `parents` also those above it, and then one that is there already will do.

        When that fails, none of it is left: what zfs could make and not mount is destroyed again.
        """

    def create_volume(self, name: str, size: int, properties: Mapping[str, str] = {}, parents: bool = False) -> None:
        """Make a volume of `size` bytes, which ZFS rounds up to its blocks; `parents` as for a file system."""

    def copy(self, snapshot: str, name: str, properties: Mapping[str, str] = {}, heed: Heed = lambda _: None) -> None:
        """Make a dataset of its own, on any pool, of a snapshot, which it has too then; `heed` is told the bytes.

        Properties are only those given. When that fails, the dataset is not there.
        """

    def replicate(
        self, snapshot: str, name: str, properties: Mapping[str, str] = {}, heed: Heed = lambda _: None
    ) -> None:
        """Make a replica of a dataset with all below it, on another pool: with their properties and older snapshots.

        Mountpoints are inherited there; `properties` are set on it beside. When that fails, a part of it may be there.
        """

    def send(self, snapshot: str, sink: End, heed: Heed = lambda _: None) -> None:
        """Write a replica of a dataset with all below it, as it is in a snapshot, to a file that is open."""

    def receive(self, source: End, name: str, heed: Heed = lambda _: None) -> None:
        """Make a dataset of such a replica; mountpoints are inherited. When that fails, a part of it may be there."""

    def local(self, *names: str) -> dict[str, dict[str, str]]:
        """The properties that were set on datasets themselves, or came with them.

        Raises ChyvesError for a value that is no UTF-8, and so could not be set elsewhere as it is.
        """

    def let_go(self, snapshot: str, recursive: bool = False) -> None:
        """Destroy a snapshot as soon as no clone hangs on it any more; `recursive` also those of its name below."""

    def clone(self, snapshot: str, name: str, properties: Mapping[str, str] = {}) -> None:
        """Make a dataset out of a snapshot on the same pool; when that fails, it is not there."""

    def promote(self, name: str) -> None:
        """Let a clone take over the snapshot that it hangs on, and all older ones: what it came from is the clone."""

    def set(self, name: str, properties: Mapping[str, str]) -> None:
        """Set properties of a dataset, all in one change."""

    def inherit(self, name: str, property: str, recursive: bool = False) -> None:
        """Have a property of a dataset be again what that above it says; `recursive` also of all below it."""

    def rename(self, old: str, new: str, parents: bool = False) -> None:
        """Give a dataset, with all below it, another name in its pool; `parents` makes what is missing above that.

        When that fails, it has its old name: zfs can fail when it has renamed a file system and cannot mount it.
        """

    def destroy(self, name: str) -> None:
        """Destroy one dataset or snapshot that has nothing below it."""

    def mount(self, name: str) -> None:
        """Mount a file system at its place."""

    def below(self, name: str) -> builtins.list[str]:
        """What destroying a dataset with all below it would take, in the order of ZFS: the dataset itself is last.

        Raises ProgramFailed where something elsewhere depends on it (a clone of one of its snapshots).
        """

    def destroy_all(self, name: str, expected: Collection[str]) -> None:
        """Destroy a dataset with all below it; raises ChyvesError when that would take more than is expected."""

    def snapshot(self, *names: str) -> None:
        """Take snapshots (`DATASET@NAME`) of datasets of a pool and of all below them, all at one moment or none."""

    def rollback(self, name: str) -> None:
        """Bring one dataset back to a snapshot of it (`DATASET@NAME`), which must be its latest."""

    def reclaimed(self, dataset: str, snapshots: Sequence[str]) -> tuple[builtins.list[str], int]:
        """What destroying snapshots (`@NAME`) of a dataset and of all below it takes, and the bytes that come back."""

    def destroy_snapshots(self, dataset: str, snapshots: Sequence[str]) -> None:
        """Destroy snapshots (`@NAME`) of a dataset and of all below it, where they are: all at once, or none."""

    def pools(self) -> builtins.list[dict[str, str]]:
        """The pools of the host: name, size, alloc and free in bytes, health."""

    def wait_for_volume(self, path: Path, seconds: float = 10) -> None:
        """Wait for the device of a volume, which appears some time after the volume; not at all in a dry run."""


def adapter(run: Runner, *, library: bool) -> Zfs:
    """The hands of a process on ZFS; runs and loads nothing.

    `library` says that libzfs may be asked: it knows only the pools of this machine, so that a lab has nothing of it.
    """
    if library:
        from chyves.host.zfs.libzfs import Libzfs

        return Libzfs(run)
    from chyves.host.zfs.zfs8 import Zfs8

    return Zfs8(run)


def portions(names: Iterable[str]) -> Iterator[builtins.list[str]]:
    """Names in as few lists as have each of them fit into one command line."""
    portion: builtins.list[str] = []
    size = 0
    for name in names:
        size += len(name.encode()) + 1
        if portion and size > LONGEST:
            yield portion
            portion, size = [], len(name.encode()) + 1
        portion.append(name)
    if portion:
        yield portion
