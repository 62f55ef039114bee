"""Datasets as rows: what there is, found by name, by place in the tree and by origin."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

from chyves.lab.zfs import names
from chyves.lab.zfs.refusals import Refused, cannot, missing
from chyves.lab.zfs.state import State

FILESYSTEM, VOLUME, SNAPSHOT, BOOKMARK = "filesystem", "volume", "snapshot", "bookmark"
HEADS = (FILESYSTEM, VOLUME)
DATASETS = (FILESYSTEM, VOLUME, SNAPSHOT)


class Dataset(NamedTuple):
    """A file system, volume, snapshot or bookmark; `head` says of which kind the dataset is that a snapshot is of."""

    id: int
    name: str
    kind: str
    head: str
    guid: int
    txg: int
    creation: int
    origin: int | None
    volsize: int | None
    volblocksize: int | None
    place: str | None
    referenced: int
    logical: int
    deferred: int


_SELECT = f"SELECT {', '.join(Dataset._fields)} FROM dataset "


def select(state: State, where: str, values: Sequence[object] = ()) -> list[Dataset]:
    """The datasets for which an SQL condition holds."""
    return [Dataset._make(row) for row in state.db.execute(_SELECT + where, values)]


def find(state: State, name: str) -> Dataset | None:
    """The dataset of this name."""
    found = select(state, "WHERE name = ?", (name,))
    return found[0] if found else None


def by_id(state: State, number: int) -> Dataset:
    """The dataset of this number, which must exist."""
    return select(state, "WHERE id = ?", (number,))[0]


def require(state: State, name: str, kinds: Collection[str]) -> Dataset:
    """The dataset of this name and one of these kinds; raises Refused in the words of zfs(8)."""
    wrong = names.fault(name, kinds)
    if wrong:
        raise cannot("open", name, wrong)
    found = find(state, name)
    if not found:
        raise missing(name)
    if found.kind not in kinds:
        raise cannot("open", name, "operation not applicable to datasets of this type")
    return found


def below(state: State, name: str) -> list[Dataset]:
    """Everything inside a dataset, without itself: children, their snapshots and bookmarks and its own, by name."""
    return select(
        state,
        "WHERE (name >= ? AND name < ?) OR (name >= ? AND name < ?) OR (name >= ? AND name < ?) ORDER BY name",
        (f"{name}/", f"{name}0", f"{name}@", f"{name}A", f"{name}#", f"{name}$"),
    )


def heads_below(state: State, name: str) -> list[Dataset]:
    """The file systems and volumes inside a file system, by name."""
    return select(
        state,
        "WHERE name >= ? AND name < ? AND kind IN ('filesystem', 'volume') ORDER BY name",
        (f"{name}/", f"{name}0"),
    )


def children(state: State, name: str) -> list[Dataset]:
    """The file systems and volumes directly inside a file system, by name."""
    depth = name.count("/") + 1
    return [one for one in heads_below(state, name) if one.name.count("/") == depth]


def snapshots(state: State, name: str) -> list[Dataset]:
    """The snapshots of one dataset, oldest first."""
    return select(state, "WHERE name >= ? AND name < ? ORDER BY txg, id", (f"{name}@", f"{name}A"))


def bookmarks(state: State, name: str) -> list[Dataset]:
    """The bookmarks of one dataset, oldest first."""
    return select(state, "WHERE name >= ? AND name < ? ORDER BY txg, id", (f"{name}#", f"{name}$"))


def clones(state: State, snapshot: int) -> list[Dataset]:
    """What was cloned from a snapshot, by name."""
    return select(state, "WHERE origin = ? ORDER BY name", (snapshot,))


def held(state: State, snapshot: int) -> int:
    """How many holds keep a snapshot."""
    count: int = state.db.execute("SELECT count(*) FROM hold WHERE snapshot = ?", (snapshot,)).fetchone()[0]
    return count


def add(state: State, name: str, kind: str, head: str, **columns: int | str | None) -> Dataset:
    """A new row with guid, createtxg and time of its own."""
    columns.setdefault("guid", int.from_bytes(os.urandom(8), "big") >> 1 or 1)
    columns.setdefault("txg", next_txg(state, names.pool(name)))
    columns.setdefault("creation", int(time.time()))
    keys = ["name", "kind", "head", *columns]
    state.db.execute(
        f"INSERT INTO dataset ({', '.join(keys)}) VALUES ({', '.join('?' * len(keys))})",
        (name, kind, head, *columns.values()),
    )
    added = find(state, name)
    if not added:
        raise Refused(f"internal error: '{name}' was not recorded")
    return added


def drop(state: State, dataset: Dataset) -> None:
    """Forget a dataset with its properties and holds."""
    state.db.execute("DELETE FROM dataset WHERE id = ?", (dataset.id,))
    state.db.execute("DELETE FROM property WHERE dataset = ?", (dataset.id,))
    state.db.execute("DELETE FROM received WHERE dataset = ?", (dataset.id,))
    state.db.execute("DELETE FROM partial WHERE dataset = ?", (dataset.id,))
    state.db.execute("DELETE FROM hold WHERE snapshot = ?", (dataset.id,))


def next_txg(state: State, pool: str) -> int:
    """Count a pool's transaction group up, and say where it is."""
    state.db.execute("UPDATE pool SET txg = txg + 1 WHERE name = ?", (pool,))
    row = state.db.execute("SELECT txg FROM pool WHERE name = ?", (pool,)).fetchone()
    return int(row[0]) if row else 1


def data(state: State, dataset: Dataset) -> str:
    """Where a dataset's data are now."""
    return dataset.place or state.stored(dataset.id)
