"""A guest's network cards: the device that each is, what it is connected to, and what it must not be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from chyves import names, nics
from chyves.bhyve.facts import Facts
from chyves.errors import ChyvesError
from chyves.properties import Guest

SWITCH_PORT_LENGTH = 15
"""Characters of a VALE switch and its port (freebsd.md 1.6: fewer than 16)."""
SINCE = {"netgraph": (1300000, "13.0"), "slirp": (1500000, "15.0")}
"""kern.osreldate from which bhyve has a kind of interface, which no list of its own tells, and its release."""
VLANS_SINCE = 1500057
"""kern.osreldate from which bridges filter VLANs; where there is a bridge, its plan looks at that."""
MTU_SINCE = 1300000
"""kern.osreldate from which every bhyve tells a guest of the largest packet."""


def card(guest: Guest, interface: str, name: str) -> tuple[str, str]:
    """The device that an interface is in a guest of a name, and what bhyve is told of it."""
    if names.numbered(interface, "tap") is not None:
        backend = [interface]
    elif names.is_card(interface):
        backend = [_family(interface), *_options(guest, interface)]
    else:
        backend = [_switch_port(interface, name)]
    mac = nics.of_interface(guest, "mac", interface) or guest.vale_macs.get(interface)
    mtu = nics.of_interface(guest, "mtu", interface)
    told = [f"{what}={value}" for what, value in (("mac", mac), ("mtu", mtu)) if value]
    return _type(guest, interface), ",".join([*backend, *told])


def _family(interface: str) -> str:
    return interface.rstrip("0123456789")


def _type(guest: Guest, interface: str) -> str:
    return nics.of_interface(guest, "type", interface) or guest.bhyve_net_type


def _options(guest: Guest, interface: str) -> Iterator[str]:
    """What a kind of interface is told besides: the hooks of netgraph, the ports that slirp forwards."""
    if forwards := nics.of_interface(guest, "forward", interface):
        yield "hostfwd=" + ";".join(map(str, forwards))
    for what in ("path", "peerhook", "socket", "hook"):
        if value := nics.of_interface(guest, what, interface):
            yield f"{what}={value}"


def _switch_port(interface: str, guest_name: str) -> str:
    """A VALE switch with a port: bhyve wants one, and where the user named none, one of the guest's own."""
    if ":" in interface:
        return interface
    port = hashlib.sha256(f"{guest_name} {interface}".encode()).hexdigest()
    return f"{interface}:{port}"[:SWITCH_PORT_LENGTH]


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for the first card that bhyve of this host would not have, or would have otherwise."""
    for interface in guest.net_ifaces:
        _refuse(facts, interface, _lacking(guest, facts, interface))
        if nics.of_interface(guest, "mtu", interface):
            _refuse(facts, f"{interface}_mtu", _no_mtu(guest, facts, interface))
        if interface in nics.vlans(guest) and facts.host.release < VLANS_SINCE:
            _refuse(
                facts,
                f"{interface}_vlan" if nics.of_interface(guest, "vlan", interface) else f"{interface}_vlans",
                "bridges filter VLANs since FreeBSD 15.0; unset it, and attach the bridge to a vlan(4) instead",
            )


def _refuse(facts: Facts, name: str, reason: str | None) -> None:
    if reason:
        raise ChyvesError(f"{facts.name}: {name}: {reason}")


def _lacking(guest: Guest, facts: Facts, interface: str) -> str | None:
    family = _family(interface)
    since, release = SINCE.get(family, (0, ""))
    if facts.host.release < since:
        return f"bhyve connects guests to {family} since FreeBSD {release}; give the guest a tap instead"
    if family == "slirp" and not facts.host.libslirp:
        return "bhyve needs libslirp for it, which this host does not have; install it: pkg install libslirp"
    missing = [what for what in ("path", "peerhook") if nics.of_interface(guest, what, interface) is None]
    if family == "netgraph" and missing:
        examples = {"path": "br0:", "peerhook": "link2"}
        left = " and ".join(f"{interface}_{what}" for what in missing)
        sets = " ".join(f"{interface}_{what}={examples[what]}" for what in missing)
        return f"is connected to nothing, as {left} {'is' if len(missing) == 1 else 'are'} not set; set, such as {sets}"
    return None


def _no_mtu(guest: Guest, facts: Facts, interface: str) -> str | None:
    kind = _type(guest, interface)
    if kind != "virtio-net":
        return f"{kind} cannot tell the guest of it; unset it and set it in the guest, or use virtio-net"
    if facts.host.release < MTU_SINCE:
        return "bhyve tells guests of it since FreeBSD 13.0; unset it, and set it in the guest"
    return None


def forwards(guest: Guest) -> Iterator[tuple[str, nics.Forward]]:
    """The ports of the host that lead to a guest while it runs, each with its property."""
    for number, found in sorted(guest.slirp_forward.items()):
        if f"slirp{number}" in guest.net_ifaces:
            yield from ((f"slirp{number}_forward", forward) for forward in found)
