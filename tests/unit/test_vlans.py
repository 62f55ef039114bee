"""VLANs of cards: what is a set of them, and what a bridge becomes by them; values in, steps out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.errors import ChyvesError
from chyves.host.interfaces import Interface
from chyves.network.moves import Concern, follow, joining, with_vlans
from chyves.network.plan import check_vlans, for_start, with_member
from chyves.nics import vlans
from chyves.properties import Global, Guest
from chyves.vlans import TaggedSet, Vlans, joined, numbers

OURS = ("bridge", "chyves")
TAP = ("tap", "chyves")
TEN, TRUNK = Vlans(10), Vlans(0, "1-4094")


@pytest.mark.parametrize(
    ("text", "kept"),
    [("20", "20"), ("30-40,20", "20,30-40"), ("1,2,3", "1-3"), ("5-9,7-12", "5-12"), ("all", "1-4094"), ("01", "1")],
)
def test_a_set_is_kept_as_ifconfig_shows_it(text: str, kept: str) -> None:
    assert TaggedSet().parse(text) == kept == TaggedSet().parse(kept)


@pytest.mark.parametrize(
    "text", ["", "0", "4095", "20-", "-20", "30-20", "20,", "2 0", "20;30", "none", "ALL", "99999"]
)
def test_what_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="VLANs from 1 to 4094 such as 20,30-40, or all"):
        TaggedSet().parse(text)


@given(st.sets(st.integers(1, 4094), min_size=1))
def test_a_set_is_the_same_set_again(found: set[int]) -> None:
    assert set(numbers(joined(found))) == found
    assert TaggedSet().parse(joined(found)) == joined(found)


def test_the_vlans_of_a_guest_are_those_of_its_taps() -> None:
    guest = Guest("web1", {"tap50_vlan": "10", "tap50_vlans": "30-40,20", "tap52_vlans": "all"})
    assert vlans(guest) == {"tap50": Vlans(10, "20,30-40"), "tap52": TRUNK}
    assert [each.words for each in vlans(guest).values()] == [
        ("untagged", "10", "tagged", "20,30-40"),
        ("tagged", "1-4094"),
    ]


def settings(**changes: str) -> Global:
    lists = {"bridge0_tap_members": "tap50,tap51", "bridge1_tap_members": "tap6", "bridge0_phy_attach": "em0"}
    return Global("global", lists | changes)


def bridge0(*members: str, filters: bool | None = False, **others: object) -> Interface:
    return Interface("bridge0", members=members, groups=OURS, filters=filters, **others)  # type: ignore[arg-type]


def host(*interfaces: Interface) -> dict[str, Interface]:
    taps = (Interface(name, groups=TAP) for name in ("tap50", "tap51"))
    return {it.name: it for it in (Interface("em0"), *taps, *interfaces)}


def start(existing: dict[str, Interface], *taps: str, **given: Vlans) -> list[str]:
    steps = for_start("web1", taps or ["tap50"], settings(), existing, vlans=given)
    return [" ".join(step.act) for step in steps]


def test_a_new_bridge_filters_before_anybody_is_on_it_and_its_uplink_has_all() -> None:
    assert start({"em0": Interface("em0")}, tap50=Vlans(10, "20,30-40")) == [
        "create bridge0 chyves-bridge0",
        "filter bridge0",
        "join bridge0 em0 tagged 1-4094",
        "up em0",
        "up bridge0",
        "create tap50 chyves-web1",
        "join bridge0 tap50 untagged 10 tagged 20,30-40",
        "up tap50",
    ]


def test_a_bridge_with_its_uplink_alone_begins_to_filter() -> None:
    assert start(host(bridge0("em0")), tap50=TEN)[:2] == ["filter bridge0 em0", "up bridge0"]
    steps = for_start("web1", ["tap50"], settings(), host(bridge0("em0")), vlans={"tap50": TEN})
    assert [step.back for step in steps if step.back] == [("unfilter", "bridge0", "em0"), ("leave", "bridge0", "tap50")]


def test_who_has_vlans_already_keeps_no_bridge_from_filtering_again() -> None:
    again = bridge0("em0", "tap51", vlans={"tap51": Vlans(9)})
    assert start(host(again), tap50=TEN)[0] == "filter bridge0 em0"


def test_one_that_filters_is_left_as_it_is() -> None:
    existing = host(bridge0("em0", "tap51", filters=True, vlans={"em0": Vlans(0, "10"), "tap51": Vlans(9)}))
    assert start(existing, tap50=TEN) == ["up bridge0", "join bridge0 tap50 untagged 10", "up tap50"]


def test_a_tap_that_is_there_gets_its_vlans_anew() -> None:
    existing = host(bridge0("em0", "tap50", filters=True, vlans={"em0": TRUNK, "tap50": Vlans(9)}))
    again = for_start("web1", ["tap50"], settings(), existing, vlans={"tap50": TEN})
    assert [(step.act, step.back) for step in again if step.act[0] == "set_vlans"] == [
        (("set_vlans", "bridge0", "tap50", "untagged", "10"), ("set_vlans", "bridge0", "tap50", "untagged", "9"))
    ]
    assert not any(line.startswith("set_vlans") for line in start(existing, tap50=Vlans(9)))


def test_a_bridge_that_nobody_needs_to_filter_any_more_does_not() -> None:
    alone = bridge0("em0", filters=True, vlans={"em0": TRUNK})
    assert start(host(alone)) == ["unfilter bridge0 em0", "up bridge0", "join bridge0 tap50", "up tap50"]
    bare = start(host(bridge0(filters=True)))
    assert bare[:2] == ["unfilter bridge0", "join bridge0 em0"]


def test_an_uplink_that_comes_to_a_bridge_that_filters_has_all() -> None:
    assert "join bridge0 em0 tagged 1-4094" in start(host(bridge0("tap51", filters=True)), tap50=TEN)


@pytest.mark.parametrize(
    ("bridge", "taps", "given", "words"),
    [
        (bridge0("em0", filters=None), ("tap50",), {"tap50": TEN}, "bridges of this host filter no VLANs, which those"),
        (
            bridge0("em0", "tap51"),
            ("tap50",),
            {"tap50": TEN},
            "tap50_vlan: bridge0 filters no VLANs yet, and tap51 on it",
        ),
        (
            bridge0("em0", addresses=("192.0.2.1",)),
            ("tap50",),
            {"tap50": TRUNK},
            "tap50_vlans: bridge0 filters no VLANs yet, and this host would not be reached any more at 192.0.2.1,",
        ),
        (
            bridge0("em0"),
            ("tap50", "tap51"),
            {"tap50": TEN},
            "tap51: has no VLANs, and tap50 has some, so that bridge0",
        ),
        (bridge0("em0", "tap51", filters=True), ("tap50",), {}, "tap50: has no VLANs, and bridge0 filters them"),
    ],
)
def test_who_would_hear_nothing_is_refused(
    bridge: Interface, taps: tuple[str, ...], given: dict[str, Vlans], words: str
) -> None:
    with pytest.raises(ChyvesError) as refused:
        for_start("web1", taps, settings(), host(bridge), vlans=given)
    assert str(refused.value).startswith("web1: ") and words in str(refused.value)
    with pytest.raises(ChyvesError):
        check_vlans("web1", taps, settings(), host(bridge), given)


def test_a_card_without_vlans_may_be_where_a_bridge_has_some_for_it() -> None:
    served = bridge0("em0", filters=True, default_vlan=7)
    assert start(host(served)) == ["up bridge0", "join bridge0 tap50", "up tap50"]
    somebodys = host(bridge0("em0", "tap50", filters=True, vlans={"tap50": TEN})) | {"tap50": Interface("tap50")}
    assert start(somebodys) == ["up bridge0", "up tap50"]


def test_a_tap_on_no_bridge_has_no_vlans() -> None:
    with pytest.raises(ChyvesError, match="web1: tap9_vlan: tap9 is on no bridge that could filter; put it on one:"):
        for_start("web1", ["tap9"], settings(), host(), vlans={"tap9": TEN})


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (bridge0("em0"), "and is in no VLAN; .*: ifconfig BRIDGE vlanfilter addm tap50 untagged 10$"),
        (
            bridge0("tap50", filters=True, vlans={"tap50": TRUNK}),
            "and is tagged 1-4094; .*: ifconfig bridge0 vlanfilter ifuntagged tap50 10 iftagged tap50 none$",
        ),
    ],
)
def test_where_the_administrator_makes_the_network_it_is_said_what_to_do(there: Interface, words: str) -> None:
    system = settings(network_design_mode="system")
    with pytest.raises(ChyvesError, match=f"^web1: tap50_vlan: tap50 is to be untagged 10, {words}"):
        for_start("web1", ["tap50"], system, host(there), vlans={"tap50": TEN})
    done = host(bridge0("tap50", filters=True, vlans={"tap50": TEN}))
    assert for_start("web1", ["tap50"], system, done, vlans={"tap50": TEN}) == []


def test_a_tap_keeps_its_vlans_when_its_bridge_changes() -> None:
    existing = host(bridge0("em0", "tap50", filters=True, vlans={"em0": TRUNK, "tap50": TEN}))
    concern = with_vlans(joining(settings(), ["tap50"], "bridge1"), existing, {"tap50": Vlans(9)})
    assert concern == Concern(("tap50",), ("bridge1", "bridge0"), {"tap50": TEN})
    steps = follow(with_member(settings(), "bridge1", "tap50"), "bridge0", existing, concern)
    assert [" ".join(step.act) for step in steps] == [
        "leave bridge0 tap50",
        "create bridge1 chyves-bridge1",
        "filter bridge1",
        "up bridge1",
        "join bridge1 tap50 untagged 10",
        "up tap50",
    ]
    assert steps[0].back == ("join", "bridge0", "tap50", "untagged", "10")


def test_one_on_no_bridge_gets_those_that_its_guest_was_started_with() -> None:
    existing = host(bridge0("em0", filters=True, vlans={"em0": TRUNK}))
    concern = with_vlans(joining(settings(), ["tap50"]), existing, {"tap50": Vlans(9)})
    assert [" ".join(step.act) for step in follow(settings(), "bridge0", existing, concern)] == [
        "up bridge0",
        "join bridge0 tap50 untagged 9",
        "up tap50",
    ]
