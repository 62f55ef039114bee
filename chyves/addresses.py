"""Where the devices of a guest sit on its PCI buses, as the property pci_slots keeps it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chyves.values import NONE


@dataclass(frozen=True)
class Address:
    """A place on a PCI bus: slot and function, and for a disk on a shared AHCI controller the port (else None)."""

    slot: int
    function: int = 0
    port: int | None = None
    bus: int = 0

    def __str__(self) -> str:
        bus = f"{self.bus}:" if self.bus else ""
        return f"{bus}{self.slot}:{self.function}" + (f"/{self.port}" if self.port is not None else "")

    @property
    def board(self) -> tuple[int, int]:
        """Bus and slot, which several functions can share."""
        return self.bus, self.slot

    @property
    def spot(self) -> tuple[int, int, int]:
        """Bus, slot and function, where one device of bhyve sits; by them addresses are in their order."""
        return self.bus, self.slot, self.function


HIGHEST_BUS, HIGHEST_SLOT, HIGHEST_PORT = 255, 31, 31


class Slots:
    """Where each device of a guest sits: `disk0=4:0,tap50=1:5:0`; two devices never share a place."""

    metavar = "device=[bus:]slot:function[/port],..."
    _item = r"(?ai)([a-z0-9_][a-z0-9_.:+@-]*)=(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-7])(?:/([0-9]{1,2}))?"

    def parse(self, text: str) -> dict[str, Address]:
        places: dict[str, Address] = {}
        for item in () if text in NONE else text.split(","):
            match = re.fullmatch(self._item, item)
            place = self._place(match) if match else None
            if match is None or place is None or match[1] in places:
                raise ValueError(
                    f"device=[bus:]slot:function, buses to {HIGHEST_BUS}, slots to {HIGHEST_SLOT}, functions to 7, "
                    "each device once"
                )
            places[match[1]] = place
        self._refuse_collisions(places)
        return places

    @staticmethod
    def _place(match: re.Match[str]) -> Address | None:
        bus, slot, function = int(match[2] or 0), int(match[3]), int(match[4])
        port = int(match[5]) if match[5] else None
        if bus > HIGHEST_BUS or slot > HIGHEST_SLOT or (port or 0) > HIGHEST_PORT:
            return None
        return Address(slot, function, port, bus)

    @staticmethod
    def _refuse_collisions(places: dict[str, Address]) -> None:
        alone = {place.spot for place in places.values() if place.port is None}
        ported = {place.spot for place in places.values() if place.port is not None}
        if len(set(places.values())) != len(places) or alone & ported:
            raise ValueError("a place for each device that no other has")

    def format(self, value: dict[str, Address]) -> str:
        return ",".join(f"{device}={place}" for device, place in value.items())

    def words(self) -> tuple[str, ...]:
        """Nothing to offer for completion."""
        return ()
