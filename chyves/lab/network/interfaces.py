"""All interfaces of a lab: the file in which they are kept, and a change of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from chyves.lab.kernel import Kernel
from chyves.lab.network import namespace
from chyves.lab.network.interface import VALE, Interface
from chyves.lab.place import Lab
from chyves.lab.releases import release


class Interfaces:
    """All interfaces of a lab, by name, as one change sees them."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lab = kernel.lab
        self.number = release(kernel.lab.release).number
        rows = kernel.database.execute("select facts from interface order by number").fetchall()
        self.stored = [Interface(**json.loads(row[0])) for row in rows]
        self.known = {interface.name: interface for interface in (Interface(**json.loads(row[0])) for row in rows)}
        if not self.known:
            self.known = {interface.name: interface for interface in physical(kernel.lab)}
        for interface in list(self):
            if interface.opener and not interface.opened_by:
                self.end_of_opener(interface)

    def __iter__(self) -> Iterator[Interface]:
        return iter(self.known.values())

    def get(self, name: str) -> Interface | None:
        """The interface of a name, as ifconfig knows it."""
        found = self.known.get(name)
        return None if found is None or found.family == VALE else found

    def end_of_opener(self, interface: Interface) -> None:
        """Note that the process that had a device open has closed it: a VALE port is gone with that."""
        interface.closed()
        if interface.family == VALE:
            self.remove(interface)

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
                other.leave()
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
            namespace.follow(lab, interfaces.stored, list(interfaces))
            kernel.database.execute("commit")


def looked_at(lab: Lab) -> Interfaces:
    """The interfaces of a lab as they are now, for reading only."""
    with Kernel(lab) as kernel:
        return Interfaces(kernel)
