"""The tables of bridges and of taps: what the properties say, and what exists."""

from __future__ import annotations

from collections.abc import Mapping

from chyves import names
from chyves.cli.tables import Column, Row, Table, Value
from chyves.guests import running
from chyves.host.interfaces import Interface
from chyves.host.machine import Host
from chyves.network.bridges import owners
from chyves.network.plan import bridge_of
from chyves.network.steps import GROUP
from chyves.pools.holdings import Holdings

ABSENT = "absent"
BRIDGES = (
    Column("bridge", "Bridge"),
    Column("uplink", "Attached to"),
    Column("default", "Default"),
    Column("state", "State"),
    Column("mtu", "MTU", right=True),
    Column("members", "Taps"),
    Column("guests", "Guests"),
)
TAPS = (
    Column("tap", "Tap"),
    Column("state", "State"),
    Column("guest", "Guest"),
    Column("bridge", "Bridge"),
    Column("pid", "Opened by", right=True),
)


def bridges(host: Host) -> Table:
    """Every bridge that the properties name, and what exists of it; its taps, and beside them their guests."""
    holdings = Holdings.read(host)
    settings, default = holdings.globals, holdings.defaults.bridge
    numbers = {*settings.bridge_phy_attach, *settings.bridge_tap_members, int(default.removeprefix("bridge"))}
    existing, guests = host.interfaces.all(), owners(holdings)
    rows = []
    for number in sorted(numbers):
        name, members = f"bridge{number}", settings.bridge_tap_members.get(number, ())
        there = existing.get(name)
        values: dict[str, Value] = {
            "bridge": name,
            "uplink": settings.bridge_phy_attach.get(number),
            "default": name == default,
            "state": _state(there),
            "mtu": there.mtu if there else None,
            "members": list(members),
            "guests": [guests.get(tap) for tap in members],
        }
        rows.append(Row(values, {"default": "default" if name == default else "-"}))
    return Table("bridges", BRIDGES, tuple(rows))


def _state(interface: Interface | None) -> str:
    if interface is None:
        return ABSENT
    return "up" if interface.up else "down"


def taps(host: Host, which: str | None = None) -> Table:
    """The taps of guests and bridges, and every other that exists; with `active` only those that exist.

    One that chyves made and whose guest does not run is left over: the guest's next start takes it, and reclaim
    destroys it.
    """
    holdings = Holdings.read(host)
    settings, existing, guests = holdings.globals, host.interfaces.all(), owners(holdings)
    on = {member: name for name, interface in existing.items() for member in interface.members}
    listed = (tap for members in settings.bridge_tap_members.values() for tap in members)
    known = {tap: names.numbered(tap, "tap") for tap in (*existing, *guests, *listed)}
    rows = []
    for tap in sorted((tap for tap, number in known.items() if number is not None), key=lambda tap: known[tap] or 0):
        there = existing.get(tap)
        if there is None and which == "active":
            continue
        values: Mapping[str, Value] = {
            "tap": tap,
            "state": _tap_state(host, there, guests.get(tap)),
            "guest": guests.get(tap),
            "bridge": on.get(tap) if there else bridge_of(settings, tap),
            "pid": there.opened_by if there else None,
        }
        rows.append(Row(values))
    return Table("taps", TAPS, tuple(rows))


def _tap_state(host: Host, tap: Interface | None, guest: str | None) -> str:
    if tap is None or tap.opened_by is not None:
        return "open" if tap else ABSENT
    runs = guest is not None and running.supervisor(host, guest) is not None
    return _state(tap) if runs or GROUP not in tap.groups else "left over"
