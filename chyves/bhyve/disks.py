"""What the disks of a guest are to bhyve: their emulation, and its options out of `disk{n}_...`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from chyves import names
from chyves.bhyve.facts import Chassis, Disk, Facts
from chyves.errors import ChyvesError
from chyves.properties import Guest

SCSI, NVME = "virtio-scsi", "nvme"
SERIALS_SINCE = 1300000
"""kern.osreldate from which each emulation of a disk takes a serial number."""
MADE = re.compile(r"(?:CHY|BHYVE|NVME)-.*")
"""Serial numbers that chyves made, or that bhyve would have too: one that an old bhyve cannot be given is no loss."""
BY_PLACE = re.compile(r"NVME-[0-9]+-[0-9]")
"""What bhyve makes for an nvme disk, the same for one on another bus; only its EUI-64 tells them apart."""
OUI = "589cfc"
"""The FreeBSD Foundation's block of addresses, from which bhyve takes the EUI-64 of its NVMe disks too."""

SAME = {"nocache": "cache", "direct": "cache", "sync": "cache", "ro": "readonly", "nodelete": "trim"} | {
    "sectorsize": "sectorsize"
}
"""Options of virtio_block_options_disk{n} by what they are in `disk{n}_...`."""


def disks(facts: Chassis) -> list[Disk]:
    """The guest's disks in their order: raw images by path, then volumes by number (as 0.2.0 had them)."""

    def order(disk: Disk) -> tuple[bool, int, str]:
        number = names.disk_number(disk.name)
        return number is not None, number or 0, disk.path

    return sorted(facts.disks, key=order)


def emulation(guest: Guest, disk: Disk) -> str:
    """The device that a disk is."""
    number = names.disk_number(disk.name)
    return guest.bhyve_disk_type if number is None else guest.disk_type.get(number, guest.bhyve_disk_type)


def conf(guest: Guest, disk: Disk, facts: Chassis) -> str:
    """What follows the emulation in bhyve's line; in it nothing that its bhyve is too old for."""
    number = names.disk_number(disk.name)
    kind = emulation(guest, disk)
    if kind == SCSI:
        return ",".join((guest.disk_ctl.get(number or 0, ""), *_boot(guest, number)))
    words = [disk.path, *(_options(guest, number) if number is not None else ())]
    if not isinstance(facts, Facts) or facts.host.release >= SERIALS_SINCE:
        words += _identity(guest, disk, kind)
    return ",".join([*words, *_boot(guest, number)])


def _options(guest: Guest, number: int) -> Iterator[str]:
    yield from guest.virtio_block_options.get(number, ())
    if (cache := guest.disk_cache.get(number, "on")) != "on":
        yield cache
    if guest.disk_readonly.get(number):
        yield "ro"
    if number in guest.disk_sectorsize:
        yield f"sectorsize={guest.disk_sectorsize[number]}"
    if not guest.disk_trim.get(number, True):
        yield "nodelete"


def _identity(guest: Guest, disk: Disk, kind: str) -> Iterator[str]:
    serial, eui64 = identity(guest, disk)
    if serial is not None:
        yield f"ser={serial}"
        eui64 = eui64 or OUI + hashlib.sha256(serial.encode()).hexdigest()[:10]
    if kind == NVME and eui64 is not None:
        yield eui64_option(eui64)


def eui64_option(eui64: str) -> str:
    """An EUI-64, as the guest sees it, for bhyve, which turns the bytes of the number that it is given round."""
    return f"eui64=0x{bytes.fromhex(eui64)[::-1].hex()}"


def identity(guest: Guest, disk: Disk) -> tuple[str | None, str | None]:
    """The serial number and the EUI-64 that are written down for a disk, each None where it is not."""
    number = names.disk_number(disk.name)
    if number is None:
        return guest.image_serials.get(disk.name, (None, None))
    return guest.disk_serial.get(number), guest.disk_eui64.get(number)


def _boot(guest: Guest, number: int | None) -> Iterator[str]:
    if number is not None and number in guest.disk_bootindex:
        yield f"bootindex={guest.disk_bootindex[number]}"


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for disks that this host's bhyve cannot have, or that contradict themselves."""
    _absent(guest, facts)
    for number in guest.virtio_block_options:
        _agrees(guest, number)
    for disk in disks(facts):
        (_scsi if emulation(guest, disk) == SCSI else _no_scsi)(guest, disk)
        _serial(guest, disk, facts)
    _each_its_own(guest)


def _absent(guest: Guest, facts: Facts) -> None:
    there = {names.disk_number(disk.name) for disk in facts.disks}
    words = (Guest.disk_description, Guest.disk_notes)
    for row in Guest.numbered.values():
        if "disk{n}" not in row.name or row in words:
            continue
        for name in guest.text:
            number = row.number(name)
            if number is not None and number not in there:
                raise ChyvesError(f"{facts.name}: {name}: there is no disk{number}; unset it, or add the disk")


def _agrees(guest: Guest, number: int) -> None:
    """What is set in both ways may differ, and bhyve would take the last in silence."""
    for option in guest.virtio_block_options[number]:
        own = f"disk{number}_{SAME[option.partition('=')[0]]}"
        if own in guest.text:
            both = f"virtio_block_options_disk{number} has {option} already"
            raise ChyvesError(f"{guest.owner}: {own}: {both}; set it in one of them")


def _scsi(guest: Guest, disk: Disk) -> None:
    """bhyve has SCSI disks from ctl(4) alone (pci_virtio_scsi.c, also with `target=`), whose LUN has the options."""
    number = names.disk_number(disk.name)
    if number is None:
        raise ChyvesError(f"{guest.owner}: {disk.name}: a raw image cannot be {SCSI}; set another bhyve_disk_type")
    if number not in guest.disk_ctl:
        serial = f" -S {guest.disk_serial[number]}" if number in guest.disk_serial else ""
        made = f"ctladm create -b block -o file={disk.path}{serial}"
        raise ChyvesError(
            f"{guest.owner}: disk{number}_ctl: is not set, and bhyve has SCSI disks from ctl(4) alone; make a LUN "
            f"({made}) on a port of its own, and set disk{number}_ctl to that, or set disk{number}_type to another"
        )
    for name in (f"virtio_block_options_disk{number}", *(f"disk{number}_{what}" for what in set(SAME.values()))):
        if name in guest.text:
            raise ChyvesError(f"{guest.owner}: {name}: is for ctladm(8) to set on a disk of type {SCSI}; unset it")


def _no_scsi(guest: Guest, disk: Disk) -> None:
    number = names.disk_number(disk.name)
    if number in guest.disk_ctl:
        raise ChyvesError(
            f"{guest.owner}: disk{number}_ctl: disk{number} is {emulation(guest, disk)}; "
            f"unset it, or set disk{number}_type={SCSI}"
        )


def _serial(guest: Guest, disk: Disk, facts: Facts) -> None:
    serial, _ = identity(guest, disk)
    if serial is not None and facts.host.release < SERIALS_SINCE and not MADE.fullmatch(serial):
        raise ChyvesError(
            f"{guest.owner}: {disk.name}_serial: the bhyve of this host takes no serial numbers, FreeBSD 13.0 does; "
            "unset it"
        )


def _each_its_own(guest: Guest) -> None:
    """Two disks of a guest are told apart by their serial numbers; a port of ctl(4) has all LUNs that it shows."""
    for what, values in (("serial", guest.disk_serial), ("eui64", guest.disk_eui64), ("ctl", guest.disk_ctl)):
        seen: dict[str, int] = {}
        for number, value in sorted(values.items()):
            if value in seen and not BY_PLACE.fullmatch(value):
                raise ChyvesError(
                    f"{guest.owner}: disk{number}_{what}: {value} is also disk{seen[value]}'s; give each disk its own"
                )
            seen[value] = number
