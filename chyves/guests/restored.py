"""The properties that come back with a snapshot, as they can be now that other guests may have what they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from chyves import nics
from chyves.bhyve import board
from chyves.guests.unique import Unique
from chyves.network.plan import bridge_of, taps, without_member
from chyves.nics import addresses
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest


@dataclass
class Restored:
    """The properties of the snapshot, and as they will be; `off`, `on` as in rollback.Plan; `words` tell of it all."""

    snapshot: Guest
    guest: Guest
    off: list[str] = field(default_factory=list)
    on: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def change(self, name: str, value: str, owner: str) -> None:
        """Give the guest something else than the snapshot has, which another guest has now."""
        text = self.guest.get(name)
        self.guest = self.guest.with_changes({name: value})
        self.words.append(f"{self.guest.owner}: {name}: {text} is {owner}'s now; it gets {value}")


def restored(holdings: Holdings, holding: GuestHolding, then: Guest) -> Restored:
    """What comes back with the properties of a snapshot: interfaces go to the default bridge or get another tap.

    A serial line, an identity, an Ethernet address or a port that another guest has by now is replaced too.
    """
    everyone = holdings.each_properties(holdings.host.terminal.warn)
    now = everyone.pop(holding.name, None)
    found = Restored(then, then)
    others, settings = everyone.values(), without_member(holdings.globals, *(now.net_ifaces if now else ()))
    free = cache(lambda: Unique(settings, others, holdings.host.interfaces.all()))
    _taps(found, everyone, free)
    for other in others:
        _unshare(found, other, free)
    _bridges(found, holdings, now)
    return found


def _taps(found: Restored, others: dict[str, Guest], free: Callable[[], Unique]) -> None:
    owners = {tap: name for name, guest in others.items() for tap in taps(guest.net_ifaces)}
    for tap in taps(found.snapshot.net_ifaces):
        if tap in owners:
            new = free().tap()
            guest = found.guest
            interfaces = (new if interface == tap else interface for interface in guest.net_ifaces)
            slots = {new if device == tap else device: place for device, place in guest.pci_slots.items()}
            changes: dict[str, str | None] = {f"{new}_mac": free().mac(), **nics.renamed(guest.text, {tap: new})}
            changes["pci_slots"] = Guest.pci_slots.type.format(slots) if slots else None
            found.guest = guest.with_changes(changes)
            found.change("net_ifaces", ",".join(interfaces), owners[tap])


def _unshare(found: Restored, other: Guest, free: Callable[[], Unique]) -> None:
    guest = found.guest
    if guest.serial is not None and guest.serial == other.serial:
        found.change("serial", free().serial(), other.owner)
    if guest.uuid is not None and guest.uuid == other.uuid:
        found.change("uuid", free().uuid(), other.owner)
    taken = {forward.here for forwards in other.slirp_forward.values() for forward in forwards}
    for number, forwards in guest.slirp_forward.items():
        if taken & {forward.here for forward in forwards}:
            text = Guest.slirp_forward.type.format(free().forwards(forwards))
            found.change(f"slirp{number}_forward", text, other.owner)
    port = guest.uefi_vnc_port
    if port is not None and (guest.uefi_vnc_ip, port) == (other.uefi_vnc_ip, other.uefi_vnc_port):
        found.change("uefi_vnc_port", free().vnc_port(), other.owner)
    shared = [name for name, own in board.alone(guest).items() if own in _of_board(other)]
    for name, value in (free().of_board(guest, shared) if shared else {}).items():
        found.change(name, value or "", other.owner)
    for name, mac in addresses(guest).items():
        if mac in addresses(other).values():
            found.change(name, free().mac(), other.owner)
    twice = {*guest.vale_mac.values()} & {*other.vale_mac.values()}
    if twice:
        own = {port: free().mac() if mac in twice else mac for port, mac in guest.vale_mac.items()}
        found.change("vale_mac", Guest.vale_mac.type.format(own), other.owner)


def _of_board(other: Guest) -> list[tuple[str, object]]:
    """What another guest has for itself of serial lines and ports."""
    serial = [("serial", other.serial)] if other.serial else []
    screen = [("port", (other.uefi_vnc_ip, other.uefi_vnc_port))] if other.uefi_vnc_port else []
    return [*serial, *screen, *board.alone(other).values()]


def _bridges(found: Restored, holdings: Holdings, now: Guest | None) -> None:
    """Take taps that go off their bridges, and put those that come on the default one; not in the mode `system`."""
    settings = holdings.globals
    if settings.network_design_mode == "system":
        return
    had, has = taps(now.net_ifaces if now else ()), taps(found.guest.net_ifaces)
    for tap in had:
        bridge = bridge_of(settings, tap)
        if tap not in has and bridge is not None:
            found.off.append(tap)
            found.words.append(f"{found.guest.owner}: {tap} is taken off {bridge}")
    for tap in has:
        if tap not in had and bridge_of(settings, tap) is None:
            found.on[tap] = holdings.defaults.bridge
            found.words.append(f"{found.guest.owner}: {tap} is put on {holdings.defaults.bridge}")
