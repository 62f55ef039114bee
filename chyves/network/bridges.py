"""Bridges as properties of the host: what each is attached to, its taps, and which one new guests join."""

from __future__ import annotations

from collections.abc import Mapping

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import leftovers
from chyves.host.interfaces import Interface
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.change import change
from chyves.network.moves import Concern, is_named, joining, migration
from chyves.network.plan import PRIVATE, bridge_of, is_system, uplink_of, with_member, without_member
from chyves.pools import together
from chyves.pools.holdings import Holdings
from chyves.properties import Global


def refuse_system(holdings: Holdings, name: str) -> None:
    """Refuse to plan the network of a host whose administrator does so."""
    if is_system(holdings.globals):
        raise ChyvesError(
            f"{name}: network_design_mode is system: make the interfaces yourself and set net_ifaces, "
            "or have chyves do it: chyves global set network_design_mode=auto"
        )


def attach(host: Host, bridge: str, uplink: str) -> None:
    """Attach a bridge to an interface of the host, at once where the bridge exists; raises ChyvesError."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        refuse_system(holdings, bridge)
        existing = host.interfaces.all()
        if uplink not in existing:
            raise ChyvesError(f"{bridge}: {_missing(holdings.globals, uplink, existing)}")
        for number, other in holdings.globals.bridge_phy_attach.items():
            if other == uplink and f"bridge{number}" != bridge:
                raise ChyvesError(
                    f"{bridge}: {uplink} is attached to bridge{number}; free it: chyves network bridge{number} private"
                )
        _refuse_strange(bridge, uplink, existing)
        with Undo():
            _attach(holdings, bridge, uplink)
            host.events.note("network_changed", bridge=bridge, interface=uplink)
    host.terminal.say(1, f"{bridge}: attached to {uplink}")


def _missing(settings: Global, uplink: str, existing: Mapping[str, Interface]) -> str:
    """Why there is no such interface: vlans and cards are the administrator's."""
    base = settings.vlan_iface_base_name
    tag = uplink.removeprefix(base).lstrip("0")
    if uplink.startswith(base) and tag.isdecimal():
        make = f"ifconfig {uplink} create vlan {tag} vlandev INTERFACE"
        return f"this host has no interface {uplink}; make it: {make}, and in rc.conf(5) for the next start"
    cards = ", ".join(sorted(name for name in existing if names.is_uplink(name))) or "none"
    return f"this host has no interface {uplink} (there are: {cards}); name one of these"


def _refuse_strange(bridge: str, uplink: str, existing: Mapping[str, Interface]) -> None:
    """Refuse an interface that somebody has put on another bridge of the host."""
    for name, interface in existing.items():
        if uplink in interface.members and name != bridge:
            raise ChyvesError(
                f"{bridge}: {uplink} is a member of {name} on this host; free it: ifconfig {name} deletem {uplink}"
            )


def private(host: Host, bridge: str) -> None:
    """Leave a bridge without an interface of the host."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        refuse_system(holdings, bridge)
        with Undo():
            _attach(holdings, bridge, PRIVATE)
            host.events.note("network_changed", bridge=bridge)
    host.terminal.say(1, f"{bridge}: private")


def _attach(holdings: Holdings, bridge: str, uplink: str) -> None:
    """Write the new uplink down, and let the old one leave and the new one join a bridge that exists."""
    settings = holdings.globals
    changed = settings.with_changes({f"{bridge}_phy_attach": uplink})
    moving = {uplink_of(settings, bridge), uplink_of(changed, bridge)}
    change(holdings, changed, holdings.defaults, Concern(tuple(sorted(filter(None, moving))), (bridge,)))


def default(host: Host, bridge: str) -> None:
    """Make a bridge the one that new guests join."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        refuse_system(holdings, bridge)
        with Undo():
            together.write(holdings, [holdings.defaults], [holdings.defaults.with_changes({"bridge": bridge})])
            host.events.note("network_changed", bridge=bridge)
    host.terminal.say(1, f"{bridge}: new guests join it")


def join(host: Host, bridge: str, tap: str) -> None:
    """Put a tap on a bridge, off the one that it was on; at once where the tap exists."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        refuse_system(holdings, bridge)
        before = bridge_of(holdings.globals, tap)
        changed = holdings.globals if before == bridge else with_member(holdings.globals, bridge, tap)
        with Undo():
            change(holdings, changed, holdings.defaults, joining(holdings.globals, [tap], bridge))
            host.events.note("network_changed", bridge=bridge, interface=tap)
        owner = owners(holdings).get(tap)
        moved = f", and has left {before}" if before not in (None, bridge) else ""
        nobody = "" if owner else f"; no guest has it, give it to one: chyves network GUEST add {tap} {bridge}"
        host.terminal.say(1, f"{bridge}: {tap} is on it{moved}{nobody}")


def unjoin(host: Host, bridge: str, tap: str) -> None:
    """Take a tap off a bridge, and no other whose name begins like its; at once where the tap exists."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        refuse_system(holdings, bridge)
        on = bridge_of(holdings.globals, tap)
        if on != bridge:
            members = ", ".join(holdings.globals.bridge_tap_members.get(names.bridge_number(bridge) or 0, ())) or "none"
            where = f"it is on {on}" if on else f"{bridge} has: {members}"
            raise ChyvesError(f"{bridge}: {tap} is not on it ({where}); see: chyves list bridges")
        changed = without_member(holdings.globals, tap)
        with Undo():
            change(holdings, changed, holdings.defaults, joining(holdings.globals, [tap], bridge))
            host.events.note("network_changed", bridge=bridge, interface=tap)
    host.terminal.say(1, f"{bridge}: {tap} has left it")


def migrate(host: Host, bridge: str, target: str, yes: bool = False) -> None:
    """Move all that a bridge has to another one, after showing what moves and asking on a terminal.

    Taps join those that the target has; live interfaces follow at once. A script is not asked, as with 0.2.0.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        refuse_system(holdings, bridge)
        settings, mark = holdings.globals, holdings.defaults.bridge
        if bridge == target:
            raise ChyvesError(f"{bridge}: is the bridge that it would move to; name another one")
        if not is_named(settings, bridge) and mark != bridge:
            raise ChyvesError(f"{bridge}: has nothing that could move; see: chyves list bridges")
        planned = migration(settings, mark, bridge, target, owners(holdings))
        for line in planned.lines:
            host.terminal.say(1, line)
        if not host.dry and not host.terminal.confirm(f"{bridge}: migrate to {target}?", yes, scripts=True):
            return
        defaults = holdings.defaults
        if planned.default != mark:
            defaults = defaults.with_changes({"bridge": planned.default})
        with Undo():
            change(holdings, planned.settings, defaults, planned.concern)
            host.events.note("network_changed", bridge=bridge, new=target)
    host.terminal.say(1, f"{bridge}: migrated to {target}")


def owners(holdings: Holdings) -> dict[str, str]:
    """The guest of each interface that has one; of one that several guests share, any."""
    found = holdings.each_properties(holdings.host.terminal.warn)
    return {interface: name for name, guest in found.items() for interface in guest.net_ifaces}
