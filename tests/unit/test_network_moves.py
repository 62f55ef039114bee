"""Interfaces that change their bridges: values in, properties and steps out."""

from __future__ import annotations

import pytest

from chyves.errors import ChyvesError
from chyves.host.interfaces import Interface
from chyves.network.moves import Concern, follow, home, joining, migration
from chyves.network.plan import with_member, without_member
from chyves.network.steps import Step
from chyves.properties import Global

LISTS = {
    "bridge0_phy_attach": "em0",
    "bridge0_tap_members": "tap5,tap50",
    "bridge1_phy_attach": "em1",
    "bridge1_tap_members": "tap6",
}
OURS = ("bridge", "chyves")


def settings(**changes: str) -> Global:
    return Global("global", LISTS | changes)


def host(**mtu: int) -> dict[str, Interface]:
    """Two bridges with two uplinks, and two guests that run."""
    found = [
        *(Interface(name, mtu=mtu.get(name, 1500)) for name in ("em0", "em1", "tap5", "tap50", "tap6")),
        Interface("bridge0", mtu=mtu.get("bridge0", 1500), members=("em0", "tap5", "tap50"), groups=OURS),
        Interface("bridge1", mtu=mtu.get("bridge1", 1500), members=("em1", "tap6"), groups=OURS),
    ]
    return {interface.name: interface for interface in found}


def acts(steps: list[Step]) -> list[str]:
    return [" ".join(step.act) for step in steps]


def moves(changed: Global, existing: dict[str, Interface], concern: Concern, default: str = "bridge0") -> list[str]:
    return acts(follow(changed, default, existing, concern))


def test_a_tap_leaves_before_it_joins() -> None:
    changed = with_member(settings(), "bridge1", "tap50")
    concern = joining(settings(), ["tap50"], "bridge1")
    assert concern == Concern(("tap50",), ("bridge1", "bridge0"))
    assert moves(changed, host(), concern) == [
        "leave bridge0 tap50",
        "up bridge1",
        "join bridge1 tap50",
        "up tap50",
    ]


def test_what_is_where_it_belongs_or_does_not_exist_stays() -> None:
    everything = Concern(("em0", "em1", "tap5", "tap50", "tap6", "tap99"), ("bridge0", "bridge1"))
    assert follow(settings(), "bridge0", host(), everything) == []


def test_a_second_planning_finishes_what_was_broken_off() -> None:
    changed = with_member(settings(), "bridge1", "tap50")
    concern = joining(settings(), ["tap50"], "bridge1")
    half = host() | {"bridge0": Interface("bridge0", members=("em0", "tap5"))}
    assert moves(changed, half, concern) == ["up bridge1", "join bridge1 tap50", "up tap50"]
    done = half | {"bridge1": Interface("bridge1", members=("em1", "tap6", "tap50"))}
    assert moves(changed, done, concern) == []


def test_a_tap_gets_the_mtu_of_the_bridge_that_it_comes_to() -> None:
    changed = with_member(settings(), "bridge1", "tap50")
    steps = follow(changed, "bridge0", host(bridge1=9000), joining(settings(), ["tap50"], "bridge1"))
    assert Step(("set_mtu", "tap50", "9000"), ("set_mtu", "tap50", "1500")) in steps


def test_a_bridge_is_made_for_a_tap_and_not_for_an_uplink() -> None:
    changed = with_member(settings(bridge2_phy_attach="em2"), "bridge2", "tap5")
    existing = host() | {"em2": Interface("em2")}
    concern = Concern(("em2",), ("bridge2",))
    assert moves(changed, existing, concern) == []
    assert moves(changed, existing, joining(settings(), ["tap5"], "bridge2")) == [
        "leave bridge0 tap5",
        "create bridge2 chyves-bridge2",
        "join bridge2 em2",
        "up em2",
        "up bridge2",
        "join bridge2 tap5",
        "up tap5",
    ]
    with pytest.raises(ChyvesError, match="tap5: bridge2: is attached to em2, which this host does not have"):
        follow(changed, "bridge0", host(), joining(settings(), ["tap5"], "bridge2"))


def test_fault_10_unjoin_of_tap5_does_not_drop_tap50() -> None:
    changed = without_member(settings(), "tap5")
    assert changed.get("bridge0_tap_members") == "tap50"
    assert moves(changed, host(), joining(settings(), ["tap5"], "bridge0")) == ["leave bridge0 tap5"]


def test_a_tap_that_somebody_has_put_elsewhere_is_left_there() -> None:
    existing = host() | {"bridge9": Interface("bridge9", members=("tap7",)), "tap7": Interface("tap7")}
    assert moves(settings(), existing, Concern(("tap7",), ("bridge0",))) == []


def test_an_uplink_is_exchanged() -> None:
    changed = settings(bridge0_phy_attach="em2")
    existing = host() | {"em2": Interface("em2")}
    concern = Concern(("em0", "em2"), ("bridge0",))
    assert moves(changed, existing, concern) == ["leave bridge0 em0", "join bridge0 em2", "up em2", "up bridge0"]


def test_fault_10_migrate_keeps_the_taps_of_the_target() -> None:
    planned = migration(settings(), "bridge0", "bridge0", "bridge1", {"tap5": "web1", "tap50": "web2"})
    assert planned.settings.text == {"bridge1_tap_members": "tap6,tap5,tap50", "bridge1_phy_attach": "em0"}
    assert planned.default == "bridge1"
    assert planned.lines == (
        "tap5 (web1): from bridge0 to bridge1",
        "tap50 (web2): from bridge0 to bridge1",
        "em0: from bridge0 to bridge1",
        "em1: leaves bridge1",
        "new guests: join bridge1 instead of bridge0",
    )
    assert moves(planned.settings, host(), planned.concern, planned.default) == [
        "leave bridge0 tap5",
        "leave bridge0 tap50",
        "leave bridge1 em1",
        "leave bridge0 em0",
        "join bridge1 em0",
        "up em0",
        "up bridge1",
        "join bridge1 tap5",
        "up tap5",
        "join bridge1 tap50",
        "up tap50",
        "",
        "destroy bridge0",
    ]


def test_a_bridge_that_chyves_did_not_make_outlives_its_migration() -> None:
    planned = migration(settings(), "bridge1", "bridge0", "bridge1", {})
    theirs = host() | {"bridge0": Interface("bridge0", members=("em0", "tap5", "tap50"), groups=("bridge",))}
    assert "destroy bridge0" not in moves(planned.settings, theirs, planned.concern, planned.default)
    busy = host() | {"bridge0": Interface("bridge0", members=("em0", "tap5", "tap50", "epair0a"), groups=OURS)}
    assert "destroy bridge0" not in moves(planned.settings, busy, planned.concern, planned.default)


def test_a_bridge_without_an_uplink_leaves_the_target_s() -> None:
    for without in ("private", "-"):
        planned = migration(settings(bridge0_phy_attach=without), "bridge1", "bridge0", "bridge1", {})
        assert planned.settings.text == {"bridge1_tap_members": "tap6,tap5,tap50", "bridge1_phy_attach": "em1"}
        assert planned.default == "bridge1"
        assert home(planned.settings, "em1") == "bridge1"
    alone = migration(settings(bridge0_phy_attach="private"), "bridge0", "bridge0", "bridge7", {})
    assert alone.settings.bridge_phy_attach == {1: "em1", 7: "private"}
