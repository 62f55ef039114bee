"""Copies of guests' datasets on the same or another pool: by zfs send and zfs receive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from chyves.cli.sizes import rounded
from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import PoolHolding


class Size(NamedTuple):
    """Bytes of a dataset: what it holds, what that is without compression, and what is reserved for it."""

    held: int
    sent: int
    reserved: int


def copy(
    undo: Undo,
    host: Host,
    pool: PoolHolding,
    places: Mapping[str, str],
    tag: str,
    kept: Mapping[str, Mapping[str, str]],
    sizes: Mapping[str, Size],
) -> None:
    """Copy datasets to a pool as they are in their snapshots called `tag`, parents first.

    `places` says where each is copied to, `kept` which ZFS properties it has there; a volume reserves as much as the
    one that it is a copy of, as `sizes` has it. The caller has room for them (`require_room`), and takes back what was
    made.
    """
    for dataset, target in places.items():
        size = sizes[dataset]
        reserved = {"refreservation": str(size.reserved)} if size.reserved else {}
        undo.do(partial(_copy, host, f"{dataset}@{tag}", target, {**kept.get(dataset, {}), **reserved}, size.sent))
        undo.do(partial(host.zfs.destroy, f"{target}@{tag}"))


def _copy(host: Host, snapshot: str, target: str, properties: Mapping[str, str], size: int) -> None:
    what = f"{snapshot.partition('@')[0].rpartition('/')[2]} to {target.partition('/')[0]}"
    with host.terminal.progress(size, what) as progress:
        host.zfs.copy(snapshot, target, properties, progress.advance)


def measured(host: Host, datasets: Iterable[str]) -> dict[str, Size]:
    """The sizes of datasets, by name."""
    columns = ("referenced", "logicalreferenced", "refreservation")
    rows = host.zfs.list(*datasets, properties=columns)
    return {row["name"]: Size(*(int(row[column]) for column in columns)) for row in rows}


def require_room(host: Host, new: Sequence[str], pool: PoolHolding, sizes: Iterable[Size]) -> None:
    """Raise ChyvesError where a pool has not the room for copies of datasets, for each of the new guests."""
    needed = len(new) * sum(max(size.held, size.reserved) for size in sizes)
    refuse_full(",".join(new), pool, needed, int(host.zfs.get(pool.guests_dataset, "available")))


def free(pool: PoolHolding) -> int:
    """The bytes that are free for guests on a pool that was asked for `available`; raises ChyvesError."""
    dataset = pool.guests_dataset
    if dataset not in pool.rows:
        raise ChyvesError(f"{dataset}: does not exist; make it with: zfs create {dataset}")
    return int(pool.rows[dataset]["available"])


def refuse_full(name: str, pool: PoolHolding, needed: int, free: int, advice: str = "choose another pool") -> None:
    """Raise ChyvesError where fewer bytes are free on a pool than are needed there."""
    if needed > free:
        raise ChyvesError(
            f"{name}: needs {rounded(needed)} on {pool.name}, where {rounded(free)} are free; "
            f"make room there, or {advice}"
        )
