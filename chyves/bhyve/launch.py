"""The whole of a guest's start as command lines, and every reason why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from chyves import names
from chyves.bhyve import bargs, checks
from chyves.bhyve.devices import Device, devices, passthru, shows_screen
from chyves.bhyve.facts import Facts
from chyves.bhyve.loaders import console, loading, memory
from chyves.bhyve.slots import places
from chyves.properties import Guest
from chyves.values import Address

HOST_BRIDGE, SCREEN, MEDIUM, LPC = Address(0), Address(2), Address(3), Address(31)
PASSWORD = "password="
FILLER = "hostbridge"
"""Sits at function 0 of a slot whose own device there is gone: guests look no further where function 0 is empty."""


@dataclass(frozen=True)
class Launch:
    """What starts a guest: the loader's line (empty for UEFI), bhyve's, files to write first (path to text)."""

    loader: tuple[str, ...]
    bhyve: tuple[str, ...]
    files: dict[str, str]
    warnings: tuple[str, ...]


def launch(guest: Guest, facts: Facts, medium: str | None) -> Launch:
    """The command lines for FreeBSD's bhyve(8), with the optical medium at that path or, with None, without one.

    Raises ChyvesError for every misconfiguration that can be known without trying (freebsd.md 9).
    """
    where = places(guest, facts)
    checks.check(guest, facts, medium, where)
    wired = bargs.wires(guest) or passthru(guest)
    load = loading(guest, facts, medium, wired)
    found = bus(guest, facts, medium)
    found, secret = _without_secrets(found) if "k" in facts.host.options else (found, "")
    files = load.files | ({_secrets(facts): secret} if secret else {})
    return Launch(load.argv, _bhyve(guest, facts, found, secret != ""), files, tuple(checks.warnings(guest, facts)))


def bus(guest: Guest, facts: Facts, medium: str | None = None) -> dict[Address, str]:
    """What sits at each slot and function of a guest's PCI bus, in their order; raises ChyvesError for no room."""
    found = _all(_fixed(guest, facts, medium), guest, facts, places(guest, facts))
    return {place: found[place] for place in sorted(found, key=_order)}


def _bhyve(guest: Guest, facts: Facts, found: dict[Address, str], secret: bool) -> tuple[str, ...]:
    slots = chain.from_iterable(("-s", f"{_slot(place)},{line}") for place, line in found.items())
    return (
        "bhyve",
        *guest.bargs,
        *(("-S",) if passthru(guest) and not bargs.wires(guest) else ()),
        *("-c", str(guest.cpu)),
        *("-m", memory(guest)),
        *(("-U", guest.uuid) if guest.uuid else ()),
        *slots,
        *(("-l", f"com1,{console(guest, facts)}") if facts.console else ()),
        *(("-l", f"bootrom,{facts.firmware}") if guest.loader == "uefi" else ()),
        *(("-k", _secrets(facts)) if secret else ()),
        names.vm(facts.name),
    )


def _secrets(facts: Facts) -> str:
    """The file from which bhyve reads what ps(1) shall not show."""
    return f"{facts.scratch}/secrets.conf"


def _without_secrets(devices: dict[Address, str]) -> tuple[dict[Address, str], str]:
    """The devices without their passwords, and these as lines of bhyve_config(5), which bhyve adds to the devices."""
    secrets = ""
    found = dict(devices)
    for place, line in devices.items():
        options = line.split(",")
        hidden = [option for option in options if options[0] == "fbuf" and option.startswith(PASSWORD)]
        found[place] = ",".join(option for option in options if option not in hidden)
        secrets += "".join(f"pci.0.{place.slot}.{place.function}.{option}\n" for option in hidden)
    return found, secrets


def _order(place: Address) -> tuple[int, int]:
    return place.slot, place.function


def _slot(place: Address) -> str:
    return f"{place.slot}:{place.function}" if place.function else str(place.slot)


def _fixed(guest: Guest, facts: Facts, medium: str | None) -> dict[Address, str]:
    """The devices whose slots never change. A UEFI guest without a medium gets an empty one, as with 0.2.0."""
    bus = {HOST_BRIDGE: "hostbridge", LPC: "lpc"}
    if shows_screen(guest):
        bus[SCREEN] = _screen(guest)
    disc = medium or (facts.null_iso if guest.loader == "uefi" else None)
    if disc:
        bus[MEDIUM] = f"ahci-cd,{disc},ro"
    return bus


def _screen(guest: Guest) -> str:
    width, _, height = guest.uefi_vnc_res.partition("x")
    wait = ",wait" if guest.uefi_vnc_pause_until_client_connect else ""
    password = "" if guest.uefi_vnc_password is None else f",{PASSWORD}{guest.uefi_vnc_password}"
    return f"fbuf,tcp={guest.uefi_vnc_ip}:{guest.uefi_vnc_port},w={width},h={height}{wait}{password}"


def _all(fixed: dict[Address, str], guest: Guest, facts: Facts, where: dict[str, Address]) -> dict[Address, str]:
    """What sits at each slot and function: the fixed devices, and the guest's."""
    bus = dict(fixed)
    controllers: dict[Address, dict[int, Device]] = {}
    for device in devices(guest, facts):
        place = where[device.name]
        if place.port is None:
            bus[place] = str(device)
        else:
            controllers.setdefault(Address(place.slot, place.function), {})[place.port] = device
    bus |= {place: _controller(ports) for place, ports in controllers.items()}
    return dict.fromkeys((Address(place.slot) for place in bus), FILLER) | bus


def _controller(ports: dict[int, Device]) -> str:
    """An AHCI controller with disks on its ports.

    Ports count from 0 in the order of the line; one whose disk was taken out is left empty by an entry without a path
    (pci_ahci.c of every FreeBSD release), so that no other disk moves.
    """
    return ",".join(["ahci", *(f"hd:{ports[port].conf if port in ports else ''}" for port in range(max(ports) + 1))])
