"""Names of what this host has, for the shell's completion: found cheaply, and none where they cannot be."""

from __future__ import annotations

from collections.abc import Iterable

from chyves.errors import ChyvesError
from chyves.guests import groups, history
from chyves.host.machine import Host
from chyves.pools.holdings import NULL_ISO, Holdings
from chyves.properties import Guest


def names(kind: str, host: Host, guest: str) -> Iterable[str]:
    """What there is of a kind: all guests, isos, pools ..., and disks, snapshots and taps of one guest."""
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
            found = holdings.resources("iso" if kind == "isos" else kind)
            return [name for name in found if name != NULL_ISO]
        case "bridges":
            settings = holdings.globals
            return [f"bridge{number}" for number in {*settings.bridge_phy_attach, *settings.bridge_tap_members}]
        case "joined":
            return {tap for members in holdings.globals.bridge_tap_members.values() for tap in members}
    return _of_guest(holdings, kind, guest)


def _of_guest(holdings: Holdings, kind: str, guest: str) -> Iterable[str]:
    match kind:
        case "numbered" | "settable":
            return _numbered(holdings, guest, kind == "settable")
        case "disks":
            holding = holdings.guest(guest)
            return [*holding.volumes, *(str(path.relative_to(holding.mountpoint)) for path in holding.images())]
        case "snapshots":
            holding = holdings.guest(guest)
            return [snapshot.name for snapshot in history.read(holdings.host, [holding])[guest].snapshots]
        case "taps":
            return ["tap", *holdings.guest(guest).properties.net_ifaces]
    return ()


def _numbered(holdings: Holdings, owner: str, settable: bool) -> Iterable[str]:
    """Properties with a number that an owner has set; `settable` with those that its disks and taps can have."""
    section = holdings.globals if owner == "global" else holdings.guest(owner).properties
    found = dict.fromkeys(name for name in section.text if name not in section.table)
    if settable and isinstance(section, Guest):
        things = [*holdings.guest(owner).volumes, *section.net_ifaces]
        forms = [row.name for row in section.numbered.values() if "{n}" in row.name]
        found |= dict.fromkeys(_of(form, thing) for form in forms for thing in things)
    return filter(None, found)


def _of(form: str, thing: str) -> str:
    """The property of a disk or a tap by the form of its name (`disk{n}_notes`), or nothing where it is of another."""
    family = thing.rstrip("0123456789")
    return form.replace(f"{family}{{n}}", thing) if f"{family}{{n}}" in form else ""
