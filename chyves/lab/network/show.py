"""How ifconfig(8) shows interfaces."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, ip_interface

from chyves.lab.network import vlans
from chyves.lab.network.interface import Interface
from chyves.lab.network.interfaces import Interfaces

BITS = {
    "UP": 0x1,
    "BROADCAST": 0x2,
    "LOOPBACK": 0x8,
    "RUNNING": 0x40,
    "PROMISC": 0x100,
    "SIMPLEX": 0x800,
    "LINK0": 0x1000,
    "LINK1": 0x2000,
    "LINK2": 0x4000,
    "MULTICAST": 0x8000,
    "LOWER_UP": 0x1000000,
}
MEMBER_BITS = {
    "LEARNING": 0x1,
    "DISCOVER": 0x2,
    "STP": 0x4,
    "SPAN": 0x8,
    "STICKY": 0x10,
    "EDGE": 0x20,
    "AUTOEDGE": 0x40,
    "PTP": 0x80,
    "AUTOPTP": 0x100,
    "PRIVATE": 0x800,
}
MEMBER_FLAGS = ("LEARNING", "DISCOVER", "AUTOEDGE", "AUTOPTP")
NETLINK_SINCE = (14, 0)


def running(interface: Interface) -> bool:
    """Whether the driver can carry frames: a tap only while a process has it open."""
    return bool(interface.opened_by) if interface.family == "tap" else interface.up


def block(interface: Interface, all_of_them: Interfaces) -> str:
    """What `ifconfig IF` prints."""
    flags = ",".join(_flags(interface, all_of_them.number))
    bits = sum(BITS[flag] for flag in flags.split(",") if flag)
    head = f"{interface.name}: flags={bits:x}<{flags}> metric 0 mtu {interface.mtu}"
    return "\n".join([head, *(f"\t{line}" for line in _lines(interface, all_of_them))])


def _flags(interface: Interface, number: tuple[int, int]) -> Iterator[str]:
    kinds = {
        "UP": interface.up,
        "BROADCAST": interface.family != "loop",
        "LOOPBACK": interface.family == "loop",
        "RUNNING": running(interface),
        "PROMISC": interface.bridge is not None,
        "SIMPLEX": interface.family != "loop",
        "LINK0": "LINK0" in interface.flags,
        "LINK1": "LINK1" in interface.flags,
        "LINK2": "LINK2" in interface.flags,
        "MULTICAST": True,
        "LOWER_UP": running(interface) and number >= NETLINK_SINCE,
    }
    return (flag for flag, on in kinds.items() if on)


def _lines(interface: Interface, all_of_them: Interfaces) -> Iterator[str]:
    if interface.description:
        yield f"description: {interface.description}"
    if interface.family == "tap":
        yield "options=80000<LINKSTATE>"
    elif interface.family == "loop":
        yield "options=680003<RXCSUM,TXCSUM,LINKSTATE,RXCSUM_IPV6,TXCSUM_IPV6>"
    if interface.ether:
        yield f"ether {interface.ether}"
    yield from map(_address, interface.addresses)
    if interface.family == "bridge":
        yield from _bridge(interface, all_of_them)
    yield from _rest(interface)


def _rest(interface: Interface) -> Iterator[str]:
    if interface.groups:
        yield f"groups: {' '.join(interface.groups)}"
    if interface.family == "vlan":
        parent = interface.parent or "<none>"
        yield f"vlan: {interface.vlan} vlanproto: 802.1q vlanpcp: 0 parent interface: {parent}"
    if interface.family not in ("bridge", "loop"):
        yield "media: Ethernet 1000baseT <full-duplex>"
        yield f"status: {'active' if running(interface) else 'no carrier'}"
    if interface.family == "loop":
        yield "nd6 options=21<PERFORMNUD,AUTO_LINKLOCAL>"
    elif interface.family == "bridge":
        yield "nd6 options=9<PERFORMNUD,IFDISABLED>"
    else:
        yield "nd6 options=29<PERFORMNUD,IFDISABLED,AUTO_LINKLOCAL>"
    if interface.opened_by:
        yield f"Opened by PID {interface.opened_by}"


def _bridge(bridge: Interface, all_of_them: Interfaces) -> Iterator[str]:
    told = {"priority": "32768", "maxaddr": "2000", "timeout": "1200", **bridge.settings}
    yield f"id 00:00:00:00:00:00 priority {told['priority']} hellotime 2 fwddelay 15"
    yield f"maxage 20 holdcnt 6 proto rstp maxaddr {told['maxaddr']} timeout {told['timeout']}"
    yield f"root id 00:00:00:00:00:00 priority {told['priority']} ifcost 0 port 0"
    if vlans.known(all_of_them):
        yield vlans.of_bridge(bridge)
    for member in all_of_them.members(bridge.name):
        flags = ["SPAN"] if "SPAN" in member.member_flags else [*MEMBER_FLAGS, *member.member_flags]
        bits = sum(MEMBER_BITS[flag] for flag in flags)
        yield f"member: {member.name} flags={bits:x}<{','.join(sorted(flags, key=MEMBER_BITS.__getitem__))}>"
        port = f"port {member.number} priority 128 path cost 2000000"
        # From 15.0 on, only a limit that is set is shown.
        new = vlans.known(all_of_them)
        yield " ".join(("       ", port, *vlans.of_member(member)) if new else ("        ifmaxaddr 0", port))


def _address(text: str) -> str:
    family, _, value = text.partition(" ")
    address = ip_interface(value)
    if isinstance(address, IPv4Interface):
        line = f"{family} {address.ip} netmask 0x{int(address.netmask):08x}"
        return line if address.ip.is_loopback else f"{line} broadcast {address.network.broadcast_address}"
    return f"{family} {address.ip} prefixlen {address.network.prefixlen}"
