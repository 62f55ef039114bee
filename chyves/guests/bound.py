"""Devices of the host that guests have: which guest names which, and which of them chyves has given to ppt itself.

What chyves gave to ppt is noted in a file below /var/run, as it lasts until the host starts anew. Each changing command
gives back, under the lock `all`, what is in it and no guest names any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from chyves.bhyve.devices import is_passthru, physical
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.host.pci import PASSTHROUGH, PciDevice
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest

NOTE = f"{running.RUN}/.passthrough"
"""Begins with a dot, as no guest's name does: what is below has the names of guests."""
ROM = "rom="

Owners = dict[str, list[str]]


def _note(host: Host) -> Path:
    return host.path(NOTE)


def noted(host: Host) -> tuple[str, ...]:
    """The devices that chyves gave to ppt since the host's start."""
    return tuple(host.files.read(_note(host)).split()) if _note(host).exists() else ()


def note(host: Host, places: Collection[str]) -> None:
    """Keep which devices chyves gave to ppt."""
    if places:
        host.files.write(_note(host), "".join(f"{place}\n" for place in sorted(places)))
    elif _note(host).exists():
        host.files.remove(_note(host))


def places(guest: Guest, devices: Mapping[str, PciDevice]) -> dict[str, str]:
    """The devices of the host that a guest's properties name, by place, each with the property."""
    called = {device.name: place for place, device in devices.items() if device.name}
    found: dict[str, str] = {}
    for number, text in sorted(guest.pcidev.items()):
        if is_passthru(text):
            where = physical(text)
            word = text.split(",")[1] if "," in text else ""
            place = "/".join(map(str, where)) if where else called.get(word)
            found |= {place: f"pcidev_{number}"} if place else {}
    return found


def owners(guests: Mapping[str, Guest], devices: Mapping[str, PciDevice]) -> Owners:
    """The guests that name each device."""
    found: Owners = {}
    for name, guest in guests.items():
        for place in places(guest, devices):
            found.setdefault(place, []).append(name)
    return found


def held(host: Host, devices: Mapping[str, PciDevice]) -> Owners:
    """The guests that run with each device."""
    states = {name: running.read(host, name) for name in running.recorded(host)}
    runs = {name: Guest(name, state.properties) for name, state in states.items() if state}
    return owners({name: guest for name, guest in runs.items() if running.supervisor(host, name)}, devices)


def settle(host: Host, holdings: Holdings) -> None:
    """Give back to the host what chyves gave to ppt and no guest names, now that some guest is gone or was changed."""
    host.files.remove_unfinished(_note(host))
    taken = noted(host)
    if not taken:
        return
    unread: list[str] = []
    devices = host.pci.all()
    named = owners(holdings.each_properties(unread.append), devices) | held(host, devices)
    spare = [place for place in taken if place not in named]
    if unread or not spare:
        return
    try:
        give_back(host, spare, devices)
    except ChyvesError as error:
        host.terminal.warn(f"{', '.join(spare)}: no guest has it, and it cannot go back to the host: {error}")
        return
    note(host, set(taken) - set(spare))
    host.terminal.warn(f"{', '.join(spare)}: no guest has it any more; it is given back to the host")


def give_back(host: Host, spare: Iterable[str], devices: Mapping[str, PciDevice]) -> None:
    """Let the host's drivers have devices that are with ppt."""
    for place in spare:
        if place in devices and devices[place].passed:
            host.pci.take_back(place)


def refuse_unbound(host: Host, holding: GuestHolding) -> None:
    """Refuse to start a guest whose devices of the host are not there, not with ppt or in use by another that runs."""
    guest, name = holding.properties, holding.name
    if not any(map(is_passthru, guest.pcidev.values())):
        return
    devices = host.pci.all()
    taken = held(host, devices)
    for place, property_ in places(guest, devices).items():
        others = [other for other in taken.get(place, ()) if other != name]
        if place not in devices:
            raise ChyvesError(f"{name}: {property_}: this host has no {place}; see: chyves list pci")
        if others:
            raise ChyvesError(f"{name}: {property_}: {place} is in use by {others[0]}, which runs; stop that first")
        if not devices[place].passed and host.kernel.loaded("vmm"):
            has = devices[place].name or "no driver"
            reason = f"{place} is with {has}, and guests have devices from {PASSTHROUGH}"
            raise ChyvesError(f"{name}: {property_}: {reason}; give it over: chyves {name} pci add {place}")
    _refuse_no_rom(guest, name)


def _refuse_no_rom(guest: Guest, name: str) -> None:
    for number, text in sorted(guest.pcidev.items()):
        words = text.split(",") if is_passthru(text) else ()
        for path in (word.removeprefix(ROM) for word in words if word.startswith(ROM)):
            if not Path(path).is_file():
                raise ChyvesError(f"{name}: pcidev_{number}: {path}: there is no such file; give it another ROM")
