"""How much space datasets use, measured on their files as du(1) does, and added up as ZFS does.

Two things are approximated, because a snapshot here is a copy and not a set of shared blocks: a file counts as shared
between a dataset and its snapshot (or a clone and its origin) while size and time of change are the same in both, and
as rewritten whole when they differ; a volume is one such file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property

from chyves.lab.zfs import datasets, names
from chyves.lab.zfs.content import CONTROL
from chyves.lab.zfs.datasets import FILESYSTEM, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State

# What an empty dataset takes on a disk with sectors of 4K.
_EMPTY = {FILESYSTEM: 96 << 10, VOLUME: 56 << 10}
_SLOP_SHARE, _SLOP_LEAST, _SLOP_MOST = 32, 128 << 20, 128 << 30
_BLOCK = 512
_LIMITS = ("quota", "refquota", "reservation", "refreservation")

_Piece = tuple[str, int, int]


def empty(kind: str) -> int:
    """Bytes of a new file system or volume with nothing in it."""
    return _EMPTY[kind]


class Content:
    """The files of a dataset: what each takes, how long it is, and what tells a rewritten one."""

    def __init__(self, pieces: dict[_Piece, int], logical: int) -> None:
        self.pieces, self.logical = pieces, logical
        self.total = sum(pieces.values())

    def beyond(self, *others: Content) -> int:
        """Bytes of the files that none of the others has."""
        return sum(size for piece, size in self.pieces.items() if not any(piece in other.pieces for other in others))


def measure(path: str, mounted: frozenset[str] | set[str] = frozenset()) -> Content:
    """Measure a volume's file or a file system's directory, without what is mounted below it."""
    pieces: dict[_Piece, int] = {}
    logical = 0
    seen: set[int] = set()
    for name, status in _files(path, "", mounted):
        if status.st_nlink > 1:
            if status.st_ino in seen:
                continue
            seen.add(status.st_ino)
        taken = status.st_blocks * _BLOCK
        pieces[name, status.st_size, status.st_mtime_ns] = taken
        logical += taken
    return Content(pieces, logical)


def _files(path: str, below: str, mounted: frozenset[str] | set[str]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = list(os.scandir(path))
    except NotADirectoryError:
        yield below, os.stat(path)
        return
    except OSError:
        return
    for entry in entries:
        name = f"{below}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if entry.path not in mounted and name != f"/{CONTROL}":
                yield from _files(entry.path, name, mounted)
            continue
        try:
            yield name, entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # removed while it was being measured
            pass


class Space:
    """The space of one pool; each dataset is measured once, and only when something asked for depends on it."""

    def __init__(self, state: State, pool: str) -> None:
        self._state, self.pool = state, pool
        self._limits = Settings(state, _LIMITS).local
        self._contents: dict[int, Content] = {}
        self._used: dict[str, int] = {}

    @cached_property
    def all(self) -> dict[str, Dataset]:
        """Every dataset of the pool, by name."""
        root = datasets.find(self._state, self.pool)
        inside = datasets.below(self._state, self.pool)
        return {one.name: one for one in ([root] if root else []) + inside}

    @cached_property
    def _mounted(self) -> set[str]:
        return {one.place for one in self.all.values() if one.place and one.kind == FILESYSTEM}

    @cached_property
    def _children(self) -> dict[str, list[Dataset]]:
        found: dict[str, list[Dataset]] = {}
        for one in self.all.values():
            above = names.parent(one.name) if one.kind in datasets.HEADS else None
            if above:
                found.setdefault(above, []).append(one)
        return found

    @cached_property
    def _snapshots(self) -> dict[str, list[Dataset]]:
        found: dict[str, list[Dataset]] = {}
        for one in sorted(self.all.values(), key=lambda one: (one.txg, one.id)):
            if one.kind == SNAPSHOT:
                found.setdefault(names.head(one.name), []).append(one)
        return found

    @cached_property
    def _clones(self) -> dict[int, list[Dataset]]:
        found: dict[int, list[Dataset]] = {}
        for one in self.all.values():
            if one.origin is not None:
                found.setdefault(one.origin, []).append(one)
        return found

    @cached_property
    def _by_id(self) -> dict[int, Dataset]:
        return {one.id: one for one in self.all.values()}

    def content(self, dataset: Dataset) -> Content:
        """What is measured of a dataset."""
        if dataset.id not in self._contents:
            self._contents[dataset.id] = measure(datasets.data(self._state, dataset), self._mounted)
        return self._contents[dataset.id]

    def limit(self, dataset: Dataset, name: str) -> int:
        """A quota or reservation in bytes; 0 for none."""
        return int(self._limits.get(dataset.name, {}).get(name, "0"))

    def referenced(self, dataset: Dataset) -> int:
        """Bytes that can be reached through a dataset."""
        if dataset.kind not in datasets.HEADS:
            return dataset.referenced
        return empty(dataset.kind) + self.content(dataset).total

    def logical(self, dataset: Dataset) -> int:
        """The same without compression: here nothing is compressed."""
        return dataset.logical if dataset.kind not in datasets.HEADS else self.content(dataset).logical

    def written(self, dataset: Dataset, since: Dataset | None = None) -> int:
        """Bytes written to a dataset after a snapshot: the one given, or else the one before."""
        base = since or self._before(dataset)
        if base is None:
            return self.referenced(dataset)
        return self.content(dataset).beyond(self.content(base))

    def _before(self, dataset: Dataset) -> Dataset | None:
        older = [one for one in self._snapshots.get(names.head(dataset.name), []) if one.txg < dataset.txg]
        if dataset.kind != SNAPSHOT:
            older = self._snapshots.get(dataset.name, [])
        if older:
            return older[-1]
        head = self.all[names.head(dataset.name)]
        return self._by_id.get(head.origin) if head.origin is not None else None

    def used(self, dataset: Dataset) -> int:
        """Bytes that would be free if a dataset and all that depends on it were gone."""
        if dataset.name not in self._used:
            count = self._snapshot_used if dataset.kind == SNAPSHOT else self._head_used
            self._used[dataset.name] = count(dataset)
        return self._used[dataset.name]

    def _head_used(self, head: Dataset) -> int:
        own = self.by_dataset(head) + self.by_refreservation(head)
        return own + self.by_snapshots(head) + self.by_children(head)

    def _snapshot_used(self, snapshot: Dataset) -> int:
        siblings = self._snapshots[names.head(snapshot.name)]
        at = siblings.index(snapshot)
        near = siblings[max(at - 1, 0) : at] + (siblings[at + 1 : at + 2] or [self.all[names.head(snapshot.name)]])
        near += self._clones.get(snapshot.id, [])
        return self.content(snapshot).beyond(*map(self.content, near))

    def freed(self, snapshots: Sequence[Dataset]) -> int:
        """Bytes that destroying these snapshots gives back: what no other snapshot and no live dataset has."""
        going, total = {one.id for one in snapshots}, 0
        for name in {names.head(one.name) for one in snapshots}:
            staying = [one for one in self._snapshots[name] if one.id not in going] + [self.all[name]]
            doomed = [one for one in self._snapshots[name] if one.id in going]
            clones = [clone for one in doomed for clone in self._clones.get(one.id, [])]
            kept = [self.content(one) for one in staying + clones]
            pieces: dict[_Piece, int] = {}
            for one in doomed:
                pieces.update(self.content(one).pieces)
            total += Content(pieces, 0).beyond(*kept)
        return total

    def logical_used(self, dataset: Dataset) -> int:
        """What is used, without compression and without what is only reserved, there and below."""
        children = sum(self.logical_used(one) for one in self._children.get(dataset.name, []))
        return self.by_dataset(dataset) + self.by_snapshots(dataset) + children

    def by_dataset(self, dataset: Dataset) -> int:
        """Bytes of a dataset's own data, without what a clone shares with its origin."""
        origin = self._by_id.get(dataset.origin) if dataset.origin is not None else None
        return self.content(dataset).beyond(self.content(origin)) if origin else self.referenced(dataset)

    def by_snapshots(self, dataset: Dataset) -> int:
        """Bytes that only a dataset's snapshots hold."""
        live, old = self.content(dataset).pieces, dict[_Piece, int]()
        for snapshot in self._snapshots.get(dataset.name, []):
            old.update(self.content(snapshot).pieces)
        return sum(size for piece, size in old.items() if piece not in live)

    def by_children(self, dataset: Dataset) -> int:
        """Bytes of a file system's children, with what is reserved for them."""
        children = self._children.get(dataset.name, [])
        return sum(max(self.used(one), self.limit(one, "reservation")) for one in children)

    def by_refreservation(self, dataset: Dataset) -> int:
        """Bytes that are reserved for a dataset's own data and not yet written."""
        reserved = self.limit(dataset, "refreservation")
        return max(0, reserved - self.written(dataset)) if reserved else 0

    def available(self, dataset: Dataset) -> int:
        """Bytes that can still be written: the least that pool, quotas and the dataset's own limits leave."""
        own = self.by_refreservation(dataset) + max(0, self.limit(dataset, "reservation") - self.used(dataset))
        room = self._room(dataset) + own
        most = self.limit(dataset, "refquota")
        return max(0, min(room, most - self.referenced(dataset)) if most else room)

    def _room(self, dataset: Dataset) -> int:
        above = names.parent(dataset.name)
        room = self._room(self.all[above]) if above else usable(self.size) - self.used(dataset)
        quota = self.limit(dataset, "quota")
        return max(0, min(room, quota - self.used(dataset)) if quota else room)

    @cached_property
    def size(self) -> int:
        """Bytes of the pool's devices."""
        row = self._state.db.execute("SELECT size FROM pool WHERE name = ?", (self.pool,)).fetchone()
        return int(row[0])

    @property
    def allocated(self) -> int:
        """Bytes that the pool really holds: reservations are promises."""
        heads = [one for one in self.all.values() if one.kind in datasets.HEADS]
        return sum(self.by_dataset(one) + self.by_snapshots(one) for one in heads)


def usable(size: int) -> int:
    """What of a pool's size file systems may fill: ZFS keeps a 32nd to itself, within bounds."""
    slop = max(min(size // _SLOP_SHARE, _SLOP_MOST), min(size // 2, _SLOP_LEAST))
    return size - slop


def require_room(state: State, above: str, wanted: int, text: str) -> None:
    """Raise Refused with a text when so many bytes more cannot be promised to a dataset, or in it to a new one.

    The pool is only measured when the answer depends on it: its files cannot take more than the machine's disk holds.
    """
    if not wanted:
        return
    pool = names.pool(above)
    size = state.db.execute("SELECT size FROM pool WHERE name = ?", (pool,)).fetchone()[0]
    promised, quotas = state.db.execute(
        "SELECT coalesce(sum(CASE WHEN p.name != 'quota' THEN CAST(p.value AS INTEGER) END), 0),"
        " coalesce(sum(p.name = 'quota'), 0)"
        " FROM property p JOIN dataset d ON d.id = p.dataset WHERE d.name >= ? AND d.name < ?"
        " AND p.name IN ('reservation', 'refreservation', 'quota')",
        (pool, f"{pool}0"),
    ).fetchone()
    disk = os.statvfs(state.root)
    if not quotas and wanted + promised + (disk.f_blocks - disk.f_bfree) * disk.f_frsize <= usable(size):
        return
    space = Space(state, pool)
    if wanted > space.available(space.all[above]):
        raise Refused(text)
