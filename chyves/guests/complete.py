"""Names of what this host has, for the shell's completion: found cheaply, and none where they cannot be."""

from __future__ import annotations

from collections.abc import Iterable

from chyves.errors import ChyvesError
from chyves.guests import groups
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings


def names(kind: str, host: Host, guest: str) -> Iterable[str]:
    """What there is of a kind: all guests, isos, pools ..., and disks and taps of one guest."""
    try:
        return list(_names(host, kind, guest))
    except (ChyvesError, OSError):
        return []


def _names(host: Host, kind: str, guest: str) -> Iterable[str]:
    if kind == "uplinks":
        return host.interfaces.all()
    if kind == "pools":
        return [row["name"] for row in host.zfs.pools()]
    holdings = Holdings.read(host)
    match kind:
        case "guests":
            return holdings.guests
        case "groups":
            return groups.members(holdings)
        case "isos" | "firmware":
            return holdings.resources("iso" if kind == "isos" else kind)
        case "bridges":
            settings = holdings.globals
            return [f"bridge{number}" for number in {*settings.bridge_phy_attach, *settings.bridge_tap_members}]
        case "joined":
            return {tap for members in holdings.globals.bridge_tap_members.values() for tap in members}
        case "disks":
            return holdings.guest(guest).volumes
        case "taps":
            return ["tap", *holdings.guest(guest).properties.net_ifaces]
    return ()
