"""What ZFS is asked, and what is believed of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.zfs import Zfs
from chyves.host.zfs.libzfs import KNOWN
from chyves.host.zfs.zfs8 import Zfs8
from tests.zfs.suite.conftest import Counted, Ground

Costs = Callable[[int], None]

ODD = {
    "x:empty": "",
    "x:blanks": "  two before, one behind ",
    "x:tab": "one\ttwo\t",
    "x:lines": "one\n\nthree\n",
    "x:words": 'it\'s "a" $HOME `b` \\ * = a=b',
    "x:unicode": "naïve \u65e5\u672c \U0001f41a",
    "x:long": "y" * 8191,
}


@pytest.fixture
def tree(zfs: Zfs, top: str) -> str:
    """Two guests, of whose names one is the other's beginning, with a volume, a snapshot and a clone of it."""
    for name in ("web1", "web1/logs", "web1-a", "web11"):
        zfs.create(f"{top}/{name}")
    zfs.create_volume(f"{top}/web1/disk0", 1 << 20, {"refreservation": "none"})
    zfs.snapshot(f"{top}/web1@one")
    zfs.clone(f"{top}/web1/logs@one", f"{top}/web11/logs")
    return top


def names(zfs: Zfs, *asked: str, **how: object) -> list[str]:
    return [row["name"] for row in zfs.list(*asked, **how)]  # type: ignore[arg-type]


def test_listings(zfs: Zfs, tree: str, costs: Costs) -> None:
    costs(0)
    own = [f"{tree}/web1", f"{tree}/web1/disk0", f"{tree}/web1/logs"]
    others = [f"{tree}/web1-a", f"{tree}/web11", f"{tree}/web11/logs"]
    # In the order of the names as bytes, in which a dash is before a slash.
    assert names(zfs, tree, recursive=True) == [tree, own[0], others[0], *own[1:], *others[1:]]
    assert names(zfs, f"{tree}/web1", recursive=True) == own
    assert names(zfs, f"{tree}/web11", f"{tree}/web1", recursive=True) == [*own, *others[1:]]
    assert names(zfs, f"{tree}/web1", depth=1) == own
    assert names(zfs, tree, depth=1) == [tree, own[0], *others[:2]]
    assert names(zfs, f"{tree}/web1", depth=0) == names(zfs, f"{tree}/web1") == own[:1]
    assert names(zfs, f"{tree}/web1", types="volume", recursive=True) == [own[1]]
    assert names(zfs, f"{tree}/web1", types="filesystem", recursive=True) == [own[0], own[2]]
    assert set(names(zfs)) >= {tree, *own, *others}
    assert tree.partition("/")[0] in names(zfs, depth=1, types="filesystem")
    costs(11)


def test_snapshots_and_bookmarks_are_listed(zfs: Zfs, tree: str) -> None:
    zfs.run.do("zfs", "bookmark", f"{tree}/web1@one", f"{tree}/web1#mark")
    columns = ("name", "type", "userrefs", "defer_destroy", "createtxg")
    rows = zfs.list(f"{tree}/web1", properties=columns, types="snapshot,bookmark", recursive=True)
    told = {row["name"].removeprefix(tree): row["type"] for row in rows}
    assert told == {
        "/web1@one": "snapshot",
        "/web1#mark": "bookmark",
        "/web1/disk0@one": "snapshot",
        "/web1/logs@one": "snapshot",
    }
    assert len({row["createtxg"] for row in rows}) == 1, "snapshots of one command are of one moment"
    assert names(zfs, f"{tree}/web1", types="all", depth=1)[:2] == [f"{tree}/web1", f"{tree}/web1@one"]


def test_values(zfs: Zfs, tree: str, ground: Ground, costs: Costs) -> None:
    rows = {row["name"]: row for row in zfs.list(tree, properties=sorted(KNOWN), recursive=True)}
    volume, logs, clone = (rows[f"{tree}/{name}"] for name in ("web1/disk0", "web1/logs", "web11/logs"))
    assert (volume["type"], volume["volsize"], volume["mountpoint"]) == ("volume", str(1 << 20), "-")
    assert (logs["type"], logs["volsize"], logs["mounted"], logs["origin"]) == ("filesystem", "-", "yes", "-")
    assert clone["origin"] == f"{tree}/web1/logs@one"
    below = tree.removeprefix(ground.top)
    assert logs["mountpoint"] == f"{ground.place}{below}/web1/logs"
    for row in rows.values():
        assert all(row[column].isdecimal() for column in ("used", "available", "referenced", "guid", "creation"))
        assert row["readonly"] == "off"
    costs(1)
    for column in ("guid", "creation", "mountpoint", "origin"):
        assert zfs.get(f"{tree}/web1/disk0", column) == volume[column]
    costs(4)
    snapshot = f"{tree}/web1@one"
    assert zfs.list(snapshot, properties=["guid"], types="snapshot")[0]["guid"] == zfs.get(snapshot, "guid")


@pytest.mark.parametrize("way", ["libzfs"], indirect=True)
def test_libzfs_tells_the_same_as_zfs8(zfs: Zfs, tree: str) -> None:
    zfs.set(f"{tree}/web1", {"x:y": "1", "compression": "on", "quota": "1G", "mountpoint": "none"})
    zfs.run.do("zpool", "sync", tree.partition("/")[0])
    other, columns = Zfs8(zfs.run), (*sorted(KNOWN), "x:y")
    for how in ({"recursive": True}, {"depth": 1}, {"depth": 0}, {"types": "filesystem", "recursive": True}):
        assert zfs.list(tree, properties=columns, **how) == other.list(tree, properties=columns, **how)
    every = names(zfs, tree, recursive=True)
    assert zfs.local(*every) == other.local(*every)
    assert zfs.pools() == other.pools()


def test_absence_is_told_from_failure(zfs: Zfs, tree: str, runner: Counted, costs: Costs) -> None:
    for name in ("web", "web1/log", "web1/disk0/x", "web1@none", "none@one"):
        assert not zfs.exists(f"{tree}/{name}")
    with pytest.raises(ProgramFailed, match="does not exist"):
        zfs.get(f"{tree}/web", "guid")
    with pytest.raises(ProgramFailed, match="does not exist"):
        zfs.list(f"{tree}/web1", f"{tree}/web", types="all")
    runner.asked = 0
    assert zfs.exists(f"{tree}/web1")
    costs(1)
    assert zfs.exists(f"{tree}/web1@one")
    for wrong in (f"{tree}/no!name", f"{tree}/{'long' * 80}"):
        with pytest.raises(ProgramFailed) as refused:
            zfs.exists(wrong)
        assert refused.value.said
        with pytest.raises(ProgramFailed):
            zfs.get(wrong, "guid")
    with pytest.raises(ProgramFailed, match="operation not applicable"):
        zfs.list(f"{tree}/web1/disk0", types="filesystem")
    with pytest.raises(ProgramFailed, match=r"(?i)invalid property"):
        zfs.list(f"{tree}/web1", properties=["no_such_property"])


def test_values_of_any_text_are_read_as_they_are(zfs: Zfs, top: str, ground: Ground, costs: Costs) -> None:
    for name in ("a", "b"):
        zfs.create(f"{top}/{name}")
    zfs.set(f"{top}/a", ODD)
    places = [f"{ground.place}/odd\tplace\nhere", f"{ground.place}/another place"]
    for name, place in zip(("a", "b"), places, strict=True):
        zfs.set(f"{top}/{name}", {"canmount": "off", "mountpoint": place.removeprefix(ground.altroot)})
    costs(0)
    assert {name: zfs.get(f"{top}/a", name) for name in ODD} == ODD
    assert [zfs.get(f"{top}/{name}", "mountpoint") for name in ("a", "b")] == places
    costs(len(ODD) + 2)
    rows = zfs.list(top, properties=["mountpoint", *ODD], recursive=True)
    assert rows[1] == {"name": f"{top}/a", "mountpoint": places[0], **ODD}
    assert rows[2] == {"name": f"{top}/b", "mountpoint": places[1], **dict.fromkeys(ODD, "-")}
    local = zfs.local(f"{top}/a", f"{top}/b")
    assert local[f"{top}/a"] == {**ODD, "canmount": "off", "mountpoint": places[0]}
    assert local[f"{top}/b"] == {"canmount": "off", "mountpoint": places[1]}


def test_a_value_passes_for_no_other_dataset(zfs: Zfs, top: str, way: str) -> None:
    """What looks like further lines of an answer, as whoever may set a property could have it look."""
    for name in ("a", "b"):
        zfs.create(f"{top}/{name}")
    for forged in (f"1\n{top}/b\t2", f"1\n{top}/c\t2", "1\n-\t2"):
        zfs.set(f"{top}/a", {"x:y": forged})
        assert zfs.get(f"{top}/a", "x:y") == forged
        try:
            rows = zfs.list(top, properties=["x:y"], recursive=True)
        except ChyvesError as error:
            assert "answered what was not asked for" in str(error)
            assert way != "libzfs"
        else:
            assert [(row["name"], row["x:y"]) for row in rows[1:]] == [(f"{top}/a", forged), (f"{top}/b", "-")]
    zfs.set(f"{top}/a", {"x:y": f"1\n{top}/a\tmountpoint\t/evil"})
    try:
        assert zfs.local(f"{top}/a")[f"{top}/a"] == {"x:y": f"1\n{top}/a\tmountpoint\t/evil"}
    except ChyvesError as error:
        assert "answered what was not asked for" in str(error)
        assert way != "libzfs"


def test_bytes_that_are_no_text_hide_no_dataset(zfs: Zfs, top: str, ground: Ground) -> None:
    if not ground.real:
        pytest.skip("the lab's zfs keeps no bytes that are no text")
    for name in ("a", "a/below", "b"):
        zfs.create(f"{top}/{name}")
    subprocess.run(["zfs", "set", b"x:y=caf\xe9", f"{top}/a"], check=True)
    rows = zfs.list(top, properties=["x:y"], recursive=True)
    assert [row["name"] for row in rows] == [top, f"{top}/a", f"{top}/a/below", f"{top}/b"]
    assert rows[1]["x:y"] == "caf\ufffd"
    with pytest.raises(ChyvesError, match=r"/a: x:y has bytes that are no text; mend it with: zfs inherit x:y "):
        zfs.local(f"{top}/a")


def test_pools(zfs: Zfs, top: str, costs: Costs) -> None:
    (pool,) = (row for row in zfs.pools() if row["name"] == top.partition("/")[0])
    assert list(pool) == ["name", "size", "alloc", "free", "health"]
    assert pool["health"] == "ONLINE"
    assert int(pool["size"]) >= int(pool["alloc"]) + int(pool["free"])
    costs(1)
