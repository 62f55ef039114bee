"""Showing the pools that have datasets of chyves."""

from __future__ import annotations

from collections import Counter

from chyves.cli.sizes import rounded
from chyves.cli.tables import Column, Row, Table, Value
from chyves.host.machine import Host
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
    """The pools that have datasets of chyves, with what ZFS says of them."""
    holdings = Holdings.read(host)
    states = {row["name"]: row for row in host.zfs.pools()}
    guests = Counter(guest.pool.name for guest in holdings.guests.values())
    rows = (_row(pool, states[name], guests[name]) for name, pool in sorted(holdings.pools.items()))
    return Table("pools", COLUMNS, tuple(rows))


def _row(pool: PoolHolding, state: dict[str, str], guests: int) -> Row:
    size, free = int(state["size"]), int(state["free"])
    values: dict[str, Value] = {
        "name": pool.name,
        "role": pool.properties.dataset_role,
        "version": pool.properties.dataset_version,
        "size": size,
        "free": free,
        "health": state["health"],
        "guests": guests,
    }
    return Row(values, shown={"size": rounded(size), "free": rounded(free)})
