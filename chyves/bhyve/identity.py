"""What bhyve makes up for a device that is given none: serial numbers, EUI-64, Ethernet addresses.

It makes them from a disk's path, the virtual machine's name, slot and function, so that they change where these do.
What is written down before such a change stays. Rules: FreeBSD's pci_ahci.c and pci_virtio_block.c (MD5 of the path),
pci_nvme.c (slot and function; a checksum of name, bus, slot and function), net_utils.c (MD5 of slot, function, name).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from chyves import names, nics
from chyves.addresses import Address
from chyves.bhyve.disks import NVME, OUI, SCSI, disks, emulation, eui64_option, identity
from chyves.bhyve.facts import Chassis
from chyves.bhyve.slots import places
from chyves.properties import Guest

CARDS = ("virtio-net", "e1000")
NVME_BLOCK, NAMESPACE = OUI + "20", "0001"
"""What an EUI-64 of bhyve begins and ends with."""


def written_down(guest: Guest, chassis: Chassis, machine: str = "") -> dict[str, str]:
    """The properties that keep what the guest's devices are when its name or the paths of its disks change.

    `machine` is what bhyve has called it, where that is another name than chyves gives.
    """
    where, machine = places(guest, chassis), machine or names.vm(guest.owner)
    found = dict(_of_disks(guest, chassis, where, machine))
    for interface in guest.net_ifaces:
        if names.is_card(interface) and nics.of_interface(guest, "mac", interface) is None:
            found[f"{interface}_mac"] = mac(machine, where[interface])
    bare = [port for port in guest.net_ifaces if not names.is_card(port) and port not in guest.vale_mac]
    ports = {port: mac(machine, where[port]) for port in bare} | guest.vale_macs
    if ports != guest.vale_macs:
        found["vale_macs"] = Guest.vale_macs.type.format(ports)
    for number, text in guest.pcidev.items():
        place = where[f"pcidev_{number}"]
        kind, options = text.partition(",")[0], [word.partition("=")[0] for word in text.split(",")[1:]]
        if kind in CARDS and "mac" not in options:
            found[f"pcidev_{number}"] = f"{text},mac={mac(machine, place)}"
        if kind == NVME and "eui64" not in options:
            found[f"pcidev_{number}"] = f"{text},{eui64_option(_eui64(machine, place))}"
    return found


def _of_disks(guest: Guest, chassis: Chassis, where: dict[str, Address], machine: str) -> Iterator[tuple[str, str]]:
    images = guest.image_serials
    for disk in disks(chassis):
        number, kind, place = names.disk_number(disk.name), emulation(guest, disk), where[disk.name]
        serial, eui64 = identity(guest, disk)
        if serial is not None or kind == SCSI:
            continue
        serial = f"NVME-{place.slot}-{place.function}" if kind == NVME else _serial(disk.path)
        eui64 = eui64 or (_eui64(machine, place) if kind == NVME else None)
        if number is None:
            images[disk.name] = (serial, eui64)
            continue
        yield f"disk{number}_serial", serial
        if eui64 is not None:
            yield f"disk{number}_eui64", eui64
    if images != guest.image_serials:
        yield "image_serials", Guest.image_serials.type.format(images)


def _serial(path: str) -> str:
    digest = hashlib.md5(path.encode(), usedforsecurity=False).hexdigest().upper()
    return "-".join(("BHYVE", digest[:4], digest[4:8], digest[8:12]))


def _eui64(machine: str, place: Address) -> str:
    bus, slot, function = place.spot
    return f"{NVME_BLOCK}{_crc16(f'{machine}{bus}{slot}{function}'.encode()):04x}{NAMESPACE}"


def _crc16(data: bytes) -> int:
    """CRC-16 with the polynomial x^16 + x^15 + x^2 + 1, bits of a byte from the lowest, beginning with 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def mac(machine: str, place: Address) -> str:
    """The Ethernet address that bhyve makes for a card of a virtual machine that is given none."""
    text = f"{place.slot}-{place.function}-{machine}"
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return ":".join(("00:a0:98", *(f"{byte:02x}" for byte in digest[:3])))
