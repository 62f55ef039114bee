"""Pools that are suspended are not changed: what writes there waits in the kernel, and nothing ends it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.suspension import SUSPENDED, advice


def refuse(host: Host, pools: Collection[str]) -> None:
    """Raise ChyvesError where one of these pools is suspended; asks zpool(8), which answers also then."""
    for row in host.zfs.pools():
        if row["health"] == SUSPENDED and row["name"] in pools:
            raise ChyvesError(f"{row['name']}: {advice(row['name'])}")


def absent(host: Host, what: str, otherwise: str) -> ChyvesError:
    """The error for what is not found: a suspended pool may have it, of which zfs(8) lists nothing, with status 0."""
    with suppress(ChyvesError):
        for row in host.zfs.pools():
            if row["health"] == SUSPENDED:
                pool = row["name"]
                return ChyvesError(f"{what}: cannot be looked for everywhere: the pool {pool} {advice(pool)}")
    return ChyvesError(otherwise)
