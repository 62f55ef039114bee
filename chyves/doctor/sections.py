"""What does not fit in the properties of pools, the host, new guests and guests. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from chyves.bhyve import board
from chyves.doctor.facts import Facts, GuestFacts, Kept, problems
from chyves.doctor.kinds import Finding, found
from chyves.network.plan import is_shared
from chyves.nics import addresses
from chyves.properties import DATASET_VERSION, GUEST_VERSION, Defaults, Global, Guest, Pool
from chyves.section import Section

ALL = ("all",)


def readable(facts: Facts) -> Iterator[Finding]:
    """Files that cannot be read as properties, and pools of which none, or more than one, is the primary one."""
    kept = [*((pool.name, pool.kept) for pool in facts.pools), *((guest.name, guest.kept) for guest in facts.guests)]
    for owner, each in (*kept, ("global", facts.settings), ("defaults", facts.fresh)):
        if each.problem:
            yield found("unreadable", owner, each.file, each.problem, f"mend {each.file}, or take it from a snapshot")
    if facts.no_primary:
        yield found(
            "no-primary",
            "host",
            "primary",
            facts.no_primary.partition(";")[0],
            "choose one: chyves dataset POOL promote",
            ALL,
        )
    for pool in facts.pools:
        if facts.primary and pool.name != facts.primary and pool.pool.dataset_role == "primary":
            yield found(
                "two-primaries",
                pool.name,
                pool.name,
                f"says that it is primary, which {facts.primary} is now",
                "have it be secondary",
                ALL,
            )


def values(facts: Facts) -> Iterator[Finding]:
    """Properties that are not known, values that cannot be, and versions that are newer than ours."""
    restricted = facts.globals.restrict_new_property_names
    for section, kept in _sections(facts):
        owner = section.owner
        for name in section.unknown():
            if restricted or not isinstance(section, Guest):
                way = "" if isinstance(section, Pool) else f": chyves {owner} unset {name}"
                yield found(
                    "unknown",
                    owner,
                    name,
                    f"{name} is no property that chyves knows",
                    f"take it out{way or f' of {kept.file}'}, or leave it to who put it there",
                )
        for name, problem in problems(section):
            yield found("invalid", owner, name, problem, _setting(section, name, kept))
        if (version := _newer(section)) is not None:
            yield found(
                "newer",
                owner,
                "version",
                f"its version is {version}, which this chyves does not know",
                "use the chyves that wrote it",
            )


def _setting(section: Section, name: str, kept: Kept) -> str:
    row = section.row(name)
    if isinstance(section, Pool) or row is None:
        return f"mend it in {kept.file}"
    return f"give it one that is: chyves {section.owner} set {name}={row.example}"


def _sections(facts: Facts) -> Iterator[tuple[Section, Kept]]:
    """All that could be read, as it is written."""
    for pool in facts.pools:
        yield Pool(pool.name, pool.kept.text or {}), pool.kept
    yield Global("global", facts.settings.text or {}), facts.settings
    yield Defaults("defaults", facts.fresh.text or {}), facts.fresh
    for guest in facts.guests:
        yield Guest(guest.name, guest.kept.text or {}), guest.kept


def _newer(section: Section) -> str | None:
    if isinstance(section, Pool):
        version, ours = section.text.get("dataset_version", ""), DATASET_VERSION
    else:
        version, ours = section.text.get("chyves_guest_version", ""), GUEST_VERSION
    return version if len(version) == len(ours) and version.isdecimal() and version > ours else None


def named(facts: Facts) -> Iterator[Finding]:
    """Firmware, snapshots and guests that properties name and that are not there."""
    firmware = {name.rpartition("/")[2] for pool in facts.pools for name in pool.resources.get("firmware", ())}
    tags: dict[str, set[str]] = {}
    for row in facts.snapshots:
        dataset, _, tag = row["name"].partition("@")
        tags.setdefault(dataset, set()).add(f"@{tag}")
    for owner, section in (("defaults", facts.defaults), *((guest.name, guest.guest) for guest in facts.guests)):
        wanted = section.uefi_firmware
        if wanted is not None and wanted not in firmware:
            yield found(
                "missing-firmware",
                owner,
                wanted,
                f"uefi_firmware: {wanted} is not there",
                f"import it, or: chyves {owner} set uefi_firmware=NAME",
                ("all", f"firmware.{wanted}"),
            )
    for guest in facts.guests:
        own = guest.guest
        back = own.revert_to_snapshot
        if back is not None and own.revert_to_snapshot_method != "off" and back not in tags.get(guest.dataset, ()):
            yield found(
                "missing-snapshot",
                guest.name,
                back,
                f"revert_to_snapshot: there is no snapshot {back}",
                f"choose another: chyves {guest.name} set revert_to_snapshot=@NAME",
                ("all", f"guest.{guest.name}"),
            )
        for other in own.rcboot_after:
            if other not in facts.by_name:
                yield found(
                    "missing-guest",
                    guest.name,
                    other,
                    f"rcboot_after: there is no guest {other}, so that it does not start with the host",
                    f"take it out: chyves {guest.name} set rcboot_after=-",
                    ALL,
                )


def shared(facts: Facts) -> Iterator[Finding]:
    """What two guests have, and no two may."""
    taken: dict[tuple[str, Hashable], list[tuple[str, str, str]]] = {}
    for guest in facts.by_name.values():
        for kind, property, value, shown in _own(guest):
            taken.setdefault((kind, value), []).append((guest.name, property, shown))
    for (kind, _), holders in taken.items():
        (first, one, _), *others = holders
        for name, property, shown in others:
            yield found(
                f"shared-{kind}",
                name,
                property,
                f"{property}: {shown} is what {first} has too ({one})",
                _another(kind, name, first, property, shown),
                ALL,
            )


def _another(kind: str, name: str, first: str, property: str, shown: str) -> str:
    if kind == "tap":
        add = f"chyves network {name} add tap"
        return f"take it from {first} or {name}: chyves network {name} remove {shown}, and: {add}"
    return f"give {first} or {name} another: chyves {name} set {property}=..."


def _own(guest: GuestFacts) -> Iterator[tuple[str, str, Hashable, str]]:
    """What no other guest may have: the end of the kind's name, the property, the value and its text."""
    own = guest.guest
    for name, mac in (*addresses(own).items(), *(("vale_mac", mac) for mac in own.vale_mac.values())):
        yield "mac", name, mac, mac
    if own.uuid is not None:
        yield "uuid", "uuid", own.uuid, own.uuid
    if own.serial is not None:
        yield "serial", "serial", own.serial, own.serial
    if own.uefi_vnc_port is not None:
        yield "port", "uefi_vnc_port", (own.uefi_vnc_ip, own.uefi_vnc_port), str(own.uefi_vnc_port)
    for number, forwards in own.slirp_forward.items():
        for forward in forwards:
            yield "port", f"slirp{number}_forward", forward.here, forward.here
    for name, (kind, value) in board.alone(own).items():
        yield kind, name, value, own.get(name)
    for interface in own.net_ifaces:
        if not is_shared(interface):
            yield "tap", "net_ifaces", interface, interface
