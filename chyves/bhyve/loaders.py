"""The command lines of the programs that load a guest before bhyve runs it: bhyveload(8) and grub-bhyve."""

from __future__ import annotations

from dataclasses import dataclass, field

from chyves import names
from chyves.bhyve import bargs
from chyves.bhyve.disks import disks
from chyves.bhyve.facts import Facts
from chyves.bhyve.recipes import recipe
from chyves.properties import Guest

OWN = "log"
"""What the guest's own pair has in its name behind that of the users' pair, with which no number can collide."""

BHYVELOAD_DISKS = 32
"""Disks that bhyveload takes; the first is the one it boots from."""


@dataclass(frozen=True)
class Loading:
    """A loader's line, empty where the firmware loads the guest, and the files that it reads: path to text."""

    argv: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)


def loading(guest: Guest, facts: Facts, medium: str | None, wired: bool) -> Loading:
    """What loads the guest from the medium at that path or, with None, from its disks."""
    if guest.loader == "bhyveload":
        return Loading(_bhyveload(guest, facts, medium, wired))
    return _grub(guest, facts, medium, wired) if guest.loader == "grub-bhyve" else Loading()


def memory(guest: Guest) -> str:
    """The guest's memory with its unit, in the one spelling that bhyve and both loaders read alike."""
    return Guest.ram.type.format(guest.ram)


def console(guest: Guest, facts: Facts) -> str:
    """The end of the null-modem pair that belongs to the guest: with console_log of a pair of its own."""
    return f"{facts.console}{OWN if guest.console_log else ''}A"


def _loaders_console(guest: Guest, facts: Facts) -> str:
    """The end that belongs to a loader: of the guest's own pair also where what it shows last may have to be told."""
    return f"{facts.console}{OWN if guest.console_log or guest.loader_timeout else ''}A"


def _bhyveload(guest: Guest, facts: Facts, medium: str | None, wired: bool) -> tuple[str, ...]:
    """With a medium no disk is named: bhyveload prefers a ZFS pool on any of them to the medium."""
    sources = [medium] if medium else [disk.path for disk in disks(facts)][:BHYVELOAD_DISKS]
    own_wire = any(option == "-S" for option, _ in bargs.bhyveload_options(guest))
    return (
        "bhyveload",
        *guest.bhyveload_flags,
        *(("-S",) if wired and not own_wire else ()),
        *("-m", memory(guest)),
        *(word for source in sources for word in ("-d", source)),
        *("-c", _loaders_console(guest, facts)),
        names.vm(facts.name),
    )


def _grub(guest: Guest, facts: Facts, medium: str | None, wired: bool) -> Loading:
    custom = guest.os == "custom"
    chosen = recipe(guest.os, medium)
    place = facts.directory if custom else facts.scratch
    directory = place if chosen.root == "host" else chosen.directory
    argv = (
        "grub-bhyve",
        *(("-S",) if wired else ()),
        *("-m", f"{place}/device.map"),
        *("-r", chosen.root),
        *(("-d", directory) if directory else ()),
        *("-c", _loaders_console(guest, facts)),
        *("-M", memory(guest)),
        names.vm(facts.name),
    )
    if custom:
        return Loading(argv)
    files = {f"{place}/device.map": _device_map(facts, medium)}
    if chosen.commands:
        files[f"{place}/grub.cfg"] = "".join(f"{command}\n" for command in (*chosen.commands, "boot"))
    return Loading(argv, files)


def _device_map(facts: Facts, medium: str | None) -> str:
    drives = [f"(hd{number}) {disk.path}\n" for number, disk in enumerate(disks(facts))]
    return "".join([*drives, f"(cd0) {medium}\n"] if medium else drives)
