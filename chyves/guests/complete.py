"""Names of what this host has, for the shell's completion: found cheaply, and none where they cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chyves.errors import ChyvesError
from chyves.host.machine import Host

if TYPE_CHECKING:
    from chyves.pools.holdings import Holdings

BELOW = ("chyves", "guests")
"""Where a pool has guests; what begins with a dot there is none."""


def names(kind: str, host: Host, guest: str) -> Iterable[str]:
    """What there is of a kind: all guests, isos, pools ..., and disks, snapshots and taps of one guest."""
    try:
        return list(_names(host, kind, guest))
    except (ChyvesError, OSError):
        return []


def _names(host: Host, kind: str, guest: str) -> Iterable[str]:
    match kind:
        case "uplinks":
            return host.interfaces.all()
        case "pools":
            return [row["name"] for row in host.zfs.pools()]
        case "guests":
            return _guests(host)
    from chyves.pools.holdings import Holdings

    return _held(Holdings.read(host), kind, guest)


def _guests(host: Host) -> Iterable[str]:
    """The guests of all pools: this is what is completed most, and ZFS is asked only where none is mounted as usual."""
    return list(_mounted(host)) or _listed(host)


def _mounted(host: Host) -> Iterator[str]:
    """The guests whose datasets are mounted below /chyves/POOL, where `dataset POOL install` puts them.

    What has no .config is only a place to mount at.
    """
    for pool in _within(host.path(f"/{BELOW[0]}")):
        below = f"{pool.path}/{BELOW[1]}"
        yield from (guest.name for guest in _within(below) if os.path.isdir(f"{guest.path}/.config"))


def _within(directory: str | Path) -> Iterator[os.DirEntry[str]]:
    """What a directory has, but for what is hidden; nothing where there is none."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as found:
        yield from (entry for entry in found if entry.name[0] != ".")


def _listed(host: Host) -> Iterable[str]:
    """The guests of all pools, wherever they are mounted, by one question for names alone."""
    rows = host.zfs.list(properties=("name",), types="filesystem", depth=len(BELOW) + 1)
    parts = [row["name"].split("/") for row in rows]
    return [part[3] for part in parts if tuple(part[1:3]) == BELOW and len(part) == 4 and part[3][0] != "."]


def _held(holdings: Holdings, kind: str, guest: str) -> Iterable[str]:
    from chyves.guests import groups
    from chyves.pools.holdings import NULL_ISO

    match kind:
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
            from chyves.guests import history

            holding = holdings.guest(guest)
            return [snapshot.name for snapshot in history.read(holdings.host, [holding])[guest].snapshots]
        case "taps":
            from chyves.names import CARDS

            return [*CARDS, *holdings.guest(guest).properties.net_ifaces]
    return ()


def _numbered(holdings: Holdings, owner: str, settable: bool) -> Iterable[str]:
    """Properties with a number that an owner has set; `settable` with those that its disks and taps can have."""
    from chyves.properties import Guest

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
