"""Bridges as properties of the host: what each is attached to, and which one new guests join."""

from __future__ import annotations

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.network.plan import PRIVATE
from chyves.pools.holdings import Holdings, save


def attach(host: Host, bridge: str, uplink: str) -> None:
    """Attach a bridge to an interface of the host, at once where the bridge exists; raises ChyvesError."""
    with host.locks.hold("all"):
        holdings = Holdings.read(host)
        existing = host.interfaces.all()
        if uplink not in existing:
            cards = ", ".join(sorted(existing))
            raise ChyvesError(f"{bridge}: this host has no interface {uplink} (it has: {cards})")
        for number, other in holdings.globals.bridge_phy_attach.items():
            if other == uplink and f"bridge{number}" != bridge:
                raise ChyvesError(
                    f"{bridge}: {uplink} is attached to bridge{number}; free it: chyves network bridge{number} private"
                )
        _move(host, holdings, bridge, uplink)
    host.terminal.say(1, f"{bridge}: attached to {uplink}")


def private(host: Host, bridge: str) -> None:
    """Leave a bridge without an interface of the host."""
    with host.locks.hold("all"):
        _move(host, Holdings.read(host), bridge, PRIVATE)
    host.terminal.say(1, f"{bridge}: private")


def _move(host: Host, holdings: Holdings, bridge: str, uplink: str) -> None:
    """Write the new uplink down, and change the bridge if it exists."""
    name = f"{bridge}_phy_attach"
    before = holdings.globals.text.get(name)
    existing = host.interfaces.all()
    save(host, holdings.globals.with_changes({name: uplink}), holdings.globals_file)
    if bridge not in existing:
        return
    members = existing[bridge].members
    if before not in (None, "-", PRIVATE, uplink) and before in members:
        host.interfaces.leave(bridge, str(before))
    if uplink != PRIVATE and uplink not in members:
        host.interfaces.join(bridge, uplink)
        host.interfaces.up(uplink)


def default(host: Host, bridge: str) -> None:
    """Make a bridge the one that new guests join."""
    with host.locks.hold("all"):
        holdings = Holdings.read(host)
        save(host, holdings.defaults.with_changes({"bridge": bridge}), holdings.defaults_file)
    host.terminal.say(1, f"{bridge}: new guests join it")
