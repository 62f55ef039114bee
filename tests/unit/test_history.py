"""Which snapshots a guest has, which is the latest, and which a range means."""

from __future__ import annotations

import pytest

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests.history import History, Snapshot, refuse_bound
from chyves.host.machine import Host
from chyves.names import BadName
from chyves.pools.holdings import GuestHolding, PoolHolding, Rows

TOP = "zroot/chyves/guests/web1"


def taken(name: str, txg: int, *datasets: str, **different: str) -> Snapshot:
    row = {"creation": str(txg), "createtxg": str(txg), "used": "10", "userrefs": "0", "clones": ""}
    rows: Rows = {dataset: {**row, **different} for dataset in datasets or (TOP, f"{TOP}/disk0")}
    return Snapshot(name, rows)


@pytest.fixture
def past() -> History:
    host = Host.__new__(Host)
    holding = GuestHolding(host, PoolHolding(host, "zroot", {}), "web1", {TOP: {}, f"{TOP}/disk0": {}})
    snapshots = [
        taken("@a", 1),
        taken("@chyves-clone-process-1", 2),
        taken("@b-LIVE-SYSTEM", 3),
        taken("@part", 4, f"{TOP}/disk0"),
    ]
    return History(holding, snapshots, {f"{TOP}#old": 1, f"{TOP}#new": 4})


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("@a", "@a"),
        ("@chyves-clone-process-1", "@chyves-clone-process-1"),
        ("@a%b-LIVE-SYSTEM", "@a @b-LIVE-SYSTEM"),
        ("@%b-LIVE-SYSTEM", "@a @b-LIVE-SYSTEM"),
        ("@b-LIVE-SYSTEM%", "@b-LIVE-SYSTEM @part"),
        ("@%", "@a @b-LIVE-SYSTEM @part"),
        ("@a%a", "@a"),
    ],
)
def test_a_range_is_what_zfs_has_but_for_snapshots_of_clones(past: History, spec: str, wanted: str) -> None:
    assert " ".join(snapshot.name for snapshot in past.chosen(spec)) == wanted


@pytest.mark.parametrize("spec", ["@x", "@x%a", "@a%x", "@b%a", "@par"])
def test_a_range_of_what_is_not_there_is_refused(past: History, spec: str) -> None:
    with pytest.raises(ChyvesError, match=r"web1: @.*there is no such snapshot; see: chyves web1 snapshot list"):
        past.chosen(spec)


def test_the_latest_is_none_of_a_clone_and_where_asked_one_that_all_datasets_have(past: History) -> None:
    latest, whole = past.latest(), past.latest(whole=True)
    assert latest is not None and whole is not None
    assert (latest.name, whole.name) == ("@part", "@b-LIVE-SYSTEM")
    assert latest.missing(past.holding) == ["."]
    assert (whole.live, latest.live) == (True, False)
    past.snapshots = past.snapshots[1:2]
    assert past.latest() is None


def test_newer_is_newer_on_any_dataset(past: History) -> None:
    names_of = [snapshot.name for snapshot in past.newer(past.find("@a"))]
    assert names_of == ["@chyves-clone-process-1", "@b-LIVE-SYSTEM", "@part"]
    torn = Snapshot("@torn", {TOP: taken("", 2).rows[TOP], f"{TOP}/disk0": taken("", 5).rows[TOP]})
    past.snapshots.append(torn)
    assert [snapshot.name for snapshot in past.newer(torn)] == ["@b-LIVE-SYSTEM"]
    assert torn in past.newer(past.find("@b-LIVE-SYSTEM"))
    assert past.newer_bookmarks(past.find("@b-LIVE-SYSTEM")) == [f"{TOP}#new"]


def test_what_is_held_or_cloned_is_not_lost(past: History) -> None:
    refuse_bound(past, past.snapshots)
    clones = "zroot/chyves/guests/db/disk0,zroot/chyves/guests/db/img,zroot/other"
    with pytest.raises(ChyvesError, match=r"web1: @c: db, zroot/other was cloned from it and hangs on it"):
        refuse_bound(past, [taken("@c", 5, clones=clones)])
    with pytest.raises(ChyvesError, match=f"web1: @h: is held; see who does with: zfs holds -r {TOP}@h"):
        refuse_bound(past, [taken("@h", 5, userrefs="1")])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("@a", "@a"), ("a", "@a"), ("a%b", "@a%b"), ("@a%@b", "@a%b"), ("%b", "@%b"), ("@a%", "@a%"), ("%", "@%")],
)
def test_a_range_may_be_written_with_and_without_its_at(typed: str, meant: str) -> None:
    assert names.snapshots(typed) == meant


@pytest.mark.parametrize("typed", ["", "@", "@a/b", "@a b", "@a%b%c", "@a,b", "@@a", "@" + "x" * 201])
def test_what_is_no_name_of_a_snapshot_is_refused(typed: str) -> None:
    for check in (names.snapshot, names.known_snapshot, names.snapshots):
        with pytest.raises(BadName):
            check(typed)
