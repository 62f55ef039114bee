"""What no two guests may share: uuid, serial lines, tap, Ethernet address, ports of frame buffer and others.

Whoever takes a new one holds the lock `all` from reading what is taken until it is written down.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Iterator

from chyves import names
from chyves.bhyve import board
from chyves.errors import ChyvesError
from chyves.network.plan import free_number, is_shared
from chyves.nics import Forward, addresses
from chyves.pools.holdings import Holdings
from chyves.properties import Global, Guest

PREFIX = "58:9c:fc"
"""The FreeBSD Foundation's block of Ethernet addresses, which bhyve guests have been given since FreeBSD 11."""


class Unique:
    """Hands out what is free, and remembers what it handed out."""

    def __init__(self, settings: Global, guests: Iterable[Guest], host_taps: Iterable[str]) -> None:
        self._settings = settings
        found = list(guests)
        pairs = (pair for guest in found for pair in board.pairs(guest).values())
        self._serials = {int(pair.removeprefix("nmdm")) for pair in pairs}
        self._ports = {guest.uefi_vnc_port for guest in found if guest.uefi_vnc_port is not None}
        self._ports |= {port for guest in found for _, port in board.listening(guest).values()}
        self._forwards = {here for guest in found for _, here in _forwarded(guest)}
        self._macs = {mac for guest in found for mac in (*addresses(guest).values(), *guest.vale_mac.values())}
        listed = [tap for members in settings.bridge_tap_members.values() for tap in members]
        owned = [interface for guest in found for interface in guest.net_ifaces]
        numbers = (names.numbered(tap, "tap") for tap in (*listed, *owned, *host_taps))
        self._switch_ports = {interface for interface in owned if interface.startswith("vale")}
        self._taps = {number for number in numbers if number is not None}

    @classmethod
    def read(cls, holdings: Holdings) -> Unique:
        """What is free on this host, read from every guest and from the interfaces that exist."""
        host = holdings.host
        guests = holdings.each_properties(host.terminal.warn).values()
        return cls(holdings.globals, guests, host.interfaces.all())

    def serial(self) -> str:
        number = free_number(self._settings.console_start_offset, self._serials)
        self._serials.add(number)
        return f"nmdm{number}"

    def tap(self) -> str:
        number = free_number(self._settings.tap_start_offset, self._taps)
        if number > names.HIGHEST_INTERFACE:
            raise ChyvesError("no tap is free; set a lower tap_start_offset with: chyves global set")
        self._taps.add(number)
        return f"tap{number}"

    def switch_port(self, switch: str) -> str:
        """A port of a VALE switch by a number that no guest uses."""
        used = (port.partition(":")[2] for port in self._switch_ports if port.startswith(f"{switch}:"))
        port = f"{switch}:{free_number(0, (int(name) for name in used if name.isdecimal()))}"
        self._switch_ports.add(port)
        return port

    def vnc_port(self) -> str:
        port = self._port(self._settings.uefi_vnc_port_start_offset)
        if port > 65535:
            raise ChyvesError("no port is free for a frame buffer; set a lower uefi_vnc_port_start_offset")
        return str(port)

    def forwards(self, wanted: Iterable[Forward]) -> tuple[Forward, ...]:
        """The same forwards, from the next port of the host that is free where another guest has theirs."""
        found = []
        for forward in wanted:
            while forward.here in self._forwards:
                forward = forward._replace(port=forward.port + 1)
            if forward.port > 65535:
                raise ChyvesError("no port is free to be forwarded to the guest; take its forwards out first")
            self._forwards.add(forward.here)
            found.append(forward)
        return tuple(found)

    def of_board(self, guest: Guest, properties: Iterable[str]) -> dict[str, str | None]:
        """Other values for some of `board.alone(guest)`: further pairs, and further ports at the same addresses."""
        changes: dict[str, str | None] = {}
        for name in properties:
            if name in board.pairs(guest):
                changes[name] = self.serial()
                continue
            address, port = board.listening(guest)[name]
            free = self._port(port)
            if free > 65535:
                raise ChyvesError(f"{guest.owner}: {name}: no port from {port} on is free; set a lower one")
            changes[name] = str(free) if name == "gdb_port" else f"tcp={address}:{free}"
        return changes

    def _port(self, first: int) -> int:
        port = free_number(first, self._ports)
        self._ports.add(port)
        return port

    def mac(self) -> str:
        while True:
            tail = secrets.token_bytes(3)
            mac = ":".join((PREFIX, *(f"{octet:02x}" for octet in tail)))
            if mac not in self._macs:
                self._macs.add(mac)
                return mac

    def uuid(self) -> str:
        return str(uuid.uuid4())


def disk_serial() -> str:
    """A serial number that no other disk has, of the 20 characters that bhyve takes."""
    return f"CHY-{secrets.token_hex(8).upper()}"


class Owners:
    """Who has what no two guests may share, found without a look through all guests."""

    def __init__(self, guests: Iterable[Guest]) -> None:
        self._owners: dict[tuple[str, object], list[str]] = {}
        for guest in guests:
            for own in {*_own(guest).values(), *_several(guest)}:
                self._owners.setdefault(own, []).append(guest.owner)

    def refuse_shared(self, guest: str, old: Guest, new: Guest) -> None:
        """Refuse new properties of a guest that another guest has and no two may; raises ChyvesError that names both.

        What two have already (an exact clone and its parent) stays as it is.
        """
        for sentence in self.shared(guest, new, old):
            raise ChyvesError(sentence)

    def shared(self, guest: str, new: Guest, old: Guest | None = None) -> Iterator[str]:
        """A sentence for each property of a guest, other than it had, that another guest has and no two may."""
        before = {} if old is None else _own(old)
        for name, mine in _own(new).items():
            if mine != before.get(name):
                for other in self._others(guest, mine):
                    yield f"{guest}: {name}: {new.get(name)} is taken by {other}; choose another"
        had = () if old is None else _several(old)
        for thing, name in _several(new).items():
            if thing not in had:
                for other in self._others(guest, thing):
                    yield f"{guest}: {name}: {thing[1]} is taken by {other}; choose another"

    def _others(self, guest: str, own: tuple[str, object]) -> list[str]:
        return [owner for owner in self._owners.get(own, ()) if owner != guest]


def _several(guest: Guest) -> dict[tuple[str, object], str]:
    """What a guest has several of, and each alone: its interfaces, forwarded ports and hooks, with their properties."""
    found: dict[tuple[str, object], str] = {("forward", here): name for name, here in _forwarded(guest)}
    found |= {("mac", mac): "vale_mac" for mac in guest.vale_mac.values()}
    for number, hook in guest.netgraph_peerhook.items():
        if number in guest.netgraph_path:
            found["hook", f"{guest.netgraph_path[number]}{hook}"] = f"netgraph{number}_peerhook"
    return found | {("interface", name): "net_ifaces" for name in guest.net_ifaces if not is_shared(name)}


def _forwarded(guest: Guest) -> Iterator[tuple[str, str]]:
    """The ports of the host that lead to a guest, by the property that says so."""
    for number, forwards in guest.slirp_forward.items():
        yield from ((f"slirp{number}_forward", forward.here) for forward in forwards)


def _own(guest: Guest) -> dict[str, tuple[str, object]]:
    """What no two guests may have, by property: its kind and value."""
    found: dict[str, tuple[str, object]] = {name: ("mac", mac) for name, mac in addresses(guest).items()}
    for name in ("uuid", "serial"):
        if (value := getattr(guest, name)) is not None:
            found[name] = (name, value)
    if guest.uefi_vnc_port is not None:
        found["uefi_vnc_port"] = ("port", (guest.uefi_vnc_ip, guest.uefi_vnc_port))
    return found | board.alone(guest)
