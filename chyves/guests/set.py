"""Set and unset properties: every name and value of every guest is checked before the first file is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import TypeVar

from chyves.cli.assignments import assignments as parse_assignments
from chyves.errors import ChyvesError, UsageError
from chyves.guests import leftovers, running, screen, template
from chyves.guests.create import uefi_additions
from chyves.guests.get import owned
from chyves.guests.order import refuse_ring
from chyves.guests.unique import Owners, Unique
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.masking import masked
from chyves.names import is_card
from chyves.network.plan import is_system
from chyves.nics import PER_PORT, Cards, owner_of
from chyves.pools import together
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest
from chyves.section import Numbered, Section, UnknownProperty, When, Writer
from chyves.targets import FACTS, Target, named

AnySection = TypeVar("AnySection", bound=Section)
NOT_WHILE_RUNNING = ("serial", "template", "uuid")


def set_properties(host: Host, owner: Target, assignments: Sequence[str]) -> None:
    """Set properties of guests, the host or the defaults: all of them, or none."""
    wanted = parse_assignments(owner, assignments)
    change(host, [(owners, dict(values)) for owners, values in wanted])


def unset(host: Host, owner: Target, property: str) -> None:
    """Take a property out of its file, so that its default counts."""
    change(host, [(owner, {property: None})])


Changes = Mapping[str, str | None]


def change(
    host: Host,
    wanted: Sequence[tuple[Target, Changes]],
    more: Callable[[Holdings, Section], Changes] = lambda holdings, section: {},
) -> None:
    """Change properties of several owners at once, all of them or none; `more` tells what is set for each besides."""
    with ExitStack() as stack:
        stack.enter_context(host.locks.hold("all"))
        holdings = leftovers.settled(host)
        merged = _merge(holdings, wanted)
        guests = [
            section.owner for section, _ in merged if isinstance(section, Guest) and section.owner in holdings.guests
        ]
        stack.enter_context(host.locks.hold(*(f"guest.{name}" for name in guests)))
        unique = cache(lambda: Unique.read(holdings))  # one, so that two guests do not get the same port
        old = [section for section, _ in merged]
        new = [
            _changed(host, holdings, section, {**changes, **more(holdings, section)}, unique)
            for section, changes in merged
        ]
        _refuse_shared(host, holdings, old, new)
        _write(host, holdings, old, new)


def _merge(holdings: Holdings, wanted: Sequence[tuple[Target, Changes]]) -> list[tuple[Section, dict[str, str | None]]]:
    """One entry an owner, also when several words of the line mean it; raises UsageError for a property set twice."""
    merged: dict[str, tuple[Section, dict[str, str | None]]] = {}
    for owner, changes in wanted:
        for section in _having(owned(holdings, owner), owner, changes):
            before = merged.setdefault(section.owner, (section, {}))[1]
            if twice := [name for name in changes if name in before]:
                raise UsageError(f"{section.owner}: {twice[0]}: is given twice; give it once")
            before.update(changes)
    return list(merged.values())


def _having(sections: Sequence[Section], target: Target, changes: Changes) -> Sequence[Section]:
    """Of guests that were chosen, not named, those that have what is to be unset; all where none has it, to be told."""
    unset = {name for name, text in changes.items() if text is None}
    meant = named(target)
    return [
        section for section in sections if not unset or section.owner in meant or unset & set(section.text)
    ] or sections


def _changed(
    host: Host, holdings: Holdings, section: AnySection, changes: Changes, unique: Callable[[], Unique]
) -> AnySection:
    """The section with its changes, checked; raises ChyvesError."""
    clean: dict[str, str | None] = {}
    for name, text in changes.items():
        _refuse_writer(holdings, section, name)
        if text is None:
            _refuse_unset(section, name)
        clean[name] = None if text is None else _parsed(holdings, section, name, text)
    new = section.with_changes(clean)
    if isinstance(section, Guest) and section.owner in holdings.guests:
        _refuse_running(host, section.owner, clean)
        _refuse_absent(holdings.guest(section.owner), clean)
        if clean.get("loader") == "uefi" or clean.get("uefi_console_output") == "vnc":
            added = uefi_additions(section.with_changes(clean), holdings.defaults, unique())
            new = new.with_changes(added)
        if "net_ifaces" in clean:
            new = new.with_changes(_addresses(new.text, Unique.read(holdings)))
        if screen.ASKED_FOR_BY.intersection(clean):
            new = new.with_changes(screen.password(host, Guest(new.owner, new.text)))
    firmware = clean.get("uefi_firmware")
    if firmware and firmware != "-":
        holdings.resource("firmware", firmware)
    return new


def _addresses(text: Mapping[str, str], unique: Unique) -> dict[str, str | None]:
    """An Ethernet address for each card that has none, so that it keeps it; nothing for one that is gone."""
    interfaces = Guest("", text).net_ifaces
    own = {f"{card}_mac" for card in interfaces if is_card(card)}
    gone = {name for name in text if (card := owner_of(name)) is not None and card not in interfaces}
    return {name: unique.mac() for name in own if name not in text} | dict.fromkeys(gone)


def _parsed(holdings: Holdings, section: Section, name: str, text: str) -> str:
    """A value as it is kept: in its type's own form, such as 1G for 1024M."""
    row = section.row(name)
    if row is not None:
        return row.type.format(row.parse(section.owner, text, name))
    if not isinstance(section, Guest) or section.owner == "defaults" or holdings.globals.restrict_new_property_names:
        raise UnknownProperty(section.owner, name, "see: chyves list properties")
    if name in FACTS:
        raise ChyvesError(f"{section.owner}: {name}: is what guests are chosen by ({name}=...); choose another name")
    return text


def _refuse_unset(section: Section, name: str) -> None:
    row = section.row(name)
    known = row is not None and (row.unset or section.owner in ("global", "defaults"))
    if name not in section.text and known:
        raise ChyvesError(f"{section.owner}: {name}: is not set")
    if row is None and name not in section.text:
        raise UnknownProperty(section.owner, name, "see: chyves list properties")
    if row is not None and not known:
        raise ChyvesError(f"{section.owner}: {name}: cannot be unset; set it to another value")


def _refuse_writer(holdings: Holdings, section: Section, name: str) -> None:
    row = section.row(name)
    if row is None or row.writer is Writer.USER or (row.writer is Writer.CHYVES and row.unset):
        return
    if row.writer is Writer.NETWORK:
        by_hand = isinstance(section, Guest) and section.owner != "defaults"
        if by_hand and is_system(holdings.globals):
            return
        when = " while network_design_mode is auto" if by_hand else ""
        raise ChyvesError(f"{section.owner}: {name}: is kept by the network commands{when}; use: chyves network")
    raise ChyvesError(f"{section.owner}: {name}: is written by chyves only")


def _refuse_running(host: Host, name: str, changes: Changes) -> None:
    fixed = [property for property in NOT_WHILE_RUNNING if property in changes]
    if fixed and running.supervisor(host, name) is not None:
        raise ChyvesError(f"{name}: {fixed[0]}: cannot change while the guest runs; stop it first")


def _refuse_absent(holding: GuestHolding, changes: Changes) -> None:
    """Refuse to set a property of a disk or a tap that the guest does not have; one that is left of it can be unset."""
    disks, taps = tuple(holding.volumes), holding.properties.net_ifaces
    have = {row: (row.name.partition("{")[0], taps) for row in Cards.numbered.values()}
    have |= {row: ("disk", disks) for row in Guest.numbered.values() if "disk{n}" in row.name}
    for name, text in changes.items():
        row = Guest.row(name)
        if text is None:
            continue
        named: tuple[str, ...] = ()
        there = taps
        if isinstance(row, Numbered) and row in have:
            family, there = have[row]
            named = (f"{family}{row.number(name)}",)
        elif name in PER_PORT:
            named = tuple(PER_PORT[name].parse(holding.name, text))
        for missing in (one for one in named if one not in there):
            known = ", ".join(there) or "none"
            raise ChyvesError(f"{holding.name}: {name}: the guest has no {missing} (it has: {known}); add that first")


def _refuse_shared(host: Host, holdings: Holdings, old: Sequence[Section], new: Sequence[Section]) -> None:
    pairs = zip(old, new, strict=True)
    guests = {
        before.owner: (before, after)
        for before, after in pairs
        if isinstance(before, Guest) and isinstance(after, Guest) and before.owner in holdings.guests
    }
    if not guests:
        return
    changed = {name: after for name, (_, after) in guests.items()}
    everyone = {**holdings.each_properties(host.terminal.warn), **changed}
    owners = Owners(everyone.values())
    for name, (before, after) in guests.items():
        owners.refuse_shared(name, before, after)
        if after.rcboot_after and after.text["rcboot_after"] != before.text.get("rcboot_after"):
            for other in after.rcboot_after:
                holdings.guest(other)
            refuse_ring(after, everyone)


def _turned(holdings: Holdings, old: Sequence[Section], new: Sequence[Section]) -> list[tuple[GuestHolding, bool]]:
    """The guests that become templates (True), or are to be none any more."""
    found = []
    for before, after in zip(old, new, strict=True):
        if before.text.get("template") != after.text.get("template") and after.owner in holdings.guests:
            now = Guest(after.owner, after.text).template
            if now or Guest(before.owner, before.text).template:
                found.append((holdings.guest(after.owner), now))
    return found


def _write(host: Host, holdings: Holdings, old: Sequence[Section], new: Sequence[Section]) -> None:
    turned = _turned(holdings, old, new)
    with Undo() as undo:
        for holding, now in turned:
            if not now:
                template.change(undo, host, holding, now)
        undo.do(
            lambda: together.write(holdings, old, new),
            lambda: together.write(holdings, new, old),
            "restore the properties",
        )
        for holding, now in turned:
            if now:
                template.change(undo, host, holding, now)
        for before, after in zip(old, new, strict=True):
            undo.do(partial(_note, host, before, after))
    for before, after in zip(old, new, strict=True):
        _tell(host, before, after)


def _tell(host: Host, before: Section, after: Section) -> None:
    """Say what has changed; of a guest that runs, also when that counts."""
    changed = [name for name in sorted({*before.text, *after.text}) if before.text.get(name) != after.text.get(name)]
    for name in changed:
        told = masked(f"{name}={after.text[name]}") if name in after.text else f"{name}=(not set)"
        host.terminal.say(2, f"{after.owner}: {told}")
    waits = any((row := Guest.row(name)) is not None and row.when is When.START for name in changed)
    if waits and isinstance(after, Guest) and running.supervisor(host, after.owner) is not None:
        sooner = f"to have it from its next reboot: chyves {after.owner} reload"
        host.terminal.say(2, f"{after.owner}: runs, so that this counts from its next start; {sooner}")


def _note(host: Host, before: Section, after: Section) -> None:
    """Give the event of a change, with the names of what has changed; values may be secrets."""
    names = sorted(name for name in {*before.text, *after.text} if before.text.get(name) != after.text.get(name))
    guest = after.owner if isinstance(after, Guest) else None
    if names:
        host.events.note("set", guest, section=None if guest else after.owner, properties=names)
