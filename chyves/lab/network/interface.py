"""A network interface of the lab, and the file in which all of them are kept."""

from __future__ import annotations

import json
import re
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab
from chyves.lab.releases import release

NAME_LENGTH = 15


@dataclass
class Interface:
    """One interface; `device` is the name that its driver gave it, which a renamed one keeps in /dev."""

    name: str
    device: str
    family: str
    number: int
    up: bool = False
    mtu: int = 1500
    ether: str = ""
    description: str | None = None
    groups: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    bridge: str | None = None
    member_flags: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    vlan: int = 0
    parent: str | None = None
    peer: str | None = None
    opener: int = 0
    opener_started: str = ""

    @property
    def cloned(self) -> bool:
        """Whether ifconfig made it, so that ifconfig can destroy it."""
        return self.family not in ("ether", "loop")

    @property
    def opened_by(self) -> int:
        """The process that holds the device of a tap open, or 0."""
        return self.opener if self.opener and started(self.opener) == self.opener_started else 0

    def opened(self, pid: int) -> None:
        """Note that a process holds the device."""
        self.opener, self.opener_started = pid, started(pid)

    def closed(self) -> None:
        """Note the last close of the device: a tap goes down and loses its addresses, unless link0 says otherwise."""
        self.opener, self.opener_started = 0, ""
        if "LINK0" not in self.flags and self.family == "tap":
            self.up, self.addresses = False, []


def started(pid: int) -> str:
    """When a living process was started, in the kernel's ticks; empty for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def new_ether(family: str) -> str:
    """A MAC address as a driver makes one up."""
    first = bytes([0x02]) if family == "epair" else bytes([0x58, 0x9C, 0xFC])
    return (first + secrets.token_bytes(6 - len(first))).hex(":")


class Interfaces:
    """All interfaces of a lab, by name, as one change sees them."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lab = kernel.lab
        self.number = release(kernel.lab.release).number
        rows = kernel.database.execute("select facts from interface order by number")
        self.known = {facts["name"]: Interface(**facts) for facts in (json.loads(row[0]) for row in rows)}
        if not self.known:
            self.known = {interface.name: interface for interface in physical(kernel.lab)}
        for interface in self:
            if interface.opener and not interface.opened_by:
                interface.closed()

    def __iter__(self) -> Iterator[Interface]:
        return iter(self.known.values())

    def get(self, name: str) -> Interface | None:
        return self.known.get(name)

    def by_device(self, name: str) -> Interface | None:
        """The interface behind /dev/NAME: its driver's name, or from 13.0 on also the one it was renamed to."""
        if self.number >= (13, 0) and name in self.known:
            return self.known[name]
        return next((interface for interface in self if interface.device == name), None)

    def members(self, bridge: str) -> list[Interface]:
        return [interface for interface in self if interface.bridge == bridge]

    def add(self, interface: Interface) -> None:
        self.known[interface.name] = interface

    def remove(self, interface: Interface) -> None:
        """Take an interface away, and with it its place in a bridge and the vlans above it."""
        del self.known[interface.name]
        for other in list(self):
            if other.bridge == interface.name:
                other.bridge = None
            if other.parent == interface.name:
                other.parent, other.vlan = None, 0

    def rename(self, interface: Interface, name: str) -> None:
        """Give an interface another name, also where others point to it."""
        old, interface.name = interface.name, name
        self.known = {other.name: other for other in self}
        for other in self:
            other.bridge = name if other.bridge == old else other.bridge
            other.parent = name if other.parent == old else other.parent
            other.peer = name if other.peer == old else other.peer

    def next_number(self) -> int:
        return max(interface.number for interface in self) + 1

    def free_unit(self, family: str) -> int:
        """The lowest number of a family that no interface has."""
        taken = {interface.device for interface in self} | set(self.known)
        suffix = "a" if family == "epair" else ""
        unit = 0
        while f"{family}{unit}{suffix}" in taken:
            unit += 1
        return unit

    def store(self) -> None:
        """Keep what has become of the interfaces, in the file and in /dev."""
        rows = [(it.name, it.number, json.dumps(vars(it))) for it in self]
        self.kernel.database.execute("delete from interface")
        self.kernel.database.executemany("insert into interface values (?, ?, ?)", rows)
        self._device_nodes()

    def _device_nodes(self) -> None:
        wanted = {it.device for it in self if it.family in ("tap", "vmnet")}
        if self.number >= (13, 0):
            wanted |= {it.name for it in self if it.family in ("tap", "vmnet")}
        dev = self.lab.root / "dev"
        kept = self.lab.state / "taps"
        before = set(kept.read_text().split()) if kept.exists() else set()
        for name in before - wanted:
            (dev / name).unlink(missing_ok=True)
        for name in wanted:
            (dev / name).touch(mode=0o600)
        if wanted != before:
            kept.write_text("\n".join(sorted(wanted)))


def physical(lab: Lab) -> list[Interface]:
    """The interfaces that the lab's machine has: two network cards, whose addresses are its own, and loopback."""
    burnt_in = zlib.crc32(bytes(lab.top)) & 0xFFFFFE
    cards = [
        Interface(
            name, name, "ether", number, up=number == 1, ether=(0x525400000000 + burnt_in + number).to_bytes(6).hex(":")
        )
        for number, name in ((1, "em0"), (2, "em1"))
    ]
    home = ["inet 127.0.0.1/8", "inet6 ::1/128"]
    return [*cards, Interface("lo0", "lo0", "loop", 3, up=True, mtu=16384, groups=["lo"], addresses=home)]


@contextmanager
def changing(lab: Lab) -> Iterator[Interfaces]:
    """The interfaces of a lab for one change, which is kept also when its later part is refused."""
    with Kernel(lab) as kernel:
        kernel.database.execute("begin immediate")
        interfaces = Interfaces(kernel)
        try:
            yield interfaces
        finally:
            interfaces.store()
            kernel.database.execute("commit")


def looked_at(lab: Lab) -> Interfaces:
    """The interfaces of a lab as they are now, for reading only."""
    with Kernel(lab) as kernel:
        return Interfaces(kernel)


def family_of(name: str) -> tuple[str, str]:
    """A name's letters and its number: `tap51` is (`tap`, `51`), `bridge` is (`bridge`, ``)."""
    found = re.fullmatch(r"(.*?)([0-9]*)", name)
    assert found
    return found[1], found[2]
