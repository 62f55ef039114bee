"""Showing the pools that have datasets of chyves."""

from __future__ import annotations

from chyves.cli.sizes import rounded
from chyves.cli.tables import Column, Row, Table, Value
from chyves.host.machine import Host
from chyves.pools import newer
from chyves.pools.holdings import Holdings, PoolHolding

COLUMNS = (
    Column("name", "Pool"),
    Column("role", "Role"),
    Column("version", "Version"),
    Column("size", "Size", right=True),
    Column("free", "Free", right=True),
    Column("health", "Health"),
    Column("guests", "Guests", right=True),
)


def pools(host: Host) -> Table:
    """The pools that have datasets of chyves, with what ZFS says of them; also those that are offline."""
    holdings = Holdings.read(host)
    newer.warn(holdings, ())
    states = {row["name"]: row for row in host.zfs.pools()}
    found = [(pool, pool.properties.dataset_role) for pool in holdings.pools.values()]
    found += [(pool, "offline") for pool in holdings.offline.values()]
    rows = (_row(pool, role, states[pool.name]) for pool, role in sorted(found, key=lambda pair: pair[0].dataset))
    return Table("pools", COLUMNS, tuple(rows))


def _row(pool: PoolHolding, role: str, state: dict[str, str]) -> Row:
    size, free = int(state["size"]), int(state["free"])
    values: dict[str, Value] = {
        "name": pool.name,
        "role": role,
        "version": pool.properties.dataset_version,
        "size": size,
        "free": free,
        "health": state["health"],
        "guests": len(pool.guests),
    }
    return Row(values, shown={"size": rounded(size), "free": rounded(free)})
