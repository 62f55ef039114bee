"""What is set of a guest and does nothing, because of what else is set: bhyve would pass over it in silence.

Properties that 0.2.0 had, and those that come from `.defaults`, are left out: every guest has them, whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from chyves.bhyve import disks
from chyves.bhyve.devices import shows_screen
from chyves.bhyve.facts import Facts
from chyves.properties import Guest

OF_SCREEN, OF_DEBUGGER = ("keyboard", "uefi_vnc_socket"), ("gdb_address", "gdb_open", "gdb_wait")


def warnings(guest: Guest, facts: Facts) -> Iterator[str]:
    """A sentence for each such property that has another value than its default."""
    for name, why in (*_of_board(guest), *_of_disks(guest, facts)):
        yield f"{facts.name}: {name}: does nothing {why}"


def _of_board(guest: Guest) -> Iterator[tuple[str, str]]:
    if not shows_screen(guest):
        screen = "without a screen; unset it, or set loader=uefi and uefi_console_output=vnc"
        yield from ((name, screen) for name in OF_SCREEN if _is_set(guest, name))
    if guest.gdb_port is None:
        yield from ((name, "without gdb_port; unset it, or set that") for name in OF_DEBUGGER if _is_set(guest, name))
    if guest.loader_timeout and guest.loader not in ("bhyveload", "grub-bhyve"):
        yield "loader_timeout", f"with loader={guest.loader}, which runs within the guest; set it to 0"


def _is_set(guest: Guest, name: str) -> bool:
    return guest.get(name) != guest.table[name].default


def _of_disks(guest: Guest, facts: Facts) -> Iterator[tuple[str, str]]:
    """Of all disks, those of nvme alone have an EUI-64, and only they tell of one size of sectors (pci_nvme.c)."""
    kinds = {disk.name: disks.emulation(guest, disk) for disk in disks.disks(facts)}
    for number in sorted(guest.disk_eui64):
        kind = kinds[f"disk{number}"]
        if kind != disks.NVME:
            yield f"disk{number}_eui64", f"for {kind}; unset it, or set disk{number}_type=nvme"
    for number, sectors in sorted(guest.disk_sectorsize.items()):
        logical, _, physical = sectors.partition("/")
        if kinds[f"disk{number}"] == disks.NVME and physical not in ("", logical):
            yield f"disk{number}_sectorsize", f"with /{physical} for nvme, which has one size; set it to {logical}"
