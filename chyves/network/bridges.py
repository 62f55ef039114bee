"""Bridges as properties of the host: what each is attached to, and which one new guests join."""

from __future__ import annotations

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import leftovers
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import PRIVATE
from chyves.pools import together
from chyves.pools.holdings import Holdings, save


def attach(host: Host, bridge: str, uplink: str) -> None:
    """Attach a bridge to an interface of the host, at once where the bridge exists; raises ChyvesError."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        existing = host.interfaces.all()
        if uplink not in existing:
            cards = ", ".join(sorted(name for name in existing if names.is_uplink(name))) or "none"
            raise ChyvesError(f"{bridge}: this host has no interface {uplink} (there are: {cards}); name one of these")
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
        _move(host, leftovers.settled(host), bridge, PRIVATE)
    host.terminal.say(1, f"{bridge}: private")


def _move(host: Host, holdings: Holdings, bridge: str, uplink: str) -> None:
    """Write the new uplink down, and change the bridge if it exists; killed in between, no bridge is on two networks.

    The old interface leaves before the new one is written down, and the new one joins after that: what is missing then
    joins when a guest starts.
    """
    name = f"{bridge}_phy_attach"
    settings = holdings.globals
    before = settings.text.get(name, PRIVATE)
    existing = host.interfaces.all()
    members = existing[bridge].members if bridge in existing else ()
    with Undo() as undo:
        if before not in ("-", PRIVATE, uplink) and before in members:
            undo.do(
                lambda: host.interfaces.leave(bridge, before),
                lambda: host.interfaces.join(bridge, before),
                f"join {bridge} {before}",
            )
        undo.do(
            lambda: together.write(holdings, [settings], [settings.with_changes({name: uplink})]),
            lambda: save(host, settings, holdings.globals_file),
            f"restore {name}",
        )
        if bridge in existing and uplink != PRIVATE and uplink not in members:
            undo.do(
                lambda: host.interfaces.join(bridge, uplink),
                lambda: host.interfaces.leave(bridge, uplink),
                f"leave {bridge} {uplink}",
            )
            undo.do(lambda: host.interfaces.up(uplink))


def default(host: Host, bridge: str) -> None:
    """Make a bridge the one that new guests join."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        together.write(holdings, [holdings.defaults], [holdings.defaults.with_changes({"bridge": bridge})])
    host.terminal.say(1, f"{bridge}: new guests join it")
