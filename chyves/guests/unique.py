"""What no two guests may share: uuid, serial line, tap, Ethernet address, port of the frame buffer.

Whoever takes a new one holds the lock `all` from reading what is taken until it is written down.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Iterator

from chyves import names
from chyves.errors import ChyvesError
from chyves.network.plan import free_number, is_shared
from chyves.pools.holdings import Holdings
from chyves.properties import Global, Guest

PREFIX = "58:9c:fc"
"""The FreeBSD Foundation's block of Ethernet addresses, which bhyve guests have been given since FreeBSD 11."""


class Unique:
    """Hands out what is free, and remembers what it handed out."""

    def __init__(self, settings: Global, guests: Iterable[Guest], host_taps: Iterable[str]) -> None:
        self._settings = settings
        found = list(guests)
        self._serials = {int(guest.serial.removeprefix("nmdm")) for guest in found if guest.serial}
        self._ports = {guest.uefi_vnc_port for guest in found if guest.uefi_vnc_port is not None}
        self._macs = {mac for guest in found for mac in guest.tap_mac.values()}
        listed = [tap for members in settings.bridge_tap_members.values() for tap in members]
        owned = [interface for guest in found for interface in guest.net_ifaces]
        numbers = (names.numbered(tap, "tap") for tap in (*listed, *owned, *host_taps))
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

    def vnc_port(self) -> str:
        port = free_number(self._settings.uefi_vnc_port_start_offset, self._ports)
        if port > 65535:
            raise ChyvesError("no port is free for a frame buffer; set a lower uefi_vnc_port_start_offset")
        self._ports.add(port)
        return str(port)

    def mac(self) -> str:
        while True:
            tail = secrets.token_bytes(3)
            mac = ":".join((PREFIX, *(f"{octet:02x}" for octet in tail)))
            if mac not in self._macs:
                self._macs.add(mac)
                return mac

    def uuid(self) -> str:
        return str(uuid.uuid4())


def refuse_shared(guest: str, new: Guest, others: Iterable[Guest]) -> None:
    """Refuse properties of a guest that another guest has and no two may; raises ChyvesError that names both."""
    for sentence in shared(guest, new, others):
        raise ChyvesError(sentence)


def shared(guest: str, new: Guest, others: Iterable[Guest]) -> Iterator[str]:
    """A sentence for each property of a guest that another guest has and no two may."""
    for other in others:
        if other.owner == guest:
            continue
        pairs = [
            ("uuid", new.uuid, other.uuid),
            ("serial", new.serial, other.serial),
            ("uefi_vnc_port", (new.uefi_vnc_ip, new.uefi_vnc_port), (other.uefi_vnc_ip, other.uefi_vnc_port)),
        ]
        for name, mine, theirs in pairs:
            if mine == theirs and (mine[1] if isinstance(mine, tuple) else mine) is not None:
                yield f"{guest}: {name}: {new.get(name)} is taken by {other.owner}; choose another"
        for interface in new.net_ifaces:
            if interface in other.net_ifaces and not is_shared(interface):
                yield f"{guest}: net_ifaces: {interface} is taken by {other.owner}; choose another"
        for number, mac in new.tap_mac.items():
            if mac in other.tap_mac.values():
                yield f"{guest}: tap{number}_mac: {mac} is taken by {other.owner}; choose another"
