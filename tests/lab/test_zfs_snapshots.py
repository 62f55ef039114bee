"""zfs snapshot, rollback, hold, release, bookmark: moments that are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab.zfs_lab import Zfs, made, poke


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    zfs = made(tmp_path)
    zfs.ok("create", "-p", "zroot/a/b")
    zfs.ok("create", "-V", "1M", "zroot/a/v")
    return zfs


def test_a_snapshot_keeps_files_that_are_rewritten_in_place(zfs: Zfs) -> None:
    file = zfs.path("zroot/a") / "file"
    poke(file, "before")
    zfs.ok("snapshot", "zroot/a@one")
    poke(file, "after!")
    zfs.ok("clone", "zroot/a@one", "zroot/c")
    assert (zfs.path("zroot/c") / "file").read_text() == "before"
    assert file.read_text() == "after!"


def test_a_snapshot_has_modes_links_and_times_and_not_what_is_mounted_below(zfs: Zfs) -> None:
    top = zfs.path("zroot/a")
    poke(top / "script", "#!")
    (top / "script").chmod(0o755)
    os.link(top / "script", top / "second")
    os.symlink("nowhere", top / "link")
    os.mkfifo(top / "fifo")
    poke(zfs.path("zroot/a/b") / "child", "x")
    zfs.ok("snapshot", "zroot/a@one")
    zfs.ok("clone", "zroot/a@one", "zroot/c")
    copy = zfs.path("zroot/c")
    assert sorted(path.name for path in copy.iterdir()) == ["b", "fifo", "link", "script", "second"]
    assert (copy / "script").stat().st_mode == (top / "script").stat().st_mode
    assert (copy / "script").stat().st_mtime_ns == (top / "script").stat().st_mtime_ns
    assert (copy / "script").samefile(copy / "second")
    assert os.readlink(copy / "link") == "nowhere"
    assert list((copy / "b").iterdir()) == []


def test_recursive_snapshots_are_of_one_moment(zfs: Zfs) -> None:
    zfs.ok("snapshot", "-r", "-o", "x:y=z", "zroot/a@one")
    listed = zfs.ok("list", "-Hp", "-t", "snapshot", "-o", "name,createtxg,x:y").splitlines()
    assert [line.split("\t")[0] for line in listed] == ["zroot/a@one", "zroot/a/b@one", "zroot/a/v@one"]
    assert len({line.split("\t", 1)[1] for line in listed}) == 1
    zfs.ok("snapshot", "zroot/a@two", "zroot/a/b@other")
    txgs = zfs.ok("get", "-Hp", "-o", "value", "createtxg", "zroot/a@two", "zroot/a/b@other").split()
    assert txgs[0] == txgs[1]


def test_all_snapshots_of_a_command_are_taken_or_none(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a/b@one")
    assert zfs.refused("snapshot", "-r", "zroot/a@one") == (
        "cannot create snapshot 'zroot/a/b@one': dataset already exists\nno snapshots were created"
    )
    assert zfs.names("-t", "snapshot") == ["zroot/a/b@one"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["zroot/a@"], "cannot create snapshot 'zroot/a@': empty component or misplaced '@' or '#' delimiter in name"),
        (["zroot/a@b@c"], "cannot create snapshot 'zroot/a@b@c': multiple '@' and/or '#' delimiters in name"),
        (["zroot/a@b/c"], "cannot create snapshot 'zroot/a@b/c': trailing slash in name"),
        (["zroot/a@50%"], "cannot create snapshot 'zroot/a@50%': invalid character % in name"),
        (
            ["zroot/a@1", "zroot/a@2"],
            "cannot create snapshots : multiple snapshots of same fs not allowed\nno snapshots were created",
        ),
        (["-o", "atime=off", "zroot/a@1"], "cannot create snapshots : this property can not be modified for snapshots"),
    ],
)
def test_snapshots_that_cannot_be(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.refused("snapshot", *words) == text


def test_words_that_are_no_snapshot(zfs: Zfs) -> None:
    assert zfs.misused("snapshot") == "missing snapshot argument"
    assert zfs.misused("snapshot", "zroot/none@a") == "cannot open 'zroot/none': dataset does not exist"
    assert zfs.misused("snapshot", "zroot/a") == "usage:"
    assert zfs.misused("snap", "-z", "zroot/a@b") == "invalid option 'z'"


def test_rollback_brings_back_files_and_leaves_children_alone(zfs: Zfs) -> None:
    top = zfs.path("zroot/a")
    poke(top / "kept", "old")
    (top / "directory").mkdir()
    poke(top / "directory/inner", "old")
    zfs.ok("snapshot", "zroot/a@one")
    poke(top / "kept", "new")
    (top / "directory/inner").unlink()
    poke(top / "added", "new")
    poke(zfs.path("zroot/a/b") / "child", "stays")
    inode = top.stat().st_ino
    zfs.ok("rollback", "zroot/a@one")
    assert (top / "kept").read_text() == "old"
    assert (top / "directory/inner").read_text() == "old"
    assert not (top / "added").exists()
    assert (zfs.path("zroot/a/b") / "child").read_text() == "stays"
    assert top.stat().st_ino == inode


def test_rollback_of_a_volume_changes_it_under_whoever_has_it_open(zfs: Zfs) -> None:
    node = zfs.device("zroot/a/v")
    poke(node, "old")
    zfs.ok("snapshot", "zroot/a/v@one")
    zfs.ok("set", "volsize=2M", "zroot/a/v")
    poke(node, "new")
    with open(node) as held:
        zfs.ok("rollback", "zroot/a/v@one")
        assert held.read(3) == "old"
    assert zfs.value("volsize", "zroot/a/v") == str(1 << 20) == str(node.stat().st_size)


def test_rollback_past_newer_snapshots_needs_r(zfs: Zfs) -> None:
    for name in ("one", "two", "three"):
        zfs.ok("snapshot", f"zroot/a@{name}")
    zfs.ok("bookmark", "zroot/a@three", "zroot/a#mark")
    assert zfs.refused("rollback", "zroot/a@one") == (
        "cannot rollback to 'zroot/a@one': more recent snapshots or bookmarks exist\n"
        "use '-r' to force deletion of the following snapshots and bookmarks:\n"
        "zroot/a@two\nzroot/a@three\nzroot/a#mark"
    )
    zfs.ok("rollback", "-r", "zroot/a@one")
    assert zfs.names("-t", "snapshot,bookmark") == ["zroot/a@one"]


def test_rollback_past_clones_needs_the_big_r(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a@one")
    zfs.ok("snapshot", "zroot/a@two")
    zfs.ok("clone", "zroot/a@two", "zroot/c")
    assert zfs.refused("rollback", "-r", "zroot/a@one") == (
        "cannot rollback to 'zroot/a@one': clones of previous snapshots exist\n"
        "use '-R' to force deletion of the following clones and dependents:\nzroot/c"
    )
    zfs.ok("rollback", "-R", "zroot/a@one")
    assert zfs.names("-t", "all") == ["zroot", "zroot/a", "zroot/a@one", "zroot/a/b", "zroot/a/v"]


def test_rollback_of_what_is_no_snapshot(zfs: Zfs) -> None:
    assert zfs.refused("rollback", "zroot/a") == "cannot open 'zroot/a': missing '@' delimiter in snapshot name"
    assert zfs.refused("rollback", "zroot/a@x") == "cannot open 'zroot/a@x': dataset does not exist"
    assert zfs.misused("rollback") == "missing dataset argument"
    assert zfs.misused("rollback", "zroot/a@x", "-r") == "too many arguments"


def test_a_hold_keeps_a_snapshot(zfs: Zfs) -> None:
    zfs.ok("snapshot", "-r", "zroot/a@one")
    zfs.ok("hold", "-r", "keep", "zroot/a@one")
    assert zfs.value("userrefs", "zroot/a/b@one") == "1"
    assert zfs.refused("hold", "keep", "zroot/a@one") == (
        "cannot hold snapshot 'zroot/a@one': tag already exists on this dataset"
    )
    assert zfs.refused("destroy", "zroot/a@one") == "cannot destroy snapshot zroot/a@one: dataset is busy"
    assert zfs.refused("destroy", "-r", "zroot/a/b") == "cannot destroy snapshot zroot/a/b@one: dataset is busy"
    zfs.ok("snapshot", "zroot/a@newer")
    zfs.ok("hold", "keep", "zroot/a@newer")
    assert zfs.refused("rollback", "-r", "zroot/a@one") == "cannot destroy 'zroot/a@newer': dataset is busy"
    zfs.ok("release", "keep", "zroot/a@newer")
    zfs.ok("rollback", "-r", "zroot/a@one")
    held = zfs.ok("holds", "-H", "-r", "zroot/a@one").splitlines()
    assert [line.split("\t")[:2] for line in held] == [
        [name, "keep"] for name in ("zroot/a@one", "zroot/a/b@one", "zroot/a/v@one")
    ]
    assert zfs.ok("holds", "zroot/a@one").splitlines()[0] == "NAME         TAG   TIMESTAMP"
    zfs.ok("release", "-r", "keep", "zroot/a@one")
    assert zfs.refused("release", "keep", "zroot/a@one") == (
        "cannot release hold from snapshot 'zroot/a@one': no such tag on this dataset"
    )
    zfs.ok("destroy", "-r", "zroot/a@one")


def test_holds_that_cannot_be(zfs: Zfs) -> None:
    assert zfs.refused("hold", "keep", "zroot/a") == "'zroot/a' is not a snapshot"
    assert zfs.refused("hold", "keep", "zroot/a@x") == "cannot hold snapshot 'zroot/a@x': dataset does not exist"
    assert zfs.misused("hold", ".keep", "zroot/a@x") == "tag may not start with '.'"
    assert zfs.misused("hold", "keep") == "usage:"


def test_the_newest_release_says_who_to_ask_about_holds(tmp_path: Path) -> None:
    zfs = made(tmp_path / "new", "15.0")
    zfs.ok("snapshot", "zroot@one")
    zfs.ok("hold", "keep", "zroot@one")
    assert zfs.refused("destroy", "zroot@one") == (
        "cannot destroy snapshot zroot@one: it's being held. Run 'zfs holds -r zroot@one' to see holders."
    )


def test_a_deferred_destruction_waits_for_holds_and_clones(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a@one")
    zfs.ok("hold", "keep", "zroot/a@one")
    zfs.ok("clone", "zroot/a@one", "zroot/c")
    zfs.ok("destroy", "-d", "zroot/a@one")
    assert zfs.value("defer_destroy", "zroot/a@one") == "on"
    zfs.ok("release", "keep", "zroot/a@one")
    assert zfs.names("-t", "snapshot") == ["zroot/a@one"]
    zfs.ok("destroy", "zroot/c")
    assert zfs.names("-t", "snapshot") == []


def test_a_bookmark_outlives_its_snapshot(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a@one")
    guid = zfs.value("guid", "zroot/a@one")
    zfs.ok("bookmark", "zroot/a@one", "#mark")
    zfs.ok("destroy", "zroot/a@one")
    assert zfs.ok("list", "-H", "-t", "bookmark", "-o", "name,guid") == f"zroot/a#mark\t{guid}\n"
    zfs.ok("bookmark", "zroot/a#mark", "zroot/a#second")
    assert zfs.refused("bookmark", "zroot/a#mark", "zroot/a#second") == (
        "cannot create bookmark 'zroot/a#second': bookmark exists"
    )
    zfs.ok("destroy", "zroot/a#mark")
    assert zfs.refused("destroy", "zroot/a#mark") == "bookmark 'zroot/a#mark' does not exist."
    assert zfs.misused("bookmark", "zroot/a", "zroot/a#x").startswith("invalid source name 'zroot/a'")


def test_visible_snapshots_can_be_looked_into(zfs: Zfs) -> None:
    top = zfs.path("zroot/a")
    poke(top / "file", "old")
    zfs.ok("snapshot", "zroot/a@one")
    assert not (top / ".zfs").exists()
    zfs.ok("set", "snapdir=visible", "zroot")
    assert (top / ".zfs/snapshot/one/file").read_text() == "old"
    assert sorted(path.name for path in top.iterdir()) == [".zfs", "b", "file"]
    zfs.ok("snapshot", "zroot/a@two")
    zfs.ok("rename", "zroot/a@one", "zroot/a@first")
    assert sorted(path.name for path in (top / ".zfs/snapshot").iterdir()) == ["first", "two"]
    zfs.ok("rollback", "zroot/a@two")
    zfs.ok("destroy", "zroot/a@first")
    assert [path.name for path in (top / ".zfs/snapshot").iterdir()] == ["two"]
    zfs.ok("clone", "zroot/a@two", "zroot/c")
    assert sorted(path.name for path in zfs.path("zroot/c").iterdir()) == [".zfs", "b", "file"]
    zfs.ok("inherit", "snapdir", "zroot")
    assert not (top / ".zfs").exists()


def test_visible_snapshots_of_volumes_have_nodes(zfs: Zfs) -> None:
    poke(zfs.device("zroot/a/v"), "old")
    zfs.ok("snapshot", "zroot/a/v@one")
    zfs.ok("set", "snapdev=visible", "zroot/a/v")
    poke(zfs.device("zroot/a/v"), "new")
    with open(zfs.device("zroot/a/v@one")) as node:
        assert node.read(3) == "old"
    zfs.ok("rename", "zroot/a", "zroot/d")
    assert sorted(path.name for path in zfs.device("zroot/d").iterdir()) == ["v", "v@one"]
    zfs.ok("destroy", "zroot/d/v@one")
    assert [path.name for path in zfs.device("zroot/d").iterdir()] == ["v"]
    zfs.ok("destroy", "zroot/d/v")
    assert not zfs.device("zroot").exists()
