"""Properties of a guest's network cards: a row for each kind of interface, by which the property begins."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from chyves import names
from chyves.section import Numbered, Property, Section
from chyves.values import NONE, Choice, Int, Mac, Match, Type
from chyves.vlans import FIRST, LAST, TaggedSet, Vlans

T = TypeVar("T")

NET_TYPES = ("virtio-net", "e1000")
SMALLEST_MTU, LARGEST_MTU = 576, 65535
"""Bytes of the largest packet, as if_bridge(4) takes it."""
SLIRP_MTU = 1500
"""libslirp's frames have at most 2,048 bytes in bhyve; what is asked for more than Ethernet's goes nowhere."""
HOME = ipaddress.IPv4Network("10.0.2.0/24")
"""The network behind slirp, which bhyve has built in, with its guest at 10.0.2.15."""
FIRST_GUEST, HERE = "10.0.2.15", "127.0.0.1"
HOOK = Match(r"[A-Za-z0-9_-]{1,31}", "name", "up to 31 letters, digits, dashes and underscores")
NODE = Match(
    r"(\[[0-9a-f]{1,8}\]|[A-Za-z0-9_-]{1,31}):([A-Za-z0-9_-]{1,31}(\.[A-Za-z0-9_-]{1,31})*)?",
    "node:[hook.hook]",
    "the address of a netgraph(4) node, such as br0: or em0:lower",
)


class Forward(NamedTuple):
    """Connections to a port of the host that go to a port of the guest."""

    protocol: str
    address: str
    port: int
    guest_address: str
    guest_port: int

    def __str__(self) -> str:
        return f"{self.protocol}:{self.address}:{self.port}-{self.guest_address}:{self.guest_port}"

    @property
    def here(self) -> str:
        """What of the host it takes, which no other can have."""
        return f"{self.protocol}:{self.address}:{self.port}"


class Forwards:
    """Forwarded ports, `tcp:2222-22`; addresses that are left out are 127.0.0.1 and 10.0.2.15."""

    metavar = "tcp|udp:[address:]port-[address:]port[,...]"
    _item = r"(tcp|udp):(?:([0-9.]+):)?([0-9]{1,5})-(?:([0-9.]+):)?([0-9]{1,5})"

    def parse(self, text: str) -> tuple[Forward, ...]:
        found = tuple(map(self._forward, text.split(",")))
        if len({forward.here for forward in found}) != len(found):
            raise ValueError("each port of the host once")
        return found

    def _forward(self, text: str) -> Forward:
        match = re.fullmatch(self._item, text)
        if not match:
            raise ValueError("forwards such as tcp:2222-22 or tcp:0.0.0.0:2222-10.0.2.15:22, with commas between them")
        here, there = match[2] or HERE, match[4] or FIRST_GUEST
        try:
            fits = str(ipaddress.IPv4Address(here)) == here and ipaddress.IPv4Address(there) in HOME
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f"IPv4 addresses: one of this host, or 0.0.0.0 for all, and one in {HOME} for the guest")
        port, guest_port = int(match[3]), int(match[5])
        if not (0 < port <= 65535 and 0 < guest_port <= 65535):
            raise ValueError("ports from 1 to 65535")
        return Forward(match[1], here, port, there, guest_port)

    def format(self, value: tuple[Forward, ...]) -> str:
        return ",".join(map(str, value))

    def words(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class PerPort(Generic[T]):
    """A value for each of a guest's ports of VALE switches, which have names: `vale0:1=e1000,valeprod=virtio-net`."""

    of: Type[T]

    @property
    def metavar(self) -> str:
        return f"vale{{s}}[:{{p}}]={self.of.metavar}[,...]"

    def parse(self, text: str) -> dict[str, T]:
        found: dict[str, T] = {}
        for item in () if text in NONE else text.split(","):
            port, _, value = item.partition("=")
            if not names.is_switch(port) or port in found:
                raise ValueError("each port of a VALE switch once, such as vale0:1=" + self.of.metavar)
            found[port] = self.of.parse(value)
        return found

    def format(self, value: dict[str, T]) -> str:
        return ",".join(f"{port}={self.of.format(each)}" for port, each in value.items())

    def words(self) -> tuple[str, ...]:
        return ()


def _per_port(type: Type[T], doc: str, example: str) -> Property[dict[str, T]]:
    """A row for all ports of VALE switches."""
    return Property(PerPort(type), "", doc, example=example, since="0.3.0", unset=True)


def _row(type: Type[T], doc: str, name: str, example: str, since: str = "0.3.0", unset: bool = True) -> Numbered[T]:
    """A row for each interface of a kind."""
    highest = names.HIGHEST_INTERFACE
    return Numbered(type, "", doc, highest=highest, name=name, example=example, since=since, unset=unset)


class Cards(Section):
    """The rows; what no row says of a card is as all cards of the guest have it (`bhyve_net_type`)."""

    netgraph_hook = _row(
        HOOK, "The hook of bhyve's own node, vmlink where it is not set.", "netgraph{n}_hook", "vmlink"
    )
    netgraph_mac = _row(
        Mac(), "The Ethernet address of netgraph{n}.", "netgraph{n}_mac", "58:9c:fc:00:00:02", unset=False
    )
    netgraph_mtu = _row(
        Int(SMALLEST_MTU, LARGEST_MTU),
        "The largest packet in bytes that netgraph{n} tells a guest of; for virtio-net.",
        "netgraph{n}_mtu",
        "9000",
    )
    netgraph_path = _row(NODE, "The netgraph(4) node that netgraph{n} is connected to.", "netgraph{n}_path", "br0:")
    netgraph_peerhook = _row(HOOK, "The hook of that node which is for netgraph{n}.", "netgraph{n}_peerhook", "link2")
    netgraph_socket = _row(HOOK, "What bhyve's own node is called.", "netgraph{n}_socket", "web1")
    netgraph_type = _row(Choice(NET_TYPES), "The device that netgraph{n} is.", "netgraph{n}_type", "e1000")
    slirp_forward = _row(
        Forwards(),
        "The ports of the host that lead to ports of the guest behind slirp{n}; nothing else comes through it. "
        "The guest has 10.0.2.15, by DHCP.",
        "slirp{n}_forward",
        "tcp:127.0.0.1:2222-10.0.2.15:22",
    )
    slirp_mac = _row(Mac(), "The Ethernet address of slirp{n}.", "slirp{n}_mac", "58:9c:fc:00:00:03", unset=False)
    slirp_mtu = _row(
        Int(SMALLEST_MTU, SLIRP_MTU),
        "The largest packet in bytes that slirp{n} tells a guest of; for virtio-net.",
        "slirp{n}_mtu",
        "1400",
    )
    slirp_type = _row(Choice(NET_TYPES), "The device that slirp{n} is.", "slirp{n}_type", "e1000")
    tap_mac = _row(
        Mac(), "The Ethernet address of tap{n}.", "tap{n}_mac", "58:9c:fc:00:00:01", since="0.1.0", unset=False
    )
    tap_mtu = _row(
        Int(SMALLEST_MTU, LARGEST_MTU),
        "The largest packet in bytes that tap{n} tells a guest of; for virtio-net. Its bridge must have as much.",
        "tap{n}_mtu",
        "9000",
    )
    tap_type = _row(Choice(NET_TYPES), "The device that tap{n} is.", "tap{n}_type", "e1000")
    tap_vlan = _row(
        Int(FIRST, LAST),
        "The VLAN of the frames without a tag that tap{n} sends and hears. Its bridge filters VLANs then, whose uplink "
        "has them with their tags; from FreeBSD 15.0 on.",
        "tap{n}_vlan",
        "10",
    )
    tap_vlans = _row(
        TaggedSet(), "The VLANs that tap{n} may use with their tags, besides tap{n}_vlan.", "tap{n}_vlans", "20,30-40"
    )
    vale_mac = _per_port(
        Mac(),
        "The Ethernet addresses of cards on VALE switches.",
        "vale0:1=58:9c:fc:00:00:04,valeprod=58:9c:fc:00:00:05",
    )
    vale_mtu = _per_port(
        Int(SMALLEST_MTU, LARGEST_MTU),
        "The largest packets in bytes that cards on VALE switches tell a guest of; for virtio-net.",
        "vale0:1=9000",
    )
    vale_type = _per_port(Choice(NET_TYPES), "The devices that cards on VALE switches are.", "vale0:1=e1000")


PER_PORT: dict[str, Property[Any]] = Cards.table


def addresses(guest: Cards) -> dict[str, str]:
    """The addresses of a guest's numbered cards by their properties, also of cards that it no longer has."""
    rows = {"netgraph": guest.netgraph_mac, "slirp": guest.slirp_mac, "tap": guest.tap_mac}
    return {f"{family}{number}_mac": mac for family, found in rows.items() for number, mac in found.items()}


def vlans(guest: Cards) -> dict[str, Vlans]:
    """The VLANs of those of a guest's taps that have some."""
    having = sorted({*guest.tap_vlan, *guest.tap_vlans})
    return {f"tap{it}": Vlans(guest.tap_vlan.get(it, 0), guest.tap_vlans.get(it, "")) for it in having}


def about(text: Iterable[str], interface: str) -> list[str]:
    """The properties of one interface among the names of properties."""
    return [name for name in text if name.startswith(f"{interface}_") and _is_of_card(name)]


def ports(guest: Cards, new_names: Mapping[str, str], addresses: Mapping[str, str]) -> dict[str, str | None]:
    """What becomes of the properties of ports of VALE switches: those of the old names that have new ones stay.

    `addresses` are new ones, by the new names.
    """
    changes: dict[str, str | None] = {}
    for name, row in PER_PORT.items():
        old: dict[str, Any] = row.parse("", guest.text.get(name, ""))
        new = {new_names[port]: value for port, value in old.items() if port in new_names}
        if name == "vale_mac":
            new |= addresses
        if new != old:
            changes[name] = row.type.format(new) if new else None
    return changes


def renamed(text: Mapping[str, str], new_names: Mapping[str, str]) -> dict[str, str | None]:
    """What becomes of a guest's properties when its interfaces are called otherwise; those of gone names go."""
    moved = {name: (old, new) for old, new in new_names.items() if old != new for name in about(text, old)}
    changes: dict[str, str | None] = dict.fromkeys(moved)
    return changes | {f"{new}{name.removeprefix(old)}": text[name] for name, (old, new) in moved.items()}


def owner_of(name: str) -> str | None:
    """The interface that a property is of, such as tap50 of tap50_mac; None for a property of something else."""
    return name.partition("_")[0] if _is_of_card(name) else None


def _is_of_card(name: str) -> bool:
    return any(row.number(name) is not None for row in Cards.numbered.values())


def of_interface(guest: Cards, what: str, interface: str) -> Any:
    """What a row of a kind (`mtu`) says of an interface, or None."""
    if names.is_switch(interface):
        ports: dict[str, Any] = getattr(guest, f"vale_{what}", {})
        return ports.get(interface)
    for family in names.CARDS:
        number = names.numbered(interface, family)
        if number is not None:
            found: dict[int, Any] = getattr(guest, f"{family}_{what}", {})
            return found.get(number)
    return None
