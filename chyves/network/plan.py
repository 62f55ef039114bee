"""What interfaces a guest needs at its start, and the steps that are missing. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chyves import names
from chyves.errors import ChyvesError
from chyves.properties import Global

PRIVATE = "private"


class Existing(Protocol):
    """What the plan looks at in an interface of the host."""

    @property
    def mtu(self) -> int: ...
    @property
    def members(self) -> tuple[str, ...]: ...
    @property
    def opened_by(self) -> int | None: ...


@dataclass(frozen=True)
class Step:
    """One change: `act` is a verb of the interfaces and its words, `back` what takes it back (empty: nothing does)."""

    act: tuple[str, ...]
    back: tuple[str, ...] = ()


def bridge_of(settings: Global, interface: str) -> str | None:
    """The bridge whose list has an interface."""
    for number, members in settings.bridge_tap_members.items():
        if interface in members:
            return f"bridge{number}"
    return None


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
        if settings.network_design_mode == "system":
            if known is None:
                raise ChyvesError(f"{guest}: {tap}: does not exist; make it, or set network_design_mode=auto")
            continue
        bridge = bridge_of(settings, tap)
        if bridge and not any(step.act[:2] == ("create", bridge) for step in steps):
            steps += _bridge(guest, bridge, settings, existing)
        steps += _tap(guest, tap, bridge, existing)
    return steps


def made_taps(steps: Iterable[Step]) -> list[str]:
    """The taps that a plan makes, in its order; bridges are left out."""
    return [step.act[1] for step in steps if step.act[0] == "create" and step.act[1].startswith("tap")]


def _bridge(guest: str, bridge: str, settings: Global, existing: Mapping[str, Existing]) -> list[Step]:
    steps = []
    if bridge not in existing:
        steps.append(Step(("create", bridge, f"chyves-{bridge}"), ("destroy", bridge)))
    uplink = settings.bridge_phy_attach.get(names.bridge_number(bridge) or 0)
    if uplink and uplink != PRIVATE:
        if uplink not in existing:
            raise ChyvesError(
                f"{guest}: {bridge}: is attached to {uplink}, which this host does not have; "
                f"try: chyves network {bridge} attach INTERFACE, or private"
            )
        if bridge not in existing or uplink not in existing[bridge].members:
            steps += [Step(("join", bridge, uplink), ("leave", bridge, uplink)), Step(("up", uplink))]
    return [*steps, Step(("up", bridge))]


def _tap(guest: str, tap: str, bridge: str | None, existing: Mapping[str, Existing]) -> list[Step]:
    steps = []
    if tap not in existing:
        steps.append(Step(("create", tap, f"chyves-{guest}"), ("destroy", tap)))
    if bridge is not None and (bridge not in existing or tap not in existing[bridge].members):
        # A tap of another MTU is refused by bridges up to FreeBSD 12, and changes the bridge when it is the first.
        if bridge in existing and existing[bridge].mtu != 1500:
            steps.append(Step(("set_mtu", tap, str(existing[bridge].mtu))))
        steps.append(Step(("join", bridge, tap), ("leave", bridge, tap)))
    return [*steps, Step(("up", tap))]


def with_member(settings: Global, bridge: str, interface: str) -> Global:
    """The host's properties with an interface on a bridge, and on no other."""
    settings = without_member(settings, interface)
    number = names.bridge_number(names.bridge(bridge)) or 0
    members = (*settings.bridge_tap_members.get(number, ()), interface)
    return settings.with_changes({f"bridge{number}_tap_members": ",".join(members)})


def without_member(settings: Global, *interfaces: str) -> Global:
    """The host's properties with some interfaces on no bridge; interfaces are compared whole, tap5 is not tap50."""
    changes: dict[str, str | None] = {}
    for number, members in settings.bridge_tap_members.items():
        if set(members) & set(interfaces):
            changes[f"bridge{number}_tap_members"] = ",".join(tap for tap in members if tap not in interfaces) or "-"
    return settings.with_changes(changes)
