"""The network interfaces of guests: which taps and VALE ports they have, and on which bridges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import leftovers, prepare, running
from chyves.guests.unique import Unique
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.bridges import refuse_system
from chyves.network.plan import bridge_of, free_number, is_shared, taps, with_member, without_member
from chyves.nics import about, ports
from chyves.pools import together
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Global, Guest
from chyves.targets import Target


def add(host: Host, guest: Target, interface: str, bridge: str | None = None) -> None:
    """Give guests the next free tap each (`tap`), or an interface by its name: all of them, or none."""
    with _held(host, guest) as (holdings, wanted):
        unique, settings, owners = Unique.read(holdings), holdings.globals, _owners(holdings)
        added: dict[str, str] = {}
        new = []
        for holding in wanted:
            name = _next(holding, interface, unique)
            if name in added.values() and not is_shared(name):
                raise ChyvesError(f"{name}: can belong to one guest only; name one, or let each have its own")
            _refuse_taken(owners, holding.name, name)
            new.append(_given(holdings, holding, name, unique))
            settings = _joined(holdings, settings, holding.name, name, bridge)
            added[holding.name] = name
        with Undo():
            _write(holdings, new, settings)
            for owner, name in added.items():
                host.events.note("interface_added", owner, interface=name, bridge=bridge_of(settings, name))
        for owner, name in added.items():
            where = bridge_of(settings, name)
            place = f" on {where}" if where else _connected(owner, name)
            host.terminal.say(1, f"{owner}: {name} added{place}{_later(host, owner)}")


def remove(host: Host, guest: Target, interface: str) -> None:
    """Take an interface from guests and off its bridge; all of them have it, or none changes."""
    with _held(host, guest) as (holdings, wanted):
        new = [_bereft(holdings, holding, interface) for holding in wanted]
        with Undo():
            _write(holdings, new, without_member(holdings.globals, interface))
            for holding in wanted:
                host.events.note("interface_removed", holding.name, interface=interface)
        for holding in wanted:
            host.terminal.say(1, f"{holding.name}: {interface} removed" + _later(host, holding.name))


@contextmanager
def _held(host: Host, guest: Target) -> Iterator[tuple[Holdings, list[GuestHolding]]]:
    """The guests of the line, locked; refuses all where the administrator plans the network."""
    with ExitStack() as stack:
        stack.enter_context(host.locks.hold("all"))
        holdings = leftovers.settled(host)
        wanted = holdings.find(guest)
        stack.enter_context(host.locks.hold(*(f"guest.{holding.name}" for holding in wanted)))
        refuse_system(holdings, wanted[0].name)
        yield holdings, wanted


def _next(holding: GuestHolding, interface: str, unique: Unique) -> str:
    """The interface that a word of the line means for a guest: `tap` is the next on this host, `slirp` its next."""
    if interface == "tap":
        return unique.tap()
    if interface in names.CARDS:
        mine = (names.numbered(name, interface) for name in holding.properties.net_ifaces)
        return f"{interface}{free_number(0, [number for number in mine if number is not None])}"
    return names.guest_interface(interface)


def _connected(guest: str, name: str) -> str:
    """What is to be set before an interface is of use, and how."""
    command = f"chyves {guest} set"
    if names.numbered(name, "netgraph") is not None:
        return f"; say where it goes: {command} {name}_path=NODE: {name}_peerhook=HOOK"
    if names.numbered(name, "slirp") is not None:
        return f"; forward ports to it: {command} {name}_forward=tcp:2222-22"
    return ""


def _given(holdings: Holdings, holding: GuestHolding, name: str, unique: Unique) -> tuple[Guest, Guest]:
    """A guest's properties without and with a further interface."""
    before = holding.properties
    changes: dict[str, str | None] = {"net_ifaces": ",".join((*before.net_ifaces, name))}
    if names.is_card(name):
        changes[f"{name}_mac"] = before.text.get(f"{name}_mac") or unique.mac()
    elif name not in before.vale_mac:
        changes |= ports(before, {port: port for port in before.net_ifaces}, {name: unique.mac()})
    return before, _placed(holdings, holding, changes)


def _bereft(holdings: Holdings, holding: GuestHolding, interface: str) -> tuple[Guest, Guest]:
    """A guest's properties with and without an interface."""
    before = holding.properties
    mine = before.net_ifaces
    if interface not in mine:
        have = ", ".join(mine) or "none"
        raise ChyvesError(f"{holding.name}: {interface}: the guest does not have it (it has: {have})")
    left = [name for name in mine if name != interface]
    rest = ",".join(left) or "-"
    own = dict.fromkeys(about(before.text, interface)) | ports(before, {name: name for name in left}, {})
    return before, _placed(holdings, holding, {"net_ifaces": rest, **own})


def _placed(holdings: Holdings, holding: GuestHolding, changes: Mapping[str, str | None]) -> Guest:
    """A guest's properties with changes, and with the places of its other devices kept."""
    holding.properties = prepare.placed(holdings, holding).with_changes(changes)
    return prepare.placed(holdings, holding)


def _joined(holdings: Holdings, settings: Global, guest: str, name: str, bridge: str | None) -> Global:
    """The host's properties with a new tap on its bridge."""
    if taps([name]):
        return with_member(settings, bridge or holdings.defaults.bridge, name)
    if bridge is not None:
        kind = name.rstrip("0123456789") if names.is_card(name) else "a port of a VALE switch"
        raise ChyvesError(f"{guest}: {name}: {kind} is on no bridge; leave {bridge} out")
    return settings


def _owners(holdings: Holdings) -> dict[str, list[str]]:
    """The guests that have each interface."""
    found: dict[str, list[str]] = {}
    for owner, guest in holdings.each_properties(holdings.host.terminal.warn).items():
        for name in guest.net_ifaces:
            found.setdefault(name, []).append(owner)
    return found


def _refuse_taken(owners: Mapping[str, Sequence[str]], guest: str, name: str) -> None:
    """Refuse an interface that the guest has already, or that another has and cannot share."""
    for other in owners.get(name, ()):
        if other == guest or not is_shared(name):
            raise ChyvesError(f"{name}: belongs to {other}; take it away first: chyves network {other} remove {name}")


def _later(host: Host, guest: str) -> str:
    return "; this takes effect at its next start" if running.supervisor(host, guest) is not None else ""


def _write(holdings: Holdings, guests: Sequence[tuple[Guest, Guest]], settings: Global) -> None:
    """Write the guests and the bridges' lists: all of them, or none."""
    old, new = [before for before, _ in guests], [after for _, after in guests]
    together.write(holdings, [*old, holdings.globals], [*new, settings])
