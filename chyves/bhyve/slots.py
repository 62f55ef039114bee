"""Where each device of a guest sits on its PCI buses: kept places never move, new devices get the next that is free.

Slots 0 (host bridge), 2 (frame buffer), 3 (optical medium) and 31 (lpc) of bus 0 are fixed; the rest have 4 to 30. A
guest with no kept places gets those that chyves 0.2.0 gave it at each start. What finds no room on bus 0, also not
beside others on a slot, sits on a further bus; disks of a UEFI guest do not, as its firmware looks on bus 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chyves.addresses import HIGHEST_BUS, Address
from chyves.bhyve.devices import DISK, Device, devices
from chyves.bhyve.facts import Chassis
from chyves.errors import ChyvesError
from chyves.properties import Guest

FIRST, LAST, FUNCTIONS, PORTS = 4, 30, 8, 32
UEFI_DISK_SLOTS = 3
"""Slots on which UEFI firmware looks for disks, beside that of the medium."""
UEFI_LAST_DISK_SLOT = 6
"""The last of those slots in firmware of 0.2.0's time; taken first, and passed when other devices sit there."""
SPREAD = LAST - FIRST
"""Devices of a kind up to which 0.2.0 gave each a slot of its own."""


def places(guest: Guest, facts: Chassis) -> dict[str, Address]:
    """The place of each device by its name: those kept in `pci_slots`, and new ones for devices that have none.

    Raises ChyvesError when a kept place is none that the device can have, or when there is no room.
    """
    wanted = devices(guest, facts)
    bus = _Bus(guest, facts, wanted)
    for family in dict.fromkeys(device.family for device in wanted):
        bus.give([device for device in wanted if device.family == family])
    return {device.name: bus.places[device.name] for device in wanted}


class _Bus:
    """The places taken so far, and the rules by which the next is found."""

    def __init__(self, guest: Guest, facts: Chassis, wanted: Iterable[Device]) -> None:
        self.name, self.consolidate, self.uefi = facts.name, facts.consolidate, guest.loader == "uefi"
        self.family = {device.name: device.family for device in wanted}
        self.ahci = {device.name for device in wanted if device.family == DISK and device.emulation == "ahci-hd"}
        self.places = {name: place for name, place in guest.pci_slots.items() if self._keeps(name, place)}

    def _keeps(self, name: str, place: Address) -> bool:
        """Whether a kept place still counts: not for a device that is gone, nor a port without its controller."""
        family = self.family.get(name)
        if family is None:
            return False
        if not FIRST <= place.slot <= LAST or (place.port is not None and family != DISK):
            raise ChyvesError(
                f"{self.name}: pci_slots: {name} cannot be at {place}; unset pci_slots to have all devices placed anew"
            )
        return place.port is None or name in self.ahci

    def give(self, members: list[Device]) -> None:
        """Places for those of one family that have none."""
        new = [device for device in members if device.name not in self.places]
        crowd = self._crowd(members[0].family, len(new) if len(new) == len(members) else 0)
        for device in new:
            ported = self.consolidate and device.name in self.ahci
            self.places[device.name] = self._port(device) if ported else self._place(device, crowd)

    def _crowd(self, family: str, count: int) -> int:
        """How many of `count` devices that come together share a slot (0.2.0's arithmetic)."""
        if family.startswith("passthru") or (self.consolidate and not family.startswith("pcidev")):
            return FUNCTIONS
        slots = UEFI_DISK_SLOTS if self.uefi and family == DISK else SPREAD
        return 1 if count <= slots else min(FUNCTIONS, count // slots + 1)

    def _port(self, device: Device) -> Address:
        """The next port of an AHCI controller that has one, or the first of a new controller."""
        controllers: dict[tuple[int, int, int], set[int]] = {}
        for place in self.places.values():
            if place.port is not None:
                controllers.setdefault(place.spot, set()).add(place.port)
        for (bus, slot, function), taken in sorted(controllers.items()):
            if len(taken) < PORTS:
                return Address(slot, function, min(set(range(PORTS)) - taken), bus)
        return replace(self._place(device, 1), port=0)

    def _place(self, device: Device, crowd: int) -> Address:
        place = (
            self._on_own_slots(device.family, crowd)
            or self._on_slot_of_others(device.family)
            or self._on_another_bus(device.family)
        )
        if place is None:
            raise ChyvesError(f"{self.name}: {device.name}: {self._no_room(device.family)}")
        return place

    def _on_own_slots(self, family: str, crowd: int) -> Address | None:
        own = self._slots({family})
        if crowd > 1 and (place := self._function(own, crowd)):
            return place
        if not (self.uefi and family == DISK):
            return self._new_slot(LAST) or self._function(own, FUNCTIONS)
        full = self._disk_slots_full()
        return (
            (None if full else self._new_slot(UEFI_LAST_DISK_SLOT))
            or self._function(own, FUNCTIONS)
            or (None if full else self._new_slot(LAST))
        )

    def _on_slot_of_others(self, family: str) -> Address | None:
        """A function beside devices of another kind, when no slot is left; a card of the host stays by itself."""
        if family.startswith("passthru") or (self.uefi and family == DISK and self._disk_slots_full()):
            return None
        others = {other for other in self.family.values() if not other.startswith("passthru")}
        return self._function([slot for slot in self._slots(others) if slot not in self._host_slots()], FUNCTIONS)

    def _on_another_bus(self, family: str) -> Address | None:
        if self.uefi and family == DISK:
            return None
        return next(filter(None, (self._new_slot(LAST, bus) for bus in range(1, HIGHEST_BUS + 1))), None)

    def _disk_slots_full(self) -> bool:
        return len(self._slots({DISK})) >= UEFI_DISK_SLOTS

    def _host_slots(self) -> list[tuple[int, int]]:
        return self._slots({family for family in self.family.values() if family.startswith("passthru")})

    def _slots(self, families: set[str]) -> list[tuple[int, int]]:
        return sorted({place.board for name, place in self.places.items() if self.family.get(name) in families})

    def _function(self, slots: list[tuple[int, int]], limit: int) -> Address | None:
        for bus, slot in slots:
            taken = {place.function for place in self.places.values() if place.board == (bus, slot)}
            if len(taken) < limit:
                return Address(slot, min(set(range(FUNCTIONS)) - taken), bus=bus)
        return None

    def _new_slot(self, last: int, bus: int = 0) -> Address | None:
        taken = {place.slot for place in self.places.values() if place.bus == bus}
        return next((Address(slot, bus=bus) for slot in range(FIRST, last + 1) if slot not in taken), None)

    def _no_room(self, family: str) -> str:
        if self.uefi and family == DISK and self._disk_slots_full():
            most = UEFI_DISK_SLOTS * FUNCTIONS * (PORTS if self.consolidate and self.ahci else 1)
            advice = "take disks away"
            if self.ahci and not self.consolidate:
                advice += ", or set global consolidate_bhyve_pci_devices=yes"
            return f"a UEFI guest has room for {most} disks on its PCI bus; {advice}"
        return f"no PCI slot from {FIRST} to {LAST} of any bus has room for it; take devices away"
