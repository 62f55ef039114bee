"""Give guests devices of the host, and take them away: with all functions of a card, at run time and whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from chyves import names
from chyves.addresses import Address
from chyves.bhyve import pptdevs
from chyves.bhyve.pcidevs import no_iommu
from chyves.errors import ChyvesError
from chyves.guests import bound, leftovers, prepare, running
from chyves.guests.template import refuse_template
from chyves.host.facts import host_facts
from chyves.host.interfaces import Interface
from chyves.host.machine import Host
from chyves.host.pci import BRIDGE, STORAGE, PciDevice
from chyves.host.undo import Undo
from chyves.network.plan import free_number, uplink_of
from chyves.pools import together
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest

ROM_SINCE = 1400000
"""kern.osreldate from which bhyve takes `rom=` (freebsd.md 1.6)."""
LOADER = "/boot/loader.conf"
LOADERS = (LOADER, "/boot/loader.conf.local")

Devices = Mapping[str, PciDevice]


def add(host: Host, guest: str, device: str, rom: str | None = None, yes: bool = False) -> None:
    """Give a guest that does not run a card of the host, with all its functions: named and with ppt, or neither.

    Asks before a controller that the host may have disks at goes.
    """
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        refuse_template(holding)
        _refuse_running(host, guest)
        _refuse_host(host, guest, rom)
        _load(holdings, guest)
        devices = host.pci.all()
        card = _card(holdings, guest, device, devices)
        before = holding.properties
        after = _given(holdings, holding, device, card, _rom(holdings, rom), devices)
        wanted = [place for place in card if not devices[place].passed]
        if not wanted and before.text == after.text:
            raise ChyvesError(f"{guest}: {device}: the guest has it already, and so has ppt")
        if not host.dry and not _agreed(host, guest, [devices[place] for place in wanted], yes):
            return
        with Undo() as undo:
            _give(host, undo, wanted, devices)
            undo.do(
                lambda: together.write(holdings, [before], [after]),
                lambda: together.write(holdings, [after], [before]),
                f"restore the properties of {guest}",
            )
            host.events.note("device_added", guest, devices=card)
        host.terminal.say(1, f"{guest}: {', '.join(card)} added; ppt has {'it' if len(card) == 1 else 'them'} now")
        everyone = {**holdings.each_properties(host.terminal.warn), guest: after}
        _tell_lasting(host, sorted(bound.owners(everyone, devices)))


def remove(host: Host, guest: str, device: str) -> None:
    """Take a card from a guest that does not run; the host has it again, where chyves took it and no guest names it."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        refuse_template(holding)
        _refuse_running(host, guest)
        devices = host.pci.all()
        own = bound.places(holding.properties, devices)
        gone = {place: name for place, name in own.items() if _slot(place) == _slot(device)}
        if device not in own:
            have = ", ".join(own) or "none"
            raise ChyvesError(f"{guest}: {device}: the guest does not have it (it has: {have})")
        before = holding.properties
        holding.properties = prepare.placed(holdings, holding).with_changes(dict.fromkeys(gone.values()))
        after = prepare.placed(holdings, holding)
        everyone = {**holdings.each_properties(host.terminal.warn), guest: after}
        named = bound.owners(everyone, devices)
        taken = bound.noted(host)
        spare = [place for place in gone if place in taken and place not in named]
        with Undo() as undo:
            undo.do(
                lambda: together.write(holdings, [before], [after]),
                lambda: together.write(holdings, [after], [before]),
                f"restore the properties of {guest}",
            )
            for place in spare:
                _hand_back(host, undo, place, devices)
            if spare:
                undo.do(
                    lambda: bound.note(host, set(taken) - set(spare)),
                    lambda: bound.note(host, taken),
                    f"restore {bound.NOTE}",
                )
            host.events.note("device_removed", guest, devices=list(gone))
        _tell_removed(host, guest, list(gone), spare, named)


def _slot(place: str) -> str:
    return place.rpartition("/")[0]


def _refuse_running(host: Host, guest: str) -> None:
    if running.supervisor(host, guest) is not None:
        raise ChyvesError(f"{guest}: runs, so that its devices of the host cannot change; stop it first")


def _refuse_host(host: Host, guest: str, rom: str | None) -> None:
    """Refuse what this host or its bhyve cannot do."""
    facts = host_facts(host)
    if facts.devices and "passthru" not in facts.devices:
        raise ChyvesError(f"{guest}: the bhyve of this host has no passthru, which amd64 alone has; see: bhyve -s help")
    if not facts.iommu:
        raise ChyvesError(f"{guest}: {no_iommu(facts)}")
    if rom is not None and facts.release < ROM_SINCE:
        raise ChyvesError(
            f"{guest}: {names.shown(rom)}: the bhyve of this host takes no ROM; FreeBSD 14.0 and later do"
        )


def _load(holdings: Holdings, guest: str) -> None:
    """Have vmm be there, which ppt is a part of."""
    kernel = holdings.host.kernel
    if holdings.globals.auto_load_kernel_mods:
        kernel.load(("vmm",))
    elif not kernel.loaded("vmm"):
        raise ChyvesError(f"{guest}: this kernel has no vmm(4), which has ppt; load it: kldload vmm")


def _card(holdings: Holdings, guest: str, device: str, devices: Devices) -> list[str]:
    """All functions of the card that a device is of, in their order; raises ChyvesError where it cannot be given."""
    if device not in devices:
        raise ChyvesError(f"{guest}: {device}: this host has no such device; see: chyves list pci")
    card = sorted(place for place in devices if _slot(place) == _slot(device))
    named = bound.owners(holdings.each_properties(holdings.host.terminal.warn), devices)
    uplinks = {uplink_of(holdings.globals, f"bridge{n}"): n for n in holdings.globals.bridge_phy_attach}
    existing = holdings.host.interfaces.all()
    for place in card:
        one = devices[place]
        others = [other for other in named.get(place, ()) if other != guest]
        if others:
            reason = f"{place} belongs to {others[0]}, and a card goes to one guest whole"
            raise ChyvesError(f"{guest}: {reason}; take it away first: chyves {others[0]} pci remove {place}")
        if one.kind == BRIDGE:
            raise ChyvesError(f"{guest}: {place}: is a bridge that other devices of the host hang on; choose another")
        if one.name in uplinks:
            bridge = f"bridge{uplinks[one.name]}"
            reason = f"{place} is {one.name}, which {bridge} is attached to"
            raise ChyvesError(f"{guest}: {reason}; attach that elsewhere first: chyves network {bridge} private")
        if (used := _use(one.name, existing)) is not None:
            raise ChyvesError(f"{guest}: {place} is {one.name}, {used}")
    return card


def _use(card: str, existing: Mapping[str, Interface]) -> str | None:
    """What the host has a network card for, and how that ends; None for nothing, or for no network card."""
    if card in existing and existing[card].addresses:
        address = existing[card].addresses[0]
        family = "inet6" if ":" in address else "inet"
        line = f"ifconfig {card} {family} {address} -alias"
        return f"by which this host is reached at {address}; take that off first: {line}"
    bridge = next((name for name, interface in existing.items() if card in interface.members), None)
    return f"which is on {bridge}; take it off first: ifconfig {bridge} deletem {card}" if bridge else None


def _rom(holdings: Holdings, rom: str | None) -> str | None:
    """The file of a ROM: a firmware by its name, or a path; raises ChyvesError where there is none."""
    if rom is None:
        return None
    if "/" not in rom:
        return str(holdings.resource("firmware", rom))
    path = Path(rom).absolute()
    if not path.is_file():
        raise ChyvesError(f"{names.shown(rom)}: there is no such file; give a ROM's path, or a firmware's name")
    return str(path)


def _given(
    holdings: Holdings, holding: GuestHolding, device: str, card: Sequence[str], rom: str | None, devices: Devices
) -> Guest:
    """A guest's properties with a card: its functions sit on one slot, with the numbers that they have on the host."""
    guest = prepare.placed(holdings, holding)
    own = bound.places(guest, devices)
    changes: dict[str, str | None] = {}
    for place in card:
        name = own.get(place) or f"pcidev_{free_number(0, (*guest.pcidev, *map(_number, changes)))}"
        if place not in own or (place == device and rom is not None):
            text = f"passthru,{place}" + (f",{bound.ROM}{rom}" if rom is not None and place == device else "")
            changes[name] = Guest.pcidev.type.format(Guest.pcidev.parse(holding.name, text, name))
    holding.properties = guest.with_changes(changes)
    placed = prepare.placed(holdings, holding)
    return _kept_functions(placed, own, bound.places(placed, devices), card)


def _number(name: str) -> int:
    return Guest.pcidev.number(name) or 0


def _kept_functions(guest: Guest, before: Mapping[str, str], now: Mapping[str, str], card: Iterable[str]) -> Guest:
    """The properties with each new function of a card at the number that it has on the host, where that is free."""
    slots = dict(guest.pci_slots)
    new = [place for place in card if place not in before]
    kept = {place: slots[now[place]] for place in new}
    places = {now[place]: Address(at.slot, int(place.rpartition("/")[2]), bus=at.bus) for place, at in kept.items()}
    taken = {address for name, address in slots.items() if name not in places}
    if not taken.intersection(places.values()):
        slots |= places
    return guest.with_changes({"pci_slots": Guest.pci_slots.type.format(slots)})


def _agreed(host: Host, guest: str, wanted: Sequence[PciDevice], yes: bool) -> bool:
    """Whether the user agrees to lose the disks at a controller: devctl takes it away also where a pool is on them."""
    used = [f"{one.place} ({one.name})" for one in wanted if one.kind == STORAGE and one.driver]
    question = f"{guest}: take {', '.join(used)} from the host, with all disks at it?"
    return not used or host.terminal.confirm(question, yes)


def _give(host: Host, undo: Undo, wanted: Collection[str], devices: Devices) -> None:
    """Give devices to ppt; noted first, so that whoever finds them after a crash gives them back."""
    taken = bound.noted(host)
    if wanted:
        undo.do(lambda: bound.note(host, {*taken, *wanted}), lambda: bound.note(host, taken), f"restore {bound.NOTE}")
    for place in wanted:
        # First, for devctl takes the device from its driver before it can fail.
        undo.do(lambda: None, lambda place=place: _restore(host, devices[place]), f"give {place} back")  # type: ignore[misc]
        undo.do(lambda place=place: host.pci.give(place))  # type: ignore[misc]


def _hand_back(host: Host, undo: Undo, place: str, devices: Devices) -> None:
    undo.do(lambda: None, lambda: _restore(host, devices[place]), f"give {place} to ppt again")
    undo.do(lambda: bound.give_back(host, [place], devices))


def _restore(host: Host, before: PciDevice) -> None:
    """Have a device be with the driver that it was with."""
    now = host.pci.all().get(before.place)
    if now is None or now.driver == before.driver:
        return
    if before.passed:
        host.pci.give(before.place)
    else:
        host.pci.take_back(before.place)


def _settings(host: Host) -> dict[str, str]:
    """The variables of the loader's files, of which a later file wins."""
    found: dict[str, str] = {}
    local = sorted(host.path("/boot/loader.conf.d").glob("*.conf"))
    for path in (host.path(LOADER), *local, host.path(LOADERS[1])):
        if path.is_file():
            found |= pptdevs.settings(path.read_text(errors="replace"))
    return found


def _tell_lasting(host: Host, named: Sequence[str]) -> None:
    """What the loader's file must say for all devices that guests have to be theirs after the host's next start."""
    lines, left = pptdevs.lasting(_settings(host), named)
    if lines:
        host.terminal.say(1, f"{', '.join(named)}: to be with ppt after the next start of the host, have in {LOADER}:")
    for line in lines:
        host.terminal.say(1, f"  {line}")
    if left:
        variables = ", ".join(pptdevs.VARIABLES)
        host.terminal.warn(f"{', '.join(left)}: {variables} have no room for it; add it after each start of the host")


def _tell_removed(
    host: Host, guest: str, gone: Sequence[str], spare: Sequence[str], named: Mapping[str, Sequence[str]]
) -> None:
    back = f"; the host has {', '.join(spare)} again" if spare else ""
    host.terminal.say(1, f"{guest}: {', '.join(gone)} removed{back}")
    listed = [place for place in pptdevs.listed(_settings(host)) if place in gone and place not in named]
    if listed:
        host.terminal.say(1, f"{', '.join(listed)}: {LOADER} gives it to ppt (pptdevs); take it out there")
