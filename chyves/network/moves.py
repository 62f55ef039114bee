"""Interfaces that change their bridges: what the properties become, and the steps for what exists. Pure.

The steps follow from the properties alone, so that a change that was killed at any point can be finished by planning it
once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chyves import names
from chyves.network.plan import PRIVATE, bridge_of, bridge_steps, tap_steps, taps, uplink_of
from chyves.network.steps import GROUP, Existing, Step
from chyves.properties import Global
from chyves.vlans import Vlans


@dataclass(frozen=True)
class Concern:
    """What a change is about: the interfaces that may move, and the bridges that they may leave for none.

    `vlans` are those that the taps among them have, and keep.
    """

    interfaces: tuple[str, ...]
    bridges: tuple[str, ...]
    vlans: Mapping[str, Vlans] = field(default_factory=dict)


@dataclass(frozen=True)
class Sight:
    """An interface as it will be once some members have left it."""

    mtu: int
    members: tuple[str, ...]
    opened_by: int | None
    description: str
    groups: tuple[str, ...]
    addresses: tuple[str, ...]
    filters: bool | None
    default_vlan: int
    vlans: Mapping[str, Vlans]


def home(settings: Global, interface: str) -> str | None:
    """The bridge that the properties have an interface on: a tap by its list, an uplink by its attachment."""
    for number, uplink in settings.bridge_phy_attach.items():
        if uplink == interface:
            return f"bridge{number}"
    return bridge_of(settings, interface)


def is_named(settings: Global, bridge: str) -> bool:
    """Whether the host's properties say anything of a bridge."""
    return names.bridge_number(bridge) in {*settings.bridge_phy_attach, *settings.bridge_tap_members}


def follow(settings: Global, default: str, existing: Mapping[str, Existing], concern: Concern) -> list[Step]:
    """The steps that bring the interfaces that exist to where the properties have them; raises ChyvesError.

    All leave before the first joins, so that no bridge is on two networks. A bridge is made for a tap, not for an
    uplink alone; one of chyves that is left empty and that the properties no longer name is destroyed.
    """
    on = {member: bridge for bridge, interface in existing.items() for member in interface.members}
    homes = {name: home(settings, name) for name in concern.interfaces if name in existing}
    moving = {name: to for name, to in homes.items() if to != on.get(name)}
    leaving = {name: on[name] for name, to in moving.items() if name in on and (to or on[name] in concern.bridges)}
    had = {name: existing[bridge].vlans.get(name, Vlans()).words for name, bridge in leaving.items()}
    steps = [Step(("leave", bridge, name), ("join", bridge, name, *had[name])) for name, bridge in leaving.items()]
    after = {name: _without(interface, leaving) for name, interface in existing.items()}
    steps += _arrivals(settings, after, {name: to for name, to in moving.items() if to}, concern.vlans)
    doomed = [bridge for bridge in concern.bridges if bridge != default and not is_named(settings, bridge)]
    return [*steps, *(step for bridge in doomed if bridge in after for step in _end(bridge, after[bridge]))]


def _without(interface: Existing, leaving: Mapping[str, str]) -> Existing:
    members = tuple(member for member in interface.members if member not in leaving)
    return Sight(
        interface.mtu,
        members,
        interface.opened_by,
        interface.description,
        interface.groups,
        interface.addresses,
        interface.filters,
        interface.default_vlan,
        interface.vlans,
    )


def _arrivals(
    settings: Global, existing: Mapping[str, Existing], moving: Mapping[str, str], vlans: Mapping[str, Vlans]
) -> Iterator[Step]:
    arriving = taps(moving)
    for bridge in dict.fromkeys(moving.values()):
        newcomers = [tap for tap in arriving if moving[tap] == bridge]
        if newcomers or bridge in existing:
            cards = {tap: vlans.get(tap, Vlans()) for tap in newcomers}
            yield from bridge_steps(next(iter(newcomers), bridge), bridge, settings, existing, cards)
        for tap in newcomers:
            yield from tap_steps(tap, tap, bridge, settings, existing, vlans=vlans.get(tap, Vlans()))


def _end(bridge: str, interface: Existing) -> Iterator[Step]:
    if GROUP in interface.groups and not interface.members:
        yield Step((), ("up", bridge))
        yield Step(("destroy", bridge), ("create", bridge, interface.description))


@dataclass(frozen=True)
class Migration:
    """What a bridge's move to another one changes: the properties, who is concerned, and lines that tell it."""

    settings: Global
    default: str
    concern: Concern
    lines: tuple[str, ...]


def migration(settings: Global, default: str, source: str, target: str, owners: Mapping[str, str]) -> Migration:
    """All of one bridge on another: its taps beside those of the target, its uplink, the default mark.

    The uplink of the source takes the place of the target's (as with 0.2.0); a source without one leaves the target as
    it is attached. `owners` are the guests of the taps, for the lines.
    """
    before, after = names.bridge_number(source) or 0, names.bridge_number(target) or 0
    moved, own = settings.bridge_tap_members.get(before, ()), settings.bridge_tap_members.get(after, ())
    brought, had = uplink_of(settings, source), uplink_of(settings, target)
    changes: dict[str, str | None] = {f"bridge{before}_tap_members": None, f"bridge{before}_phy_attach": None}
    if moved:
        changes[f"{target}_tap_members"] = ",".join(dict.fromkeys((*own, *moved)))
    if brought or (not had and settings.bridge_phy_attach.get(before) == PRIVATE):
        changes[f"{target}_phy_attach"] = brought or PRIVATE
    lines = [f"{tap}{_of(owners, tap)}: from {source} to {target}" for tap in moved]
    lines += [f"{brought}: from {source} to {target}"] if brought else []
    lines += [f"{had}: leaves {target}"] if brought and had else []
    lines += [f"new guests: join {target} instead of {source}"] if default == source else []
    interfaces = (*moved, *filter(None, (had if brought else None, brought)))
    return Migration(
        settings.with_changes(changes),
        target if default == source else default,
        Concern(interfaces, (source, target)),
        tuple(lines),
    )


def _of(owners: Mapping[str, str], tap: str) -> str:
    return f" ({owners[tap]})" if tap in owners else ""


def with_vlans(concern: Concern, existing: Mapping[str, Existing], started: Mapping[str, Vlans]) -> Concern:
    """A concern with the VLANs that its taps have now; one on no bridge has those that its guest was started with."""
    on = {member: bridge for bridge in existing.values() for member in bridge.members}
    now = {
        tap: on[tap].vlans.get(tap, Vlans()) if tap in on else started.get(tap, Vlans())
        for tap in taps(concern.interfaces)
        if tap in existing
    }
    return Concern(concern.interfaces, concern.bridges, {tap: vlans for tap, vlans in now.items() if vlans})


def joining(settings: Global, interfaces: Sequence[str], *bridges: str) -> Concern:
    """The concern of a change that takes interfaces to some bridges, from wherever the properties have them."""
    homes = (home(settings, interface) for interface in interfaces)
    return Concern(tuple(interfaces), tuple(dict.fromkeys((*bridges, *filter(None, homes)))))
