"""ZFS asked through libzfs, with py-libzfs, where that tells all that zfs(8) would tell; else zfs(8) is asked.

**When**: loading the library costs as much as some processes, so that it is left alone until a command has asked more
than a listing does (PATIENCE).

**What**: file systems and volumes, their properties, and pools. Snapshots and bookmarks are left to zfs(8): py-libzfs
has no bookmarks in its quick listings, and makes an object of each of the thousands of snapshots. So is every change:
py-libzfs makes and clones file systems without mounting them, destroys none that is mounted, rolls back by destroying
the later snapshots, cannot tell beforehand what a destroy takes, and is not what a dry run prints.

**What is believed**: the library keeps a failure within a listing to itself, and goes on with less: ZFS's own is in
`errno` of the handle, one of Python's (a property that is no UTF-8 takes its dataset out of the listing) goes to
sys.unraisablehook. After either, and where a dataset that was named is missing, zfs(8) is asked: its words then count.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from chyves.host.run import Runner
from chyves.host.zfs.zfs8 import Zfs8

if TYPE_CHECKING:
    from libzfs import ZFS, _Dataset

T = TypeVar("T")
Rows = list[dict[str, str]]

DEVICE = "/dev/zfs"
PATIENCE = 4
"""Questions that zfs(8) answers first: loading the library took as long as 2 to 4 processes (OpenZFS 2.1)."""

KINDS = frozenset(("filesystem", "volume"))
KNOWN = frozenset(
    "available creation guid mounted mountpoint name origin readonly referenced snapdir type used volsize".split()
)
"""Properties of ZFS whose raw values in py-libzfs are those of `zfs list -p`, as the tests compare."""

POOL_PROPERTIES = {"name": "name", "size": "size", "alloc": "allocated", "free": "free", "health": "health"}
WORKING = ("ONLINE", "DEGRADED")


class Libzfs(Zfs8):
    """What ZFS can do (chyves.host.zfs): asked of libzfs from the `patience`-th question on, done by programs."""

    def __init__(self, run: Runner, patience: int = PATIENCE) -> None:
        super().__init__(run)
        self._patience = patience

    def list(
        self,
        *names: str,
        properties: Sequence[str] = ("name",),
        types: str = "filesystem,volume",
        recursive: bool = False,
        depth: int | None = None,
    ) -> Rows:
        columns = tuple(properties if "name" in properties else ("name", *properties))
        kinds = frozenset(types.split(","))
        rows = None
        if kinds <= KINDS and _are_known(columns) and (recursive or depth in (None, 0, 1)):
            far = recursive or not (names or depth)
            rows = self._told(lambda zfs: _rows(zfs, names, columns, kinds, far, depth == 1))
        if rows is None:
            return super().list(*names, properties=properties, types=types, recursive=recursive, depth=depth)
        return rows

    def get(self, name: str, property: str) -> str:
        rows = None
        if "@" not in name and _are_known([property]):
            rows = self._told(lambda zfs: _rows(zfs, [name], [property], KINDS, False, False))
        return rows[0][property] if rows else super().get(name, property)

    def exists(self, name: str) -> bool:
        there = None if "@" in name else self._told(lambda zfs: _is_there(zfs, name), ("SUCCESS", "NOENT"))
        return super().exists(name) if there is None else there

    def local(self, *names: str) -> dict[str, dict[str, str]]:
        found = self._told(lambda zfs: _local(zfs, names))
        return super().local(*names) if found is None else found

    def pools(self) -> Rows:
        rows = self._told(_pools)
        return super().pools() if rows is None else rows

    def _told(self, ask: Callable[[ZFS], T | None], fine: Collection[str] = ("SUCCESS",)) -> T | None:
        """What the library tells; None where it is not there, not yet of use, or has not told all."""
        if self._patience > 0:
            self._patience -= 1
            return None
        try:
            import libzfs
        except ImportError:
            self._patience = sys.maxsize
            return None
        # Without ZFS py-libzfs does not fail: it goes on, and this process ends in a segmentation fault.
        if not os.access(DEVICE, os.R_OK | os.W_OK):
            return None
        lost: builtins.list[BaseException | None] = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda told: lost.append(told.exc_value)
        try:
            zfs = libzfs.ZFS(history=False)
            told = ask(zfs)
            whole = zfs.errno.name in fine
        except Exception:
            return None
        finally:
            sys.unraisablehook = hook
        for error in lost:
            # A signal's.
            if error is not None and not isinstance(error, Exception):
                raise error
        return told if whole and not lost else None


def _are_known(columns: Iterable[str]) -> bool:
    return all(column in KNOWN or ":" in column for column in columns)


def _rows(
    zfs: ZFS, names: Sequence[str], columns: Sequence[str], kinds: Collection[str], far: bool, one_down: bool
) -> Rows | None:
    """Rows as `zfs list` has them, sorted like those; None where a name is not among them."""
    tops = list(names) or [pool.name for pool in zfs.pools]
    if one_down:
        tops = [name for top in tops for name in (top, *(child.name for child in zfs.get_dataset(top).children))]
    natives = [column for column in columns if ":" not in column]
    users = len(natives) < len(columns)
    seen = {
        dataset["name"]: dataset
        for top in zfs.datasets_serialized(natives or ["name"], users, tops, retrieve_children=far)
        for dataset in _with_all_below(top)
    }
    # One of another kind than is asked for may be named for what is below it alone.
    least = {*kinds, "filesystem"} if far or one_down else kinds
    if not all(name in seen and seen[name]["type"].lower() in least for name in names):
        return None
    found = [seen[name] for name in sorted(seen, key=str.encode) if seen[name]["type"].lower() in kinds]
    return [{column: _value(dataset, column) for column in columns} for dataset in found]


def _with_all_below(dataset: _Dataset) -> Iterator[_Dataset]:
    yield dataset
    for child in dataset.get("children", ()):
        yield from _with_all_below(child)


def _value(dataset: _Dataset, column: str) -> str:
    """A value as `zfs list -p` prints it; only a property of a user can be empty."""
    told = dataset["properties"].get(column)
    return "-" if told is None else told["rawvalue"] or ("" if ":" in column else "-")


def _is_there(zfs: ZFS, name: str) -> bool:
    try:
        zfs.get_dataset(name)
    except Exception:
        # py-libzfs takes every failure for absence; ZFS says in errno what it was.
        if zfs.errno.name != "NOENT":
            raise
        return False
    return True


def _local(zfs: ZFS, names: Sequence[str]) -> dict[str, dict[str, str]] | None:
    found = {
        dataset["name"]: {
            property: told["rawvalue"]
            for property, told in dataset["properties"].items()
            if told["source"] in ("LOCAL", "RECEIVED")
        }
        for dataset in zfs.datasets_serialized(datasets=names, retrieve_children=False)
    }
    return found if found.keys() == set(names) else None


def _pools(zfs: ZFS) -> Rows | None:
    """The pools, where all of them work: of one that does not, zpool(8) knows what is left to tell."""
    rows = [{column: pool.properties[name].rawvalue for column, name in POOL_PROPERTIES.items()} for pool in zfs.pools]
    return sorted(rows, key=lambda row: row["name"].encode()) if all(row["health"] in WORKING for row in rows) else None
