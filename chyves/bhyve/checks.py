"""What bhyve would refuse too late, or take in silence and do wrong: each is refused here with one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chyves.addresses import Address
from chyves.bhyve import (
    arm64,
    bargs,
    board,
    bootorder,
    disks,
    firmware,
    idle,
    limits,
    nics,
    pcidevs,
    peripherals,
    ports,
    processors,
    seed,
    tpm,
)
from chyves.bhyve.devices import DISK, devices, shows_screen
from chyves.bhyve.facts import Facts
from chyves.bhyve.slots import UEFI_DISK_SLOTS
from chyves.errors import ChyvesError
from chyves.names import is_card, shown
from chyves.properties import GUEST_VERSION, Guest

MEGABYTE = 1 << 20
OLDEST = "0100"
"""The first version of guests; all since are started as they are."""
_UNSPEAKABLE = re.compile(r"[\s,%\x00-\x1f\x7f]")
"""What no escaping brings through: commas end an option, blanks a line of device.map, % begins a variable."""

DEVICES_SINCE = peripherals.SINCE | {
    "nvme": (1200000, "12.0"),
    "virtio-scsi": (1200000, "12.0"),
    "virtio-input": (1302000, "13.2"),
}
"""kern.osreldate and release from which bhyve has a device, of those that FreeBSD 11 does not have (freebsd.md 0)."""

Where = Mapping[str, Address]


def check(guest: Guest, facts: Facts, medium: str | None, where: Where) -> None:
    """Raise ChyvesError for the first thing that keeps the guest from starting on this host with these devices."""
    _life(guest, facts)
    arm64.check(guest, facts, where)
    bargs.check(guest, facts)
    _processors(guest, facts)
    processors.check(guest, facts)
    _memory(guest, facts)
    _loader(guest, facts, medium)
    firmware.check(guest, facts)
    tpm.check(guest, facts)
    _screen(guest, facts)
    _paths(guest, facts, medium)
    disks.check(guest, facts)
    bootorder.check(guest, facts)
    _disk_slots(guest, facts, where)
    pcidevs.check(guest, facts)
    nics.check(guest, facts)
    peripherals.check(guest, facts)
    ports.check(guest)
    seed.check(guest, facts)
    board.check(guest, facts)
    _known_devices(guest, facts, medium, where)
    limits.check(guest, facts)


def warnings(guest: Guest, facts: Facts) -> Iterable[str]:
    """What the user should know of a guest that starts all the same."""
    if not facts.console and not shows_screen(guest):
        yield f"{facts.name}: serial: is not set, so the guest has no console; set it to have one"
    if shows_screen(guest) and guest.uefi_vnc_password is not None and "k" not in facts.host.options:
        seen = "this bhyve takes it on its command line alone, where ps(1) shows it"
        hide = "hide that from others with: sysctl security.bsd.see_other_uids=0"
        yield f"{facts.name}: uefi_vnc_password: {seen}; {hide}"
    for card in filter(is_card, guest.net_ifaces):
        if f"{card}_mac" not in guest.text:
            yield f"{facts.name}: {card}: has no fixed address, and gets another when it moves; set {card}_mac"
    yield from board.warnings(guest, facts)
    yield from arm64.warnings(guest, facts)
    yield from idle.warnings(guest, facts)


def _life(guest: Guest, facts: Facts) -> None:
    if guest.template:
        raise ChyvesError(f"{facts.name}: template: a template does not start; clone it, or set template=no")
    version = guest.chyves_guest_version
    if version > GUEST_VERSION:
        raise ChyvesError(
            f"{facts.name}: chyves_guest_version: {version} is newer than this chyves knows ({GUEST_VERSION}); "
            "use the chyves that wrote it"
        )
    if version < OLDEST:
        raise ChyvesError(
            f"{facts.name}: chyves_guest_version: {version} is older than any that chyves takes over ({OLDEST}); "
            "make the guest anew"
        )


def _processors(guest: Guest, facts: Facts) -> None:
    if not facts.host.unrestricted:
        lacking = "needs unrestricted guest mode, which this host's processor does not have"
        if guest.loader != "bhyveload":
            raise ChyvesError(f"{facts.name}: loader: {guest.loader} {lacking}; use bhyveload")
        if guest.cpu > 1:
            raise ChyvesError(f"{facts.name}: cpu: more than 1 {lacking}; use 1")
    if guest.cpu > facts.host.cpus:
        most = facts.host.cpus
        raise ChyvesError(f"{facts.name}: cpu: {guest.cpu} is more than this host has ({most}); use at most {most}")


def _memory(guest: Guest, facts: Facts) -> None:
    size = Guest.ram.type.format
    if guest.ram % MEGABYTE:
        raise ChyvesError(
            f"{facts.name}: ram: {size(guest.ram)} is not a whole number of megabytes; "
            f"use {size(guest.ram // MEGABYTE * MEGABYTE + MEGABYTE)}"
        )
    if guest.ram > facts.host.memory:
        most = facts.host.memory // MEGABYTE
        raise ChyvesError(
            f"{facts.name}: ram: {size(guest.ram)} is more than this host has ({most}M); use less than {most}M"
        )


def _loader(guest: Guest, facts: Facts, medium: str | None) -> None:
    if guest.loader == "uefi":
        _firmware(guest, facts)
    if guest.loader in ("uefi", arm64.LOADER):
        return
    if not facts.console:
        raise ChyvesError(
            f"{facts.name}: serial: is not set, and {guest.loader} needs a console; set it, such as serial=nmdm50"
        )
    elsewhere = guest.os == "custom" if guest.loader == "grub-bhyve" else _host_root(guest)
    if not facts.disks and medium is None and not elsewhere:
        raise ChyvesError(
            f"{facts.name}: has nothing to boot from; add a disk (chyves {facts.name} disk add), "
            f"or start it with a medium (chyves {facts.name} start ISO)"
        )


def _host_root(guest: Guest) -> bool:
    return any(option == "-h" for option, _ in bargs.bhyveload_options(guest))


def _firmware(guest: Guest, facts: Facts) -> None:
    if guest.uefi_firmware is None:
        raise ChyvesError(firmware.not_set(facts.name))
    if facts.firmware is None:
        raise ChyvesError(
            f"{facts.name}: uefi_firmware: {guest.uefi_firmware} is not among the firmware of this host; "
            "see: chyves list firmware"
        )


def _screen(guest: Guest, facts: Facts) -> None:
    if shows_screen(guest) and guest.uefi_vnc_port is None and not guest.uefi_vnc_socket:
        raise ChyvesError(f"{facts.name}: uefi_vnc_port: is not set; set a port that is free, such as 5900")


def _paths(guest: Guest, facts: Facts, medium: str | None) -> None:
    paths = [(f"disk {shown(disk.name)}", disk.path) for disk in facts.disks]
    paths += [("medium", medium)] if medium else []
    if guest.loader == arm64.LOADER:
        paths += [("loader", facts.firmware or "")]
    if guest.loader == "uefi":
        paths += [("uefi_firmware", path) for path in (facts.firmware, facts.null_iso) if path]
        paths += [("uefi_vars", facts.variables.path)] if facts.variables and guest.uefi_vars else []
    seen: dict[str, str] = {}
    for what, path in paths:
        if bad := _UNSPEAKABLE.search(path):
            raise ChyvesError(
                f"{facts.name}: {what}: {path!a} has {_called(bad[0])} in it, which bhyve cannot take; rename it"
            )
        if path in seen:
            raise ChyvesError(f"{facts.name}: {what}: {path} is also {seen[path]}; take one of them away")
        seen[path] = what


def _called(character: str) -> str:
    if character.isspace():
        return "a blank"
    return {",": "a comma", "%": "a percent sign"}.get(character, f"the character {character!a}")


def _disk_slots(guest: Guest, facts: Facts, where: Where) -> None:
    """A guest whose loader became uefi may have its disks where the firmware does not look."""
    slots = {where[device.name].board for device in devices(guest, facts) if device.family == DISK}
    if guest.loader == "uefi" and len(slots) > UEFI_DISK_SLOTS:
        raise ChyvesError(
            f"{facts.name}: pci_slots: disks are on {len(slots)} slots, and UEFI firmware looks on {UEFI_DISK_SLOTS}; "
            "unset pci_slots to have all devices placed anew"
        )


def _known_devices(guest: Guest, facts: Facts, medium: str | None, where: Where) -> None:
    wanted = [
        (device.name, device.emulation if where[device.name].port is None else "ahci")
        for device in devices(guest, facts)
    ]
    wanted += [("guest", "hostbridge")] + ([("loader", "lpc")] if guest.loader != arm64.LOADER else [])
    wanted += [("uefi_console_output", "fbuf")] if shows_screen(guest) else []
    disc = arm64.BOOTS_FROM if guest.loader == arm64.LOADER else "ahci-cd"
    wanted += [("medium", disc)] if medium or (guest.loader == "uefi" and facts.null_iso) else []
    for what, emulation in wanted:
        _refuse_unknown(facts, what, emulation)
    lpc = [("serial", "com1")] if facts.console and guest.loader != arm64.LOADER else []
    lpc += [("loader", "bootrom")] if guest.loader == "uefi" else []
    for what, device in lpc:
        if facts.host.lpc and device not in facts.host.lpc:
            raise ChyvesError(f"{facts.name}: {what}: the bhyve of this host has no {device}; see: bhyve -l help")


def _refuse_unknown(facts: Facts, what: str, emulation: str) -> None:
    """Refuse a device that bhyve does not list, or, where it is too old to list any, that came after it."""
    since, release = DEVICES_SINCE.get(emulation, (0, ""))
    known = facts.host.devices
    if emulation not in known if known else facts.host.release < since:
        more = f", which came with FreeBSD {release}; choose another" if release else "; see: bhyve -s help"
        raise ChyvesError(f"{facts.name}: {what}: the bhyve of this host has no {emulation}{more}")
