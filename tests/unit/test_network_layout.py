"""The host's own layout as properties: what is taken, what is left out, what is refused."""

from __future__ import annotations

import pytest

from chyves.errors import ChyvesError
from chyves.host.interfaces import Interface
from chyves.network.layout import Layout, layout
from chyves.properties import Global

OWNED = ("tap50", "tap51", "tap60")


def host(*interfaces: Interface) -> dict[str, Interface]:
    cards = (Interface("em0"), Interface("em1"), Interface("lo0"))
    return {interface.name: interface for interface in (*cards, *interfaces)}


def bridge(name: str, *members: str) -> Interface:
    return Interface(name, members=members, groups=("bridge",))


def found(existing: dict[str, Interface], **text: str) -> Layout:
    return layout(Global("global", text), existing, OWNED)


def test_two_bridges_are_taken_with_their_uplinks_and_taps() -> None:
    told = found(host(bridge("bridge0", "em0", "tap50"), bridge("bridge1", "em1", "tap60", "tap51")))
    assert told.changes == {
        "bridge0_phy_attach": "em0",
        "bridge0_tap_members": "tap50",
        "bridge1_phy_attach": "em1",
        "bridge1_tap_members": "tap60,tap51",
    }
    assert told.settings.text == told.changes
    assert told.skipped == []


def test_a_bridge_without_an_uplink_is_private_and_a_vlan_is_an_uplink() -> None:
    told = found(host(bridge("bridge0", "tap50"), bridge("bridge1", "vlan10"), bridge("bridge2", "em0.20")))
    assert told.changes == {
        "bridge0_phy_attach": "private",
        "bridge0_tap_members": "tap50",
        "bridge1_phy_attach": "vlan10",
        "bridge2_phy_attach": "em0.20",
    }


def test_what_the_properties_have_stays_and_nothing_new_is_no_change() -> None:
    told = found(
        host(bridge("bridge0", "em0", "tap51")), bridge0_phy_attach="em0", bridge0_tap_members="tap50", cpu="x"
    )
    assert told.changes == {"bridge0_tap_members": "tap50,tap51"}
    assert told.settings.text["cpu"] == "x"
    again = found(host(bridge("bridge0", "em0", "tap51")), **dict(told.settings.text))
    assert again.changes == {}


def test_taps_of_0_2_0_are_taken_by_their_description_and_those_of_others_are_not() -> None:
    existing = host(
        bridge("bridge0", "em0", "tap1", "tap2", "tap3", "tap4"),
        Interface("tap1", description="chyves-tap"),
        Interface("tap2", description="vmnet/db1/0/public"),
        Interface("tap3"),
        Interface("tap4", groups=("tap", "chyves")),
    )
    assert found(existing).changes == {}
    assert found(existing).skipped == ["bridge0: has tap2, which is somebody else's; left out"]
    del existing["tap2"]
    existing["bridge0"] = bridge("bridge0", "em0", "tap1", "tap3", "tap4")
    assert found(existing).changes["bridge0_tap_members"] == "tap1,tap3,tap4"


def test_bridges_of_jails_and_of_others_are_left_out() -> None:
    told = found(
        host(
            bridge("bridge0", "em0", "epair0a", "epair1a"),
            bridge("bridge3"),
            bridge("public", "em1", "tap50"),
            bridge("bridge1", "em1", "tap60", "epair2a"),
        )
    )
    assert told.changes == {"bridge1_phy_attach": "em1", "bridge1_tap_members": "tap60"}
    assert told.skipped == [
        "bridge0: has epair0a, epair1a, which is somebody else's; left out",
        "bridge3: has no members; left out",
        "public: chyves calls bridges bridge and a number; left out",
        "bridge1: epair2a is somebody else's, and no part of it",
    ]


@pytest.mark.parametrize(
    ("members", "text", "message"),
    [
        (("em0", "em1"), {}, "bridge0: has em0 and em1, and a bridge of chyves has one uplink; take one off"),
        (("em0",), {"bridge0_phy_attach": "em1"}, "bridge0: is on em0, and its property says em1; make them agree"),
        (("em0",), {"bridge0_phy_attach": "private"}, "bridge0: is on em0, and its property says private"),
        (("em0",), {"bridge1_phy_attach": "em0"}, "bridge0: is on em0, and the properties have that at bridge1"),
        (("tap50",), {"bridge1_tap_members": "tap50"}, "bridge0: has tap50, and the properties have that at bridge1"),
    ],
)
def test_what_the_properties_say_otherwise_is_refused(
    members: tuple[str, ...], text: dict[str, str], message: str
) -> None:
    with pytest.raises(ChyvesError, match=message):
        found(host(bridge("bridge0", *members)), **text)
