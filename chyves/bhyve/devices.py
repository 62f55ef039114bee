"""The devices of a guest that have no fixed place on its PCI bus: disks, mouse, network cards, `pcidev_{n}`, others."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chyves import names
from chyves.bhyve import disks, nics, ports
from chyves.bhyve.facts import Chassis
from chyves.bhyve.peripherals import peripherals
from chyves.errors import ChyvesError
from chyves.properties import Guest

DISK, NIC, MOUSE, CONSOLE, SEED = "disk", "nic", "mouse", "virtio-console", "cloudinit"
SEED_KINDS = {"cd": "ahci-cd", "disk": "virtio-blk"}

_PHYSICAL = re.compile(r"(?:pci(?:[0-9]+:)?)?([0-9]+)[/:]([0-9]+)[/:]([0-9]+)")
_DEVICE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+@-]*")


@dataclass(frozen=True)
class Device:
    """A device: its name in `pci_slots`, the family that it may share a slot with, and what follows `-s slot,`."""

    name: str
    family: str
    emulation: str
    conf: str

    def __str__(self) -> str:
        return f"{self.emulation},{self.conf}" if self.conf else self.emulation


def devices(guest: Guest, facts: Chassis) -> list[Device]:
    """The devices in the order in which chyves 0.2.0 gave out slots, then those that it did not know.

    Raises ChyvesError where two have one name.
    """
    cards = [Device(name, NIC, *nics.card(guest, name, facts.name)) for name in guest.net_ifaces]
    others = [Device(*words) for words in peripherals(guest)]
    found = [*_disks(guest, facts), *_mouse(guest), *cards, *_pcidevs(guest), *others, *_console(guest, facts)]
    found += _seed(guest, facts)
    seen: set[str] = set()
    for device in found:
        if device.name in seen or not _DEVICE_NAME.fullmatch(device.name):
            reason = "is the name of another device" if device.name in seen else "is no name for a disk"
            advice = "rename the file, with letters, digits, dots, dashes and underscores"
            raise ChyvesError(f"{facts.name}: {names.shown(device.name)}: {reason}; {advice}")
        seen.add(device.name)
    return found


def passthru(guest: Guest) -> bool:
    """Whether the guest is given a device of the host."""
    return any(is_passthru(text) for text in guest.pcidev.values())


def is_passthru(device: str) -> bool:
    """Whether a `pcidev_{n}` hands over a device of the host."""
    return device.partition(",")[0] == "passthru"


def shows_screen(guest: Guest) -> bool:
    """Whether the guest has a frame buffer of chyves."""
    return guest.loader == "uefi" and guest.uefi_console_output == "vnc"


def physical(device: str) -> tuple[int, int, int] | None:
    """Bus, slot and function on the host of `passthru,2/0/0` and its newer spellings, None for `passthru,ppt0`."""
    match = _PHYSICAL.fullmatch(device.split(",")[1]) if "," in device else None
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _disks(guest: Guest, facts: Chassis) -> list[Device]:
    return [
        Device(disk.name, DISK, disks.emulation(guest, disk), disks.conf(guest, disk, facts))
        for disk in disks.disks(facts)
    ]


def _mouse(guest: Guest) -> list[Device]:
    wanted = shows_screen(guest) and guest.uefi_vnc_mouse_type == "usb3"
    return [Device("xhci", MOUSE, "xhci", "tablet")] if wanted else []


def _pcidevs(guest: Guest) -> list[Device]:
    """Devices of the host first, so that functions of one card come together; each kind by its text (as 0.2.0)."""
    found = []
    for number, text in sorted(guest.pcidev.items(), key=_rank):
        emulation, _, conf = text.partition(",")
        name = f"pcidev_{number}"
        found.append(Device(name, _family(name, text), emulation, conf))
    return found


def _console(guest: Guest, facts: Chassis) -> list[Device]:
    """The one device that has all ports."""
    conf = ",".join(f"{name}={path}" for name, path in ports.sockets(guest, facts.scratch).items())
    return [Device(CONSOLE, CONSOLE, CONSOLE, conf)] if conf else []


def _seed(guest: Guest, facts: Chassis) -> list[Device]:
    """What the guest's cloud-init finds its seed on (chyves.bhyve.seed)."""
    kind = SEED_KINDS.get(guest.cloudinit)
    return [Device(SEED, SEED, kind, f"{seed_image(facts.scratch)},ro")] if kind else []


def seed_image(scratch: str) -> str:
    """Where that is made: in a directory of its own, below that of what a running guest has beside its datasets."""
    return f"{scratch}/cloud-init/seed.iso"


def _family(name: str, text: str) -> str:
    place = physical(text) if is_passthru(text) else None
    return f"passthru {place[0]}/{place[1]}" if place else name


def _rank(item: tuple[int, str]) -> tuple[bool, tuple[int, ...], list[tuple[int, str]], int]:
    """A key by which devices of the host come first, by their place there, and others by text, 2 before 10."""
    number, text = item
    place = (physical(text) or (1 << 16,)) if is_passthru(text) else ()
    parts = [(int(digits or 0), other) for other, digits in re.findall(r"([^0-9]*)([0-9]*)", text)]
    return not is_passthru(text), place, parts, number
