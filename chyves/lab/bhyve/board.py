"""What a guest's devices become: words for QEMU, PCI addresses, and what must be held while the guest runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from chyves.lab.bhyve.config import Config
from chyves.lab.place import Lab

if TYPE_CHECKING:
    from chyves.lab.bhyve.ports import Port

Spot = tuple[int, int, int]

FIRST_FREE, LAST_FREE = 30, 1
PC_OWN: tuple[Spot, ...] = ((0, 0, 0), (0, 31, 0))
"""Where QEMU's q35 has host bridge and LPC; its machine of arm64 has the former alone."""
ARM64_OWN: tuple[Spot, ...] = ((0, 0, 0),)


class Broken(Exception):
    """A device could not be initialised: bhyve prints the text, and that the initialisation failed because of `why`."""

    def __init__(self, text: str, why: str = "Unknown error: 0") -> None:
        super().__init__(text)
        self.text, self.why = text, why


def quoted(text: str | Path) -> str:
    """A value inside an option of QEMU: a comma is written twice."""
    return str(text).replace(",", ",,")


@dataclass(frozen=True)
class Disk:
    """A medium that the guest has: `kind` is hd or cd; `id` names its drive in QEMU."""

    kind: str
    path: Path
    id: str


@dataclass
class Board:
    """A guest while its devices are initialised.

    `boot` maps media to their places in the boot order, where a loader decided that. `held` are descriptors
    that stay open as long as the guest runs, `passed` those that QEMU gets, `taps` the interfaces to be given back
    after it. `sata` are the media (None: an empty drive) on the ports of AHCI controllers, in their order. `viewers`
    is where VNC clients connect, and `ports` are those of its virtio-consoles. `cards` counts the network cards.
    """

    lab: Lab
    name: str
    config: Config
    boot: dict[Path, int] | None = None
    words: list[str] = field(default_factory=list)
    disks: list[Disk] = field(default_factory=list)
    taps: list[str] = field(default_factory=list)
    consoles: dict[str, int] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    sata: list[Path | None] = field(default_factory=list)
    cards: int = 0
    has_lpc: bool = False
    has_screen: bool = False
    viewers: socket | None = None
    ports: list[Port] = field(default_factory=list)
    waits_for_viewer: bool = False
    uses_stdio: bool = False

    def add(self, *words: str) -> None:
        """Add words to QEMU's command line."""
        self.words += words

    def device(self, kind: str, spot: Spot | None, *properties: str) -> None:
        """Add a device; on the PCI bus where a spot is given (None: the next free one)."""
        self.add("-device", ",".join((kind, self.slots.address(spot), *properties)))

    @property
    def number(self) -> int:
        """A number that no device so far has, for the names of QEMU's objects."""
        return len(self.words)

    def plan(self, builtin: Iterable[Spot], devices: Iterable[Spot]) -> None:
        """Decide which address each spot has in QEMU; `builtin` are devices that QEMU's machine has anyway."""
        self.slots = Slots(list(builtin), list(devices), ARM64_OWN if self.lab.is_arm64 else PC_OWN)
        for words in self.slots.bridges():
            self.add("-device", words)


class Slots:
    """bhyve's bus:slot:function as addresses of QEMU's machine, which itself sits at its `own` ones.

    Bus 0 keeps its numbers; a device at slot 0 or at one of those moves to a free slot. Every other bus becomes a
    bridge on bus 0, in the order of their numbers (firmware numbers them from 1). Where bhyve has a bridge or LPC as
    function 0 beside other functions, a device that does nothing stands there, else the guest would not see the others.
    """

    def __init__(self, builtin: list[Spot], devices: list[Spot], own: tuple[Spot, ...]) -> None:
        self._several = {spot[:2] for spot in (*builtin, *devices) if spot[2]}
        self._moved = {spot for spot in devices if spot[:2] == (0, 0) or spot in own}
        self._free = [
            slot for slot in range(FIRST_FREE, LAST_FREE - 1, -1) if not any(spot[:2] == (0, slot) for spot in devices)
        ]
        self._standing = [s for s in builtin if s[2] == 0 and s[:2] in self._several and s not in own]
        self._buses = sorted({spot[0] for spot in (*devices, *self._standing)} - {0})

    def bridges(self) -> list[str]:
        """Bridges for the buses above 0, and stand-ins for functions 0."""
        words = []
        for number, bus in enumerate(self._buses, 1):
            words.append(f"pci-bridge,id=bus{bus},chassis_nr={number},shpc=off,addr=0x{self._free.pop():x}")
        words += [f"pci-testdev,{self.address(spot)}" for spot in self._standing]
        return words

    def address(self, spot: Spot | None) -> str:
        """The properties that put a device at a spot, or into the next free slot."""
        if spot is None or spot in self._moved:
            return f"bus=pcie.0,addr=0x{self._free.pop(0):x}"
        bus, slot, function = spot
        where = f"bus={f'bus{bus}' if bus else 'pcie.0'},addr=0x{slot:x}.0x{function:x}"
        several = spot[:2] in self._several and function == 0
        return f"{where},multifunction=on" if several else where
