"""What follows from what was looked at: nothing that is odd keeps the rest from being told."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.doctor.acts import ACTS
from chyves.doctor.facts import Facts, GuestFacts, Kept, PoolFacts, Record, problems
from chyves.doctor.findings import findings
from chyves.doctor.kinds import KINDS, How, Kind
from chyves.host.interfaces import Interface
from chyves.properties import Defaults, Global, Guest
from chyves.section import Section

G = "zroot/chyves/guests"
MOUNTED = {"type": "filesystem", "mountpoint": "/x", "mounted": "yes", "readonly": "off", "origin": "-"}
VOLUME = {"type": "volume", "mountpoint": "-", "mounted": "-", "readonly": "off", "origin": "-"}
EMPTY = Kept("f", {})
names = st.sampled_from(
    [*Guest.table, *Global.table, "tap5_mac", "pcidev_0", "disk3_notes", "bridge0_tap_members", "odd"]
)
texts = st.one_of(st.text(max_size=20), st.sampled_from(["", "-", "tap5", "tap5,tap6", "yes", "nmdm5", "5900", "0300"]))
files = st.one_of(
    st.builds(lambda text: Kept("f", text), st.dictionaries(names, texts)),
    st.just(Kept("f", None, "cannot be read")),
    st.just(Kept("f")),
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_each_kind_says_what_it_is_and_is_repaired_as_it_says(kind: Kind) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.name)
    assert kind.means.endswith(".") and kind.remedy.endswith(".")
    assert (kind.name in ACTS) == (kind.how is How.REPAIRED)


def guest(name: str, kept: Kept, *disks: str) -> GuestFacts:
    own = f"{G}/{name}"
    rows = dict.fromkeys((own, f"{own}/.config", f"{own}/logs"), MOUNTED)
    return GuestFacts(name, "zroot", own, rows | {f"{own}/{disk}": VOLUME for disk in disks}, kept)


def facts(*guests: GuestFacts, settings: Kept = EMPTY, fresh: Kept = EMPTY) -> Facts:
    rows = dict.fromkeys(("zroot/chyves", G), MOUNTED) | {
        name: row for each in guests for name, row in each.rows.items()
    }
    pool = PoolFacts("zroot", "zroot/chyves", rows, Kept("p", {"dataset_role": "primary"}))
    return Facts(pools=[pool], guests=guests, primary="zroot", settings=settings, fresh=fresh)


@given(st.lists(files, max_size=4), files, files)
def test_whatever_files_have_one_guest_hides_nothing_of_another(kept: list[Kept], settings: Kept, fresh: Kept) -> None:
    lone = guest("lone", Kept("f", {"ram": "much", "net_ifaces": "tap900"}), "data")
    others = [guest(f"g{number}", each, "disk0") for number, each in enumerate(kept)]
    found = [it for it in findings(facts(*others, lone, settings=settings, fresh=fresh)) if it.owner == "lone"]
    assert {"invalid", "stray-volume"} <= {it.kind.name for it in found}
    for it in findings(facts(*others, lone, settings=settings, fresh=fresh)):
        assert it.what and it.remedy and it.kind.name in KINDS


@given(st.dictionaries(names, texts))
def test_what_cannot_be_is_told_once_and_the_rest_is_used(text: dict[str, str]) -> None:
    for kind in (Guest, Global, Defaults):
        whole: Section = kind("x", text)
        wrong = {name for name, _ in problems(whole)}
        kept = Kept("f", text).section(kind, "x")
        assert kept.text == {name: value for name, value in text.items() if name not in wrong}
        kept.check()


def test_a_guest_that_is_as_it_should_be_is_not_found() -> None:
    text = {
        "net_ifaces": "tap50",
        "pci_slots": "disk0=3:0,tap50=4:0",
        "uefi_vnc_port": "5900",
        "tap50_mac": "58:9c:fc:0:0:1",
    }
    settings = Kept("g", {"bridge0_tap_members": "tap50"})
    assert findings(facts(guest("a", Kept("f", text), "disk0"), settings=settings)) == []


def test_guests_of_names_that_begin_alike_are_not_taken_for_each_other() -> None:
    text = {"net_ifaces": "tap5", "tap5_mac": "58:9c:fc:0:0:1"}
    other = {"net_ifaces": "tap50", "tap50_mac": "58:9c:fc:0:0:2"}
    settings = Kept("g", {"bridge0_tap_members": "tap5,tap50"})
    two = facts(guest("web", Kept("f", text)), guest("web-1", Kept("f", other)), settings=settings)
    assert findings(two) == []


def test_what_is_running_is_no_dead_vmm_and_what_is_not_ours_is_left_alone() -> None:
    here = facts(guest("a", Kept("f", {})))
    vmms = frozenset({"chy-a", "other", "chy-gone"})
    found = findings(replace(here, vmms=vmms, supervised={"a": 7}, records=[Record("a")]))
    assert [(it.kind.name, it.thing) for it in found] == [("dead-vmm", "chy-gone")]


@pytest.mark.parametrize("kept", [Kept("f"), Kept("f", None, "cannot be read")])
def test_a_tap_may_be_of_a_guest_that_could_not_be_read(kept: Kept) -> None:
    tap = Interface("tap5", groups=("tap", "chyves"), opened_by=7)
    settings = Kept("g", {"bridge0_tap_members": "tap5"})
    some = replace(
        facts(guest("a", kept), settings=settings), interfaces={"tap5": tap}, supervised={"a": 6}, records=[Record("a")]
    )
    assert {it.kind.name for it in findings(some)} <= {"unreadable"}


def test_a_pool_that_is_readonly_is_told_once() -> None:
    here = facts(guest("a", Kept("f", {})), guest("b", Kept("f", {"template": "yes"})))
    shut = {name: {**row, "readonly": "on"} for name, row in here.pools[0].rows.items()}
    found = findings(replace(here, pools=[replace(here.pools[0], rows=shut)]))
    assert [(it.kind.name, it.owner) for it in found] == [("closed-guest", "zroot")]
