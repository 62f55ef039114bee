"""The plan of a guest's interfaces: values in, steps out."""

from __future__ import annotations

import pytest

from chyves.errors import ChyvesError
from chyves.host.interfaces import Interface
from chyves.network.plan import bridge_of, for_start, free_number, held_taps, with_member, without_member
from chyves.network.steps import Step
from chyves.properties import Global

LISTS = {"bridge0_tap_members": "tap5,tap50", "bridge1_tap_members": "tap6", "bridge0_phy_attach": "em0"}


def settings(**changes: str) -> Global:
    return Global("global", LISTS | changes)


def there(*interfaces: Interface) -> dict[str, Interface]:
    return {interface.name: interface for interface in (Interface("em0"), Interface("lo0"), *interfaces)}


def test_everything_is_made_on_a_fresh_host() -> None:
    assert for_start("web1", ["tap50"], settings(), there()) == [
        Step(("create", "bridge0", "chyves-bridge0"), ("destroy", "bridge0")),
        Step(("join", "bridge0", "em0"), ("leave", "bridge0", "em0")),
        Step(("up", "em0")),
        Step(("up", "bridge0")),
        Step(("create", "tap50", "chyves-web1"), ("destroy", "tap50")),
        Step(("join", "bridge0", "tap50"), ("leave", "bridge0", "tap50")),
        Step(("up", "tap50")),
    ]


def test_what_is_there_is_left_as_it_is() -> None:
    existing = there(Interface("bridge0", members=("em0", "tap50")), Interface("tap50"))
    assert for_start("web1", ["tap50"], settings(), existing) == [Step(("up", "bridge0")), Step(("up", "tap50"))]


def test_a_tap_gets_the_mtu_of_its_bridge_before_it_joins() -> None:
    existing = there(Interface("bridge0", mtu=9000, members=("em0",)))
    steps = for_start("web1", ["tap50"], settings(), existing)
    assert steps.index(Step(("set_mtu", "tap50", "9000"))) < steps.index(
        Step(("join", "bridge0", "tap50"), ("leave", "bridge0", "tap50"))
    )


def test_a_tap_gets_what_the_uplink_gives_a_bridge_that_has_no_member_yet() -> None:
    jumbo = {"em0": Interface("em0", mtu=9000), "bridge0": Interface("bridge0")}
    wanted = Step(("set_mtu", "tap50", "9000"))
    assert wanted in for_start("web1", ["tap50"], settings(), jumbo)
    assert wanted in for_start("web1", ["tap50"], settings(), {"em0": jumbo["em0"]})
    private = for_start("web1", ["tap50"], settings(bridge0_phy_attach="private"), jumbo)
    assert not any(step.act[0] == "set_mtu" for step in private)


def test_a_tap_that_is_there_gets_its_mtu_back() -> None:
    existing = there(Interface("bridge0", members=("em0",)), Interface("tap50", mtu=9000))
    assert Step(("set_mtu", "tap50", "1500"), ("set_mtu", "tap50", "9000")) in for_start(
        "web1", ["tap50"], settings(), existing
    )


def test_a_guest_holds_the_taps_that_are_made_for_it_or_were_left_of_it() -> None:
    existing = there(Interface("tap5", groups=("tap", "chyves")), Interface("tap6", groups=("tap",)))
    interfaces = ["tap5", "tap50", "tap6", "vale0"]
    steps = for_start("web1", interfaces, settings(), existing)
    assert held_taps(steps, interfaces, existing) == ["tap5", "tap50"]


def test_two_bridges_two_uplinks_and_two_taps_of_one_guest() -> None:
    host = there(Interface("em1", mtu=9000))
    steps = for_start("web1", ["tap50", "tap6"], settings(bridge1_phy_attach="em1"), host)
    joined = [step.act[1:] for step in steps if step.act[0] == "join"]
    assert joined == [("bridge0", "em0"), ("bridge0", "tap50"), ("bridge1", "em1"), ("bridge1", "tap6")]
    assert [step.act for step in steps if step.act[0] == "set_mtu"] == [("set_mtu", "tap6", "9000")]


def test_two_taps_on_one_bridge_make_it_once() -> None:
    steps = for_start("web1", ["tap5", "tap50"], settings(), there())
    assert sum(step.act[:2] == ("create", "bridge0") for step in steps) == 1


def test_a_private_bridge_has_no_uplink() -> None:
    steps = for_start("web1", ["tap50"], settings(bridge0_phy_attach="private"), there())
    assert not any("em0" in step.act for step in steps)


def test_a_tap_in_use_an_uplink_that_is_missing_and_a_tap_nobody_made_are_refused() -> None:
    with pytest.raises(ChyvesError, match="web1: tap50: is in use by process 77; stop it, or give"):
        for_start("web1", ["tap50"], settings(), there(Interface("tap50", opened_by=77)))
    with pytest.raises(ChyvesError, match="web1: bridge0: is attached to em7, which this host does not have; try:"):
        for_start("web1", ["tap50"], settings(bridge0_phy_attach="em7"), there())
    with pytest.raises(ChyvesError, match="web1: tap50: does not exist; make it, or set network_design_mode=auto"):
        for_start("web1", ["tap50"], settings(network_design_mode="system"), there())


def test_in_system_mode_nothing_is_made() -> None:
    assert for_start("web1", ["tap50"], settings(network_design_mode="system"), there(Interface("tap50"))) == []


def test_cards_that_are_no_taps_need_no_interface_of_the_host() -> None:
    assert for_start("web1", ["vale0:1", "slirp0", "netgraph0"], settings(), there()) == []


def test_what_a_guest_is_told_of_packets_gets_through_its_bridge() -> None:
    jumbo = {"em0": Interface("em0", mtu=9000), "bridge0": Interface("bridge0", mtu=9000, members=("em0",))}
    assert Step(("set_mtu", "tap50", "9000")) in for_start("web1", ["tap50"], settings(), jumbo, {50: 4000})
    assert for_start("web1", ["tap50"], settings(), there(), {50: 1400}) == for_start(
        "web1", ["tap50"], settings(), there()
    )


@pytest.mark.parametrize(
    ("host", "decides"),
    [
        (there(), "em0"),
        (there(Interface("bridge0", members=("em0",))), "bridge0"),
        (there(Interface("bridge0", members=("em0", "tap50")), Interface("tap50")), "bridge0"),
    ],
    ids=["no bridge yet", "its uplink is on it", "the tap is on it"],
)
def test_what_does_not_get_through_a_bridge_is_refused(host: dict[str, Interface], decides: str) -> None:
    with pytest.raises(ChyvesError) as refused:
        for_start("web1", ["tap5", "tap50"], settings(), host, {50: 9000})
    advice = f"use at most 1500, or let it have more: ifconfig {decides} mtu 9000"
    assert str(refused.value) == f"web1: tap50_mtu: 9000 is more than {decides} has (1500); {advice}"


def test_the_first_tap_of_a_private_bridge_brings_its_packets_along() -> None:
    private = settings(bridge0_phy_attach="private")
    for bridges in ((), (Interface("bridge0"),)):
        steps = for_start("web1", ["tap50"], private, there(*bridges), {50: 9000})
        assert Step(("set_mtu", "tap50", "9000")) in steps
    left = there(Interface("bridge0"), Interface("tap50", mtu=9000))
    assert not any("set_mtu" in step.act for step in for_start("web1", ["tap50"], private, left, {50: 9000}))


def test_a_tap_on_no_bridge_has_what_its_guest_is_told() -> None:
    assert Step(("set_mtu", "tap9", "9000")) in for_start("web1", ["tap9"], settings(), there(), {9: 9000})


def test_a_tap_of_the_administrator_must_have_what_its_guest_is_told() -> None:
    system = settings(network_design_mode="system")
    assert for_start("web1", ["tap50"], system, there(Interface("tap50", mtu=9000)), {50: 9000}) == []
    with pytest.raises(ChyvesError, match="tap50_mtu: 9000 is more than tap50 has"):
        for_start("web1", ["tap50"], system, there(Interface("tap50")), {50: 9000})


def test_fault_10_tap5_is_not_tap50() -> None:
    assert bridge_of(settings(), "tap5") == "bridge0"
    assert bridge_of(settings(), "tap51") is None
    assert without_member(settings(), "tap5").bridge_tap_members == {0: ("tap50",), 1: ("tap6",)}
    assert without_member(settings(), "tap50").bridge_tap_members == {0: ("tap5",), 1: ("tap6",)}


def test_an_interface_is_on_one_bridge() -> None:
    moved = with_member(settings(), "bridge1", "tap50")
    assert moved.bridge_tap_members == {0: ("tap5",), 1: ("tap6", "tap50")}
    assert without_member(moved, "tap5").get("bridge0_tap_members") == "-"


def test_in_system_mode_the_lists_stay_as_they_are() -> None:
    system = settings(network_design_mode="system")
    assert with_member(system, "bridge1", "tap9") is system
    assert without_member(system, "tap5") is system


def test_numbers_are_taken_from_the_offset_on() -> None:
    assert free_number(50, {50, 51, 53}) == 52
    assert free_number(50, ()) == 50
