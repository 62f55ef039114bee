"""The whole of a guest's start as command lines, and every reason why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from chyves import names
from chyves.addresses import Address
from chyves.bhyve import arm64, bargs, board, bootorder, checks, firmware, limits, processors, seed, tpm
from chyves.bhyve.devices import Device, devices, shows_screen
from chyves.bhyve.facts import Facts
from chyves.bhyve.loaders import console, loading, memory
from chyves.bhyve.slots import places
from chyves.properties import Guest

HOST_BRIDGE, SCREEN, MEDIUM, LPC = Address(0), Address(2), Address(3), Address(31)
PASSWORD = "password="
FILLER = "hostbridge"
"""Sits at function 0 of a slot whose own device there is gone: guests look no further where function 0 is empty."""


@dataclass(frozen=True)
class Launch:
    """What starts a guest: the loader's line (empty for UEFI), bhyve's, files to write first (path to text).

    `before` are programs that become bhyve, with their words; `limits` are those of rctl(8) for bhyve's process, as
    chyves.bhyve.limits.rctl takes them; `tpm` is what plays the guest's TPM, and is started right before bhyve; `seed`
    is what its cloud-init is told, made before each start.
    """

    loader: tuple[str, ...]
    bhyve: tuple[str, ...]
    files: dict[str, str]
    warnings: tuple[str, ...]
    before: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    tpm: tpm.Emulator | None = None
    seed: seed.Image | None = None

    @property
    def line(self) -> tuple[str, ...]:
        """What is run to have bhyve."""
        return (*self.before, *self.bhyve)


def launch(guest: Guest, facts: Facts, medium: str | None) -> Launch:
    """The command lines for FreeBSD's bhyve(8), with the optical medium at that path or, with None, without one.

    Raises ChyvesError for every misconfiguration that can be known without trying (freebsd.md 9).
    """
    where = places(guest, facts)
    checks.check(guest, facts, medium, where)
    load = loading(guest, facts, medium, board.wired(guest))
    found = bus(guest, facts, medium)
    found, secret = _without_secrets(found) if "k" in facts.host.options else (found, "")
    files = load.files | ({_secrets(facts): secret} if secret else {})
    return Launch(
        load.argv,
        _bhyve(guest, facts, found, secret != ""),
        files,
        tuple(checks.warnings(guest, facts)),
        tuple(limits.before(guest)),
        limits.limits(guest),
        tpm.emulator(guest, facts),
        seed.image(guest, facts),
    )


def bus(guest: Guest, facts: Facts, medium: str | None = None) -> dict[Address, str]:
    """What sits at each slot and function of a guest's PCI bus, in their order; raises ChyvesError for no room."""
    found = _all(_fixed(guest, facts, medium), guest, facts, places(guest, facts))
    return {place: found[place] for place in sorted(found, key=lambda place: place.spot)}


def _bhyve(guest: Guest, facts: Facts, found: dict[Address, str], secret: bool) -> tuple[str, ...]:
    slots = chain.from_iterable(("-s", f"{_slot(place)},{line}") for place, line in found.items())
    return (
        "bhyve",
        *arm64.own_options(guest),
        *(("-S",) if board.wired(guest) and not bargs.wires(guest) else ()),
        *("-c", processors.topology(guest)),
        *("-m", memory(guest)),
        *processors.words(guest),
        *(("-U", guest.uuid) if guest.uuid else ()),
        *board.words(guest),
        *slots,
        *(("-Y",) if _several_buses(guest, facts, found) else ()),
        *(arm64.words if guest.loader == arm64.LOADER else _bridged)(guest, facts),
        *board.tables(guest),
        *(("-k", _secrets(facts)) if secret else ()),
        names.vm(facts.name),
    )


def _bridged(guest: Guest, facts: Facts) -> tuple[str, ...]:
    """What is behind the bridge for old devices: serial ports, boot ROM, TPM."""
    return (
        *(("-l", f"com1,{console(guest, facts)}") if facts.console else ()),
        *board.lines(guest, facts),
        *(("-l", f"bootrom,{firmware.rom(guest, facts)}{board.rom(guest)}") if guest.loader == "uefi" else ()),
        *tpm.words(guest, facts),
        *bootorder.words(guest),
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
        node = ".".join(map(str, place.spot))
        secrets += "".join(f"pci.{node}.{option}\n" for option in hidden)
    return found, secrets


def _several_buses(guest: Guest, facts: Facts, found: dict[Address, str]) -> bool:
    """Whether the guest must do without the MP table, which knows the first bus alone; also that of bargs counts."""
    if not any(place.bus for place in found) or any(option == "-Y" for option, _ in bargs.bhyve_options(guest)):
        return False
    return not facts.host.options or "Y" in facts.host.options


def _slot(place: Address) -> str:
    if place.bus:
        return ":".join(map(str, place.spot))
    return f"{place.slot}:{place.function}" if place.function else str(place.slot)


def _fixed(guest: Guest, facts: Facts, medium: str | None) -> dict[Address, str]:
    """The devices whose slots never change. A UEFI guest without a medium gets an empty one, as with 0.2.0."""
    bus = {HOST_BRIDGE: "hostbridge"} | ({LPC: "lpc"} if guest.loader != arm64.LOADER else {})
    if shows_screen(guest):
        bus[SCREEN] = _screen(guest, facts)
    disc = medium or (facts.null_iso if guest.loader == "uefi" else None)
    if disc:
        bus[MEDIUM] = arm64.medium(disc) if guest.loader == arm64.LOADER else f"ahci-cd,{disc},ro"
    return bus


def _screen(guest: Guest, facts: Facts) -> str:
    width, _, height = guest.uefi_vnc_res.partition("x")
    wait = ",wait" if guest.uefi_vnc_pause_until_client_connect else ""
    password = "" if guest.uefi_vnc_password is None else f",{PASSWORD}{guest.uefi_vnc_password}"
    return f"fbuf,{board.screen_place(guest, facts)},w={width},h={height}{wait}{password}"


def _all(fixed: dict[Address, str], guest: Guest, facts: Facts, where: dict[str, Address]) -> dict[Address, str]:
    """What sits at each slot and function: the fixed devices, and the guest's."""
    bus = dict(fixed)
    controllers: dict[Address, dict[int, Device]] = {}
    for device in devices(guest, facts):
        place = where[device.name]
        if place.port is None:
            bus[place] = str(device)
        else:
            controllers.setdefault(Address(place.slot, place.function, bus=place.bus), {})[place.port] = device
    bus |= {place: _controller(ports) for place, ports in controllers.items()}
    return dict.fromkeys((Address(place.slot, bus=place.bus) for place in bus), FILLER) | bus


def _controller(ports: dict[int, Device]) -> str:
    """An AHCI controller with disks on its ports.

    Ports count from 0 in the order of the line; one whose disk was taken out is left empty by an entry without a path
    (pci_ahci.c of every FreeBSD release), so that no other disk moves.
    """
    return ",".join(["ahci", *(f"hd:{ports[port].conf if port in ports else ''}" for port in range(max(ports) + 1))])
