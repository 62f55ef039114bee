"""Guests on arm64 hosts: U-Boot loads them, and bhyve there has no bridge for old devices and fewer options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chyves.addresses import Address
from chyves.bhyve import bargs, board, bootorder, disks, tpm
from chyves.bhyve.facts import Facts
from chyves.bhyve.loaders import console
from chyves.board import SMBIOS
from chyves.errors import ChyvesError
from chyves.properties import Guest

LOADER, MACHINE = "u-boot", "arm64"
INSTALLED = "/usr/local/share/u-boot/u-boot-bhyve-arm64/u-boot.bin"
"""Where the package u-boot-bhyve-arm64 has what every guest there boots with (freebsd.md 7.4)."""
TAKES = frozenset("hCDMSWkopGcsmU")
"""The options of bhyve that are not of amd64 alone: those of getopt(3) that its bhyverun_machdep.c acts on."""
OF_AMD64 = ("x86.", "lpc.", "tpm.", "domains.", "fwcfg.")
"""Beginnings of variables (freebsd.md 1.4) in which nothing but the bhyve of amd64 looks."""
OWN = {"console": "serial", "bootrom": "uefi_firmware"}
BOOTS_FROM = "virtio-blk"
"""The disks that the package's U-Boot boots from by itself, the first of them first (its README)."""


def own_options(guest: Guest) -> tuple[str, ...]:
    """`bargs` as this guest's bhyve takes them: where they are the usual ones, without those for amd64."""
    if guest.loader != LOADER or guest.bargs != Guest.bargs.parse(guest.owner, Guest.bargs.default, "bargs"):
        return guest.bargs
    return tuple(word for word in guest.bargs if word[1:] in TAKES)


def medium(path: str) -> str:
    """A medium as U-Boot finds it, which it does before every disk: its slot is the first."""
    return f"{BOOTS_FROM},{path},ro"


def words(guest: Guest, facts: Facts) -> tuple[str, ...]:
    """The boot ROM and the serial console, if the guest has one."""
    line = ("-o", f"console={console(guest, facts)}") if facts.console else ()
    return (*line, "-o", f"bootrom={facts.firmware}")


def check(guest: Guest, facts: Facts, where: Mapping[str, Address]) -> None:
    """Raise ChyvesError for a guest of another machine than this host, and for what an arm64 guest cannot have."""
    here = facts.host.machine == MACHINE
    if here != (guest.loader == LOADER):
        reason = f"this is an {MACHINE} one; set loader={LOADER}" if here else "this is an amd64 one; set loader=uefi"
        raise ChyvesError(
            f"{facts.name}: loader: {guest.loader} is for {'amd64' if here else MACHINE} hosts, and {reason}"
        )
    if not here:
        return
    if facts.firmware is None:
        raise ChyvesError(f"{facts.name}: loader: {INSTALLED} is not there; install the package u-boot-bhyve-arm64")
    if guest.tpm != tpm.OFF:
        raise ChyvesError(f"{facts.name}: tpm: is for amd64 hosts; set tpm=off")
    if name := next(_of_amd64(guest), ""):
        raise ChyvesError(f"{facts.name}: {name}: is for amd64 hosts; unset it")
    if far := next((name for name, place in where.items() if place.bus), ""):
        # Its tree of devices tells of one PCI bus (fdt.c); on amd64 ACPI tells of the others.
        raise ChyvesError(
            f"{facts.name}: pci_slots: {far} is on bus {where[far].bus}, and guests on {MACHINE} see bus 0 alone; "
            "unset pci_slots, or have fewer devices"
        )
    if own_options(guest) == guest.bargs:
        _options(guest, facts)


def _of_amd64(guest: Guest) -> Iterator[str]:
    """The properties of what the bhyve of arm64 does not have, or takes without a word and does nothing with."""
    yield from board.coms(guest)
    yield from ["keyboard"] * (guest.keyboard is not None)
    yield from (f"numa{number}" for number in sorted(guest.numa))
    yield from (f"fwcfg_{number}" for number in sorted(guest.fwcfg_item))
    yield from ["fwcfg"] * (guest.fwcfg != "bhyve")
    yield from (name for name, _ in bootorder.places(guest))
    yield from (name for name in SMBIOS if getattr(guest, name) is not None)


def _options(guest: Guest, facts: Facts) -> None:
    for option, value in bargs.bhyve_options(guest):
        line = f"{option} {value}".rstrip()
        variable = value.partition("=")[0]
        if option[1:] not in TAKES or (option == "-o" and variable.startswith(OF_AMD64)):
            raise ChyvesError(f"{facts.name}: bargs: {line} is for amd64 hosts; take it out")
        if option == "-o" and variable in OWN:
            raise ChyvesError(f"{facts.name}: bargs: {line} is what chyves gives itself; set {OWN[variable]} instead")


def warnings(guest: Guest, facts: Facts) -> Iterator[str]:
    """What the user should know of a guest that starts all the same."""
    if guest.loader != LOADER or guest.uefi_firmware is not None or not facts.disks:
        return
    if not any(disks.emulation(guest, disk) == BOOTS_FROM for disk in facts.disks):
        why = f"U-Boot boots from {BOOTS_FROM} by itself, which none of the disks is"
        yield f"{facts.name}: bhyve_disk_type: {why}; set bhyve_disk_type={BOOTS_FROM}"
