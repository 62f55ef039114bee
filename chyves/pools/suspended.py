"""Pools that are suspended are not changed: what writes there waits in the kernel, and nothing ends it."""

from __future__ import annotations

from collections.abc import Collection

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.suspension import SUSPENDED, advice


def refuse(host: Host, pools: Collection[str]) -> None:
    """Raise ChyvesError where one of these pools is suspended; asks zpool(8), which answers also then."""
    for row in host.zfs.pools():
        if row["health"] == SUSPENDED and row["name"] in pools:
            raise ChyvesError(f"{row['name']}: {advice(row['name'])}")
