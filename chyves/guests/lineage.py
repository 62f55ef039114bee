"""What was cloned from what: read from the origins of datasets."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from chyves.cli.tables import Column, Row, Table
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding, Holdings, PoolHolding


@dataclass(frozen=True)
class Origin:
    """What one dataset was cloned from: a snapshot, by its whole name, and the guest that has it (empty: none has)."""

    dataset: str
    snapshot: str
    guest: str

    @property
    def shown(self) -> str:
        """The snapshot as users write it: that of a guest without its dataset."""
        return f"@{self.snapshot.partition('@')[2]}" if self.guest else self.snapshot


def origins(holding: GuestHolding) -> Iterator[Origin]:
    """The snapshots of others that a guest's datasets hang on, that of its first dataset first."""
    own = (f"{holding.dataset}/", f"{holding.dataset}@")
    for name, row in holding.rows.items():
        snapshot = row.get("origin", "-")
        if snapshot != "-" and not snapshot.startswith(own):
            yield Origin(name, snapshot, owner(holding.pool, snapshot))


def owner(pool: PoolHolding, name: str) -> str:
    """The guest whose dataset or snapshot this is, or empty."""
    below = f"{pool.guests_dataset}/"
    return name.removeprefix(below).partition("/")[0].partition("@")[0] if name.startswith(below) else ""


def parent(holding: GuestHolding) -> Origin | None:
    """What a guest was cloned from: another guest, else another dataset; None for one that is no clone."""
    found = list(origins(holding))
    return next((origin for origin in found if origin.guest), found[0] if found else None)


def clones(holdings: Holdings) -> dict[str, list[str]]:
    """The guests that were cloned from each guest that has such, by name."""
    found: dict[str, list[str]] = {}
    for name, holding in holdings.guests.items():
        for of in dict.fromkeys(origin.guest for origin in origins(holding) if origin.guest):
            found.setdefault(of, []).append(name)
    return found


def cloned(holdings: Holdings) -> dict[str, list[str]]:
    """The datasets that were cloned from each dataset that has clones."""
    found: dict[str, list[str]] = {}
    for pool in holdings.pools.values():
        for dataset, row in pool.rows.items():
            if row["origin"] != "-":
                found.setdefault(row["origin"].partition("@")[0], []).append(dataset)
    return found


def with_clones(holdings: Holdings, wanted: Iterable[GuestHolding]) -> list[GuestHolding]:
    """The guests and all that was cloned from them, clones before what they hang on."""
    children = clones(holdings)
    order: dict[str, GuestHolding] = {}
    seen: set[str] = set()
    waiting = [(holding, False) for holding in reversed(list(wanted))]
    while waiting:
        holding, ready = waiting.pop()
        if ready:
            order[holding.name] = holding
        elif holding.name not in seen:
            seen.add(holding.name)
            waiting.append((holding, True))
            waiting += [(holdings.guests[name], False) for name in reversed(children.get(holding.name, []))]
    return list(order.values())


COLUMNS = (
    Column("guest", "Guest"),
    Column("parent", "Cloned from"),
    Column("snapshot", "Snapshot"),
    Column("pool", "Pool"),
)


def tree(host: Host) -> Table:
    """The guests that are clones or have some, each below what it was cloned from."""
    holdings = Holdings.read(host)
    children = clones(holdings)
    parents = {name: parent(holding) for name, holding in holdings.guests.items()}
    related = [name for name, origin in parents.items() if origin or name in children]
    tops = [name for name in related if not _is_clone_of_any(parents[name], parents)]
    found: dict[str, Row] = {}
    waiting = [(name, 0) for name in reversed((*tops, *related))]
    while waiting:
        name, depth = waiting.pop()
        if name not in found:
            found[name] = _row(holdings.guests[name], parents[name], depth)
            mine = [child for child in children.get(name, []) if _is_clone_of_any(parents[child], (name,))]
            waiting += [(child, depth + 1) for child in reversed(mine)]
    return Table("clones", COLUMNS, tuple(found.values()))


def _is_clone_of_any(origin: Origin | None, names: Container[str]) -> bool:
    return origin is not None and origin.guest in names


def _row(holding: GuestHolding, origin: Origin | None, depth: int) -> Row:
    values = {
        "guest": holding.name,
        "parent": origin.guest or None if origin else None,
        "snapshot": origin.shown if origin else None,
        "pool": holding.pool.name,
    }
    return Row(values, depth=depth)
