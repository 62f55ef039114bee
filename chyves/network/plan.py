"""What interfaces a guest needs at its start, and the steps that are missing. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chyves import names
from chyves.errors import ChyvesError
from chyves.network import filtering
from chyves.network.steps import GROUP, Existing, Step
from chyves.properties import Global
from chyves.vlans import TRUNK, Vlans

PRIVATE = "private"
NEW_MTU = 1500
"""What a tap has that was just made (tap(4))."""


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


def for_start(
    guest: str,
    interfaces: Iterable[str],
    settings: Global,
    existing: Mapping[str, Existing],
    mtus: Mapping[int, int] | None = None,
    vlans: Mapping[str, Vlans] | None = None,
) -> list[Step]:
    """The steps that bring a guest's taps up on their bridges; raises ChyvesError where one cannot be had.

    `mtus` are the largest packets, by the numbers of the taps, that the guest is told of: they must get through;
    `vlans` are those of the taps that have some.
    In the network mode `system` the administrator makes everything, so that a missing tap is refused.
    """
    steps: list[Step] = []
    cards = {tap: (vlans or {}).get(tap, Vlans()) for tap in taps(interfaces)}
    for tap in cards:
        known = existing.get(tap)
        if known is not None and known.opened_by is not None:
            raise ChyvesError(
                f"{guest}: {tap}: is in use by process {known.opened_by}; stop it, or give the guest another tap"
            )
        wanted = (mtus or {}).get(int(tap.removeprefix("tap")))
        if is_system(settings):
            if known is None:
                raise ChyvesError(f"{guest}: {tap}: does not exist; make it, or set network_design_mode=auto")
            _refuse_larger(guest, tap, wanted, tap, known.mtu)
            _check_vlans_alone(guest, tap, cards[tap], settings, existing)
            continue
        bridge = bridge_of(settings, tap)
        if bridge is not None:
            _refuse_larger(guest, tap, wanted, *_decided(bridge, settings, existing))
        _check_vlans_alone(guest, tap, cards[tap], settings, existing)
        if bridge and not any(step.act == ("up", bridge) for step in steps):
            steps += bridge_steps(guest, bridge, settings, existing, _on(bridge, cards, settings))
        steps += tap_steps(guest, tap, bridge, settings, existing, wanted, cards[tap])
    return steps


def check_vlans(
    guest: str,
    interfaces: Iterable[str],
    settings: Global,
    existing: Mapping[str, Existing],
    vlans: Mapping[str, Vlans],
) -> None:
    """Raise ChyvesError where a guest's taps cannot have their VLANs, or none, also of those that it has open."""
    cards = {tap: vlans.get(tap, Vlans()) for tap in taps(interfaces)}
    for tap, each in cards.items():
        _check_vlans_alone(guest, tap, each, settings, existing)
        bridge = bridge_of(settings, tap)
        if bridge is not None and not is_system(settings):
            filtering.steps(guest, bridge, uplink_of(settings, bridge), existing, _on(bridge, cards, settings))


def _check_vlans_alone(guest: str, tap: str, vlans: Vlans, settings: Global, existing: Mapping[str, Existing]) -> None:
    """Raise ChyvesError where a tap cannot have its VLANs, whatever else is on its bridge."""
    if is_system(settings):
        filtering.refuse_administrators(guest, tap, vlans, existing)
    elif vlans and bridge_of(settings, tap) is None:
        raise ChyvesError(filtering.on_no_bridge(guest, tap, vlans))


def _on(bridge: str, cards: Mapping[str, Vlans], settings: Global) -> dict[str, Vlans]:
    """Those of a guest's cards that are to be on a bridge."""
    return {card: vlans for card, vlans in cards.items() if bridge_of(settings, card) == bridge}


def _refuse_larger(guest: str, tap: str, wanted: int | None, decides: str, most: int | None) -> None:
    if wanted is not None and most is not None and wanted > most:
        raise ChyvesError(
            f"{guest}: {tap}_mtu: {wanted} is more than {decides} has ({most}); "
            f"use at most {most}, or let it have more: ifconfig {decides} mtu {wanted}"
        )


def held_taps(steps: Iterable[Step], interfaces: Iterable[str], existing: Mapping[str, Existing]) -> list[str]:
    """The taps of a guest that are destroyed when it ends: those that a plan makes, and those left by an earlier run.

    A tap that somebody else has made is not in the group of chyves, and stays.
    """
    made = {step.act[1] for step in steps if step.act[:1] == ("create",)}
    return [tap for tap in taps(interfaces) if tap in made or (tap in existing and GROUP in existing[tap].groups)]


def bridge_steps(
    who: str, bridge: str, settings: Global, existing: Mapping[str, Existing], cards: Mapping[str, Vlans]
) -> list[Step]:
    """The steps that bring a bridge up on its uplink; raises ChyvesError, which names `who` needs it.

    `cards` are the taps that are about to be on it, with their VLANs: it filters these where one has some.
    """
    steps = []
    if bridge not in existing:
        steps.append(Step(("create", bridge, f"chyves-{bridge}"), ("destroy", bridge)))
    uplink = uplink_of(settings, bridge)
    steps += filtering.steps(who, bridge, uplink, existing, cards)
    if uplink:
        if uplink not in existing:
            raise ChyvesError(
                f"{who}: {bridge}: is attached to {uplink}, which this host does not have; "
                f"try: chyves network {bridge} attach INTERFACE, or private"
            )
        if bridge not in existing or uplink not in existing[bridge].members:
            vlans = TRUNK.words if filtering.filters(bridge, existing, steps) else ()
            steps += [Step(("join", bridge, uplink, *vlans), ("leave", bridge, uplink)), Step(("up", uplink))]
    return [*steps, Step(("up", bridge))]


def tap_steps(
    guest: str,
    tap: str,
    bridge: str | None,
    settings: Global,
    existing: Mapping[str, Existing],
    wanted: int | None = None,
    vlans: Vlans = Vlans(),  # noqa: B008 (a tuple)
) -> list[Step]:
    """The steps that bring a tap up on its bridge, in its VLANs.

    `wanted` is the largest packet in bytes that it has where it is free to: on no bridge, or as the first of one.
    """
    steps = []
    known = existing.get(tap)
    if known is None:
        steps.append(Step(("create", tap, f"chyves-{guest}"), ("destroy", tap)))
    joins = bridge is not None and (bridge not in existing or tap not in existing[bridge].members)
    # A tap of another MTU is refused by bridges up to FreeBSD 12, and changes the bridge when it is the first.
    mtu = _mtu(bridge, settings, existing) if bridge and joins else None
    own = known.mtu if known else NEW_MTU
    if wanted is not None and (bridge is None or (joins and _decided(bridge, settings, existing)[1] is None)):
        mtu = max(wanted, mtu or own)
    if mtu is not None and mtu != own:
        steps.append(Step(("set_mtu", tap, str(mtu)), ("set_mtu", tap, str(own)) if known else ()))
    if bridge and joins:
        steps.append(Step(("join", bridge, tap, *vlans.words), ("leave", bridge, tap)))
    elif bridge and vlans and vlans != (now := existing[bridge].vlans.get(tap, Vlans())):
        steps.append(Step(("set_vlans", bridge, tap, *vlans.words), ("set_vlans", bridge, tap, *now.words)))
    return [*steps, Step(("up", tap))]


def _mtu(bridge: str, settings: Global, existing: Mapping[str, Existing]) -> int | None:
    """The largest packet of a bridge, in bytes, once its uplink is there; None where nothing tells."""
    _, decided = _decided(bridge, settings, existing)
    known = existing.get(bridge)
    return decided if decided is not None or known is None else known.mtu


def _decided(bridge: str, settings: Global, existing: Mapping[str, Existing]) -> tuple[str, int | None]:
    """Who decides on the largest packet of a bridge, and which it is in bytes; None where the first tap will.

    The first member gives a bridge its own (if_bridge(4)), and that is the uplink.
    """
    known, uplink = existing.get(bridge), uplink_of(settings, bridge)
    if known is not None and known.members:
        return bridge, known.mtu
    if uplink is not None and uplink in existing:
        return uplink, existing[uplink].mtu
    return bridge, None


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
