"""What does not fit in the network: the bridges' lists and the guests, the interfaces and the properties. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chyves import names
from chyves.doctor.facts import Facts
from chyves.doctor.kinds import Finding, found
from chyves.network.moves import is_named
from chyves.network.plan import PRIVATE, bridge_of, is_system, taps
from chyves.network.steps import GROUP
from chyves.vlans import Vlans

ALL = ("all",)


def owners(facts: Facts) -> dict[str, str]:
    """The guest of each tap that has one."""
    return {tap: guest.name for guest in facts.guests for tap in taps(guest.guest.net_ifaces)}


def lists(facts: Facts) -> Iterator[Finding]:
    """Bridges whose lists say otherwise than the guests, or than each other; nothing where the administrator plans."""
    settings, own = facts.globals, owners(facts)
    if is_system(settings) or facts.settings.text is None:
        return
    on: dict[str, list[str]] = {}
    for number, members in settings.bridge_tap_members.items():
        for member in members:
            on.setdefault(member, []).append(f"bridge{number}")
    for member, bridges in on.items():
        first, *others = bridges
        if others:
            yield found(
                "two-bridges",
                "global",
                member,
                f"{member} is in the lists of {' and '.join(bridges)}",
                f"take it off {' and '.join(others)}",
                ALL,
            )
        if member not in own and facts.all_known and names.numbered(member, "tap") is not None:
            yield found(
                "nobodys-tap",
                "global",
                member,
                f"{member} is in the list of {first}, and no guest has it",
                f"take it off: chyves network {first} unjoin {member}; "
                f"or give it to one: chyves network GUEST add {member} {first}",
                ALL,
            )
    yield from _on_no_bridge(facts.defaults.bridge, {tap: guest for tap, guest in own.items() if tap not in on})


def _on_no_bridge(bridge: str, alone: Mapping[str, str]) -> Iterator[Finding]:
    """Taps of guests that no list has; `bridge` is the one that new guests join."""
    for tap, guest in alone.items():
        yield found(
            "no-bridge",
            guest,
            tap,
            f"{tap} is in the list of no bridge, so that it is on no network",
            f"put it on one: chyves network {bridge} join {tap}",
            ALL,
        )


def uplinks(facts: Facts) -> Iterator[Finding]:
    """Uplinks that are not there, or that two bridges have."""
    settings = facts.globals
    if is_system(settings):
        return
    on: dict[str, str] = {}
    for number, uplink in settings.bridge_phy_attach.items():
        bridge = f"bridge{number}"
        if uplink in (None, PRIVATE):
            continue
        if uplink in on:
            yield found(
                "shared-uplink",
                "global",
                bridge,
                f"{bridge} has the uplink {uplink}, and {on[uplink]} too",
                f"free it of one: chyves network {bridge} private",
                ALL,
            )
        on.setdefault(uplink, bridge)
        if facts.interfaces and uplink not in facts.interfaces:
            yield found(
                "missing-uplink",
                "global",
                bridge,
                f"{bridge} has the uplink {uplink}, which is not there",
                f"make it, or choose another: chyves network {bridge} attach INTERFACE",
                ALL,
            )


def interfaces(facts: Facts) -> Iterator[Finding]:
    """Taps and bridges of chyves that are left over, and taps that are on another bridge than their own."""
    settings, own = facts.globals, owners(facts)
    on = {member: bridge for bridge, there in facts.interfaces.items() for member in there.members}
    for name, there in facts.interfaces.items():
        if names.numbered(name, "tap") is not None:
            guest = own.get(name)
            locks = ("all", *((f"guest.{guest}", f"running.{guest}") if guest else ()))
            runs = guest is not None and facts.runs(guest)
            if not runs and _ours(facts, name) and (guest or facts.all_known):
                yield _left(name, guest, there.opened_by, locks)
            elif runs and not is_system(settings) and (bridge := bridge_of(settings, name)) not in (None, on.get(name)):
                now = on.get(name) or "none"
                yield found(
                    "stray-tap",
                    guest or "host",
                    name,
                    f"{name} is to be on {bridge}, and is on {now}",
                    f"put it on {bridge}",
                    locks,
                )
            elif runs and not is_system(settings) and (bridge := on.get(name)):
                yield from _of_vlans(facts, name, bridge, guest or "host", locks)
        elif _is_spare_bridge(facts, name):
            yield found(
                "spare-bridge",
                "host",
                name,
                f"{name} was made by chyves, is empty, and nothing names it",
                "destroy it",
                ALL,
            )


def _of_vlans(facts: Facts, tap: str, bridge: str, guest: str, locks: tuple[str, ...]) -> Iterator[Finding]:
    """What a running guest's tap does not hear, or hears besides; a tap that was given no VLANs may have some."""
    given, there = facts.vlans.get(tap), facts.interfaces[bridge]
    now = there.vlans.get(tap, Vlans())
    if given and there.filters and now != given:
        what = f"{tap} was started {given} on {bridge}, and is {now if now else 'in no VLAN'}"
        yield found("other-vlans", guest, tap, what, f"make it {given}", locks)
    elif given and not there.filters:
        what = f"{tap} was started {given} on {bridge}, which filters no VLANs: it hears all"
        yield found(
            "other-vlans", guest, tap, what, f"have it filter: ifconfig {bridge} vlanfilter", locks, repair=False
        )


def _left(tap: str, guest: str | None, opened_by: int | None, locks: tuple[str, ...]) -> Finding:
    whose = f"and {guest} does not run" if guest else "and no guest has it"
    if opened_by is None:
        return found("spare-tap", guest or "host", tap, f"{tap} was made by chyves, {whose}", "destroy it", locks)
    return found(
        "taken-tap",
        guest or "host",
        tap,
        f"{tap} was made by chyves, {whose}, but process {opened_by} has it",
        f"look at the process, and end it: ps -p {opened_by}",
        locks,
    )


def _ours(facts: Facts, name: str) -> bool:
    return GROUP in facts.interfaces[name].groups


def _is_spare_bridge(facts: Facts, name: str) -> bool:
    if names.bridge_number(name) is None or not _ours(facts, name) or facts.interfaces[name].members:
        return False
    return facts.settings.text is not None and not (is_named(facts.globals, name) or name == facts.defaults.bridge)
