"""What interfaces a guest needs at its start, and the steps that are missing. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chyves import names
from chyves.errors import ChyvesError
from chyves.properties import Global

PRIVATE = "private"
GROUP = "chyves"
"""The group of the interfaces that chyves makes, by which it knows them again: it destroys no other."""

NEW_MTU = 1500
"""What a tap has that was just made (tap(4))."""


class Existing(Protocol):
    """What the plan looks at in an interface of the host."""

    @property
    def mtu(self) -> int: ...
    @property
    def members(self) -> tuple[str, ...]: ...
    @property
    def opened_by(self) -> int | None: ...
    @property
    def description(self) -> str: ...
    @property
    def groups(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Step:
    """One change: `act` is a verb of the interfaces and its words, `back` what takes it back; either may be empty."""

    act: tuple[str, ...]
    back: tuple[str, ...] = ()


def bridge_of(settings: Global, interface: str) -> str | None:
    """The bridge whose list has an interface."""
    for number, members in settings.bridge_tap_members.items():
        if interface in members:
            return f"bridge{number}"
    return None


def uplink_of(settings: Global, bridge: str) -> str | None:
    """The interface of the host that a bridge is attached to, or None."""
    uplink = settings.bridge_phy_attach.get(names.bridge_number(bridge) or 0)
    return None if uplink == PRIVATE else uplink


def is_system(settings: Global) -> bool:
    """Whether the administrator makes the interfaces: then the bridges' lists say nothing, and are left alone."""
    return settings.network_design_mode == "system"


def free_number(start: int, used: Iterable[int]) -> int:
    """The first number from `start` on that is not used."""
    taken = set(used)
    number = start
    while number in taken:
        number += 1
    return number


def taps(interfaces: Iterable[str]) -> list[str]:
    """Those of a guest's interfaces that are taps; ports of VALE switches make themselves."""
    return [interface for interface in interfaces if names.numbered(interface, "tap") is not None]


def is_shared(interface: str) -> bool:
    """Whether several guests can have an interface: on a VALE switch without a port each gets its own."""
    return names.numbered(interface, "tap") is None and ":" not in interface


def for_start(guest: str, interfaces: Iterable[str], settings: Global, existing: Mapping[str, Existing]) -> list[Step]:
    """The steps that bring a guest's taps up on their bridges; raises ChyvesError where one cannot be had.

    In the network mode `system` the administrator makes everything, so that a missing tap is refused.
    """
    steps: list[Step] = []
    for tap in taps(interfaces):
        known = existing.get(tap)
        if known is not None and known.opened_by is not None:
            raise ChyvesError(
                f"{guest}: {tap}: is in use by process {known.opened_by}; stop it, or give the guest another tap"
            )
        if is_system(settings):
            if known is None:
                raise ChyvesError(f"{guest}: {tap}: does not exist; make it, or set network_design_mode=auto")
            continue
        bridge = bridge_of(settings, tap)
        if bridge and not any(step.act[:2] == ("create", bridge) for step in steps):
            steps += bridge_steps(guest, bridge, settings, existing)
        steps += tap_steps(guest, tap, bridge, settings, existing)
    return steps


def held_taps(steps: Iterable[Step], interfaces: Iterable[str], existing: Mapping[str, Existing]) -> list[str]:
    """The taps of a guest that are destroyed when it ends: those that a plan makes, and those left by an earlier run.

    A tap that somebody else has made is not in the group of chyves, and stays.
    """
    made = {step.act[1] for step in steps if step.act[:1] == ("create",)}
    return [tap for tap in taps(interfaces) if tap in made or (tap in existing and GROUP in existing[tap].groups)]


def bridge_steps(who: str, bridge: str, settings: Global, existing: Mapping[str, Existing]) -> list[Step]:
    """The steps that bring a bridge up on its uplink; raises ChyvesError, which names `who` needs it."""
    steps = []
    if bridge not in existing:
        steps.append(Step(("create", bridge, f"chyves-{bridge}"), ("destroy", bridge)))
    uplink = uplink_of(settings, bridge)
    if uplink:
        if uplink not in existing:
            raise ChyvesError(
                f"{who}: {bridge}: is attached to {uplink}, which this host does not have; "
                f"try: chyves network {bridge} attach INTERFACE, or private"
            )
        if bridge not in existing or uplink not in existing[bridge].members:
            steps += [Step(("join", bridge, uplink), ("leave", bridge, uplink)), Step(("up", uplink))]
    return [*steps, Step(("up", bridge))]


def tap_steps(
    guest: str, tap: str, bridge: str | None, settings: Global, existing: Mapping[str, Existing]
) -> list[Step]:
    """The steps that bring a tap up on its bridge."""
    steps = []
    known = existing.get(tap)
    if known is None:
        steps.append(Step(("create", tap, f"chyves-{guest}"), ("destroy", tap)))
    if bridge is not None and (bridge not in existing or tap not in existing[bridge].members):
        # A tap of another MTU is refused by bridges up to FreeBSD 12, and changes the bridge when it is the first.
        mtu, own = _mtu(bridge, settings, existing), known.mtu if known else NEW_MTU
        if mtu is not None and mtu != own:
            steps.append(Step(("set_mtu", tap, str(mtu)), ("set_mtu", tap, str(own)) if known else ()))
        steps.append(Step(("join", bridge, tap), ("leave", bridge, tap)))
    return [*steps, Step(("up", tap))]


def _mtu(bridge: str, settings: Global, existing: Mapping[str, Existing]) -> int | None:
    """The largest packet of a bridge, in bytes, once its uplink is there; None where nothing tells.

    The first member gives a bridge its own (if_bridge(4)), and that is the uplink.
    """
    known, uplink = existing.get(bridge), uplink_of(settings, bridge)
    if known is None or not known.members:
        known = existing.get(uplink, known) if uplink else known
    return known.mtu if known else None


def with_member(settings: Global, bridge: str, *interfaces: str) -> Global:
    """The host's properties with interfaces on a bridge, and on no other; unchanged in the network mode `system`."""
    if is_system(settings) or not interfaces:
        return settings
    settings = without_member(settings, *interfaces)
    number = names.bridge_number(names.bridge(bridge)) or 0
    members = (*settings.bridge_tap_members.get(number, ()), *interfaces)
    return settings.with_changes({f"bridge{number}_tap_members": ",".join(members)})


def without_member(settings: Global, *interfaces: str) -> Global:
    """The host's properties with some interfaces on no bridge; interfaces are compared whole, tap5 is not tap50.

    In the network mode `system` they stay as they are.
    """
    if is_system(settings):
        return settings
    changes: dict[str, str | None] = {}
    for number, members in settings.bridge_tap_members.items():
        if set(members) & set(interfaces):
            changes[f"bridge{number}_tap_members"] = ",".join([tap for tap in members if tap not in interfaces]) or "-"
    return settings.with_changes(changes)
