"""The host's own layout of bridges as properties: what they would become, and what is not for them. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from chyves import names
from chyves.errors import ChyvesError
from chyves.network.plan import PRIVATE, bridge_of
from chyves.network.steps import GROUP, Existing
from chyves.properties import Global

OURS = re.compile(r"chyves-")
"""How the description of an interface of chyves begins, of 0.2.0 too, which knew no group."""

NO_UPLINK = re.compile(r"(epair|tun|vmnet|gif|gre|stf|wg|ovpn|enc|pflog|pfsync|ipfw|usbus)[0-9]")
"""Interfaces that are members of a bridge for a jail or another program, or that never are."""


@dataclass
class Layout:
    """What an import changes in the host's properties, and what it leaves out, a line each."""

    settings: Global
    changes: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Members:
    """The members of a bridge: those that are for chyves, and those of somebody else."""

    uplinks: list[str]
    taps: list[str]
    strange: list[str]


def layout(settings: Global, existing: Mapping[str, Existing], owned: Container[str]) -> Layout:
    """The properties that describe the bridges of the host, with those kept that describe what is not there now.

    `owned` are the interfaces of guests. A bridge with members of jails or of another program, and none of a guest, is
    theirs and left out. Raises ChyvesError where the properties say otherwise than the host is.
    """
    found = Layout(settings)
    for name, bridge in existing.items():
        if "bridge" not in bridge.groups and names.bridge_number(name) is None:
            continue
        members = _sorted_out(bridge, existing, owned)
        reason = _why_not(name, members, owned)
        if reason:
            found.skipped.append(f"{name}: {reason}")
            continue
        found.skipped += [f"{name}: {member} is somebody else's, and no part of it" for member in members.strange]
        for key, value in _properties(settings, name, members):
            if settings.text.get(key) != value:
                found.changes[key] = value
    found.settings = settings.with_changes(found.changes)
    return found


def _sorted_out(bridge: Existing, existing: Mapping[str, Existing], owned: Container[str]) -> _Members:
    members = _Members([], [], [])
    for name in bridge.members:
        if names.numbered(name, "tap") is not None:
            mine = name in owned or _is_ours(existing.get(name))
            (members.taps if mine else members.strange).append(name)
        else:
            mine = names.is_uplink(name) and not NO_UPLINK.match(name)
            (members.uplinks if mine else members.strange).append(name)
    return members


def _is_ours(tap: Existing | None) -> bool:
    """Whether a tap is of chyves, or nobody's: others describe theirs."""
    return tap is None or GROUP in tap.groups or not tap.description or OURS.match(tap.description) is not None


def _why_not(name: str, members: _Members, owned: Container[str]) -> str:
    """Why a bridge is left out; empty where it is not."""
    if names.bridge_number(name) is None:
        return "chyves calls bridges bridge and a number; left out"
    if members.strange and not any(tap in owned for tap in members.taps):
        return f"has {', '.join(members.strange)}, which is somebody else's; left out"
    return "" if members.uplinks or members.taps else "has no members; left out"


def _properties(settings: Global, name: str, members: _Members) -> Iterator[tuple[str, str]]:
    """The properties of one bridge; raises ChyvesError for what they cannot describe, or say otherwise."""
    number = names.bridge_number(name) or 0
    if len(members.uplinks) > 1:
        raise ChyvesError(
            f"{name}: has {' and '.join(members.uplinks)}, and a bridge of chyves has one uplink; "
            f"take one off: ifconfig {name} deletem {members.uplinks[-1]}"
        )
    uplink = next(iter(members.uplinks), None)
    _refuse_other_uplink(settings, name, number, uplink)
    for tap in members.taps:
        _refuse_other_bridge(settings, name, tap)
    if uplink or settings.bridge_phy_attach.get(number) is None:
        yield f"{name}_phy_attach", uplink or PRIVATE
    listed = settings.bridge_tap_members.get(number, ())
    if members.taps:
        yield f"{name}_tap_members", ",".join(dict.fromkeys((*listed, *members.taps)))


def _refuse_other_uplink(settings: Global, name: str, number: int, uplink: str | None) -> None:
    told = settings.bridge_phy_attach.get(number)
    if uplink and told and told != uplink:
        raise ChyvesError(
            f"{name}: is on {uplink}, and its property says {told}; "
            f"make them agree: chyves network {name} attach {uplink}, or ifconfig {name} deletem {uplink}"
        )
    for other, theirs in settings.bridge_phy_attach.items():
        if uplink and theirs == uplink and other != number:
            raise ChyvesError(
                f"{name}: is on {uplink}, and the properties have that at bridge{other}; "
                f"make them agree: chyves network bridge{other} private"
            )


def _refuse_other_bridge(settings: Global, name: str, tap: str) -> None:
    on = bridge_of(settings, tap)
    if on is not None and on != name:
        raise ChyvesError(
            f"{name}: has {tap}, and the properties have that at {on}; "
            f"make them agree: chyves network {name} join {tap}"
        )
