"""The network interfaces of guests: which taps and VALE ports they have, and on which bridges."""

from __future__ import annotations

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import leftovers, prepare, running
from chyves.guests.unique import Unique
from chyves.host.machine import Host
from chyves.network.plan import bridge_of, with_member, without_member
from chyves.pools import together
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Global


def add(host: Host, guest: str, interface: str, bridge: str | None = None) -> None:
    """Give a guest the next free tap (`tap`), a tap by its name, or a port of a VALE switch."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        unique = Unique.read(holdings)
        name = unique.tap() if interface == "tap" else names.guest_interface(interface)
        _refuse_taken(host, holdings, name)
        changes: dict[str, str | None] = {"net_ifaces": ",".join((*holding.properties.net_ifaces, name))}
        settings = holdings.globals
        if name.startswith("tap"):
            changes[f"{name}_mac"] = holding.properties.text.get(f"{name}_mac") or unique.mac()
            settings = with_member(settings, bridge or holdings.defaults.bridge, name)
        elif bridge is not None:
            raise ChyvesError(f"{guest}: {name}: a port of a VALE switch is on no bridge; leave {bridge} out")
        _write(holdings, holding, changes, settings)
        where = bridge_of(settings, name)
        host.terminal.say(1, f"{guest}: {name} added" + (f" on {where}" if where else "") + _later(host, guest))


def remove(host: Host, guest: str, interface: str) -> None:
    """Take an interface from a guest and off its bridge."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        mine = holding.properties.net_ifaces
        if interface not in mine:
            raise ChyvesError(f"{guest}: {interface}: the guest does not have it (it has: {', '.join(mine) or 'none'})")
        rest = ",".join(name for name in mine if name != interface) or "-"
        changes = {"net_ifaces": rest, f"{interface}_mac": None}
        _write(holdings, holding, changes, without_member(holdings.globals, interface))
        host.terminal.say(1, f"{guest}: {interface} removed" + _later(host, guest))


def _later(host: Host, guest: str) -> str:
    return "; this takes effect at its next start" if running.supervisor(host, guest) is not None else ""


def _refuse_taken(host: Host, holdings: Holdings, name: str) -> None:
    for other, properties in holdings.each_properties(host.terminal.warn).items():
        if name in properties.net_ifaces:
            raise ChyvesError(f"{name}: belongs to {other}; take it away first: chyves network {other} remove {name}")


def _write(holdings: Holdings, holding: GuestHolding, changes: dict[str, str | None], settings: Global) -> None:
    """Write the guest and the bridges' lists, both or neither, with the places of the other devices kept."""
    before = holding.properties
    holding.properties = prepare.placed(holdings, holding).with_changes(changes)
    together.write(holdings, [before, holdings.globals], [prepare.placed(holdings, holding), settings])
