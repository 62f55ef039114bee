"""zfs clone, promote, rename, mount and unmount: where datasets are in the tree, and their files with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.zfs_lab import Zfs, made, peek, poke


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    zfs = made(tmp_path)
    zfs.ok("create", "-p", "zroot/a/b")
    zfs.ok("create", "-V", "1M", "zroot/a/v")
    (zfs.path("zroot/a") / "file").write_text("one")
    (zfs.path("zroot/a/b") / "file").write_text("two")
    poke(zfs.device("zroot/a/v"), "three")
    return zfs


def snapshots_of(zfs: Zfs, name: str) -> list[str]:
    return zfs.names("-t", "snapshot", name)


def test_a_clone_inherits_where_it_is_and_not_from_its_origin(zfs: Zfs) -> None:
    zfs.ok("set", "x:y=origin", "atime=off", "zroot/a")
    zfs.ok("create", "-o", "x:y=place", "zroot/place")
    zfs.ok("snapshot", "-r", "zroot/a@one")
    zfs.ok("clone", "-o", "x:z=own", "zroot/a@one", "zroot/place/c")
    assert (zfs.value("x:y", "zroot/place/c"), zfs.source("x:y", "zroot/place/c")) == (
        "place",
        "inherited from zroot/place",
    )
    assert zfs.value("atime", "zroot/place/c") == "on"
    assert zfs.value("x:z", "zroot/place/c") == "own"
    assert zfs.value("origin", "zroot/place/c") == "zroot/a@one"
    assert zfs.value("clones", "zroot/a@one") == "zroot/place/c"
    assert (zfs.path("zroot/place/c") / "file").read_text() == "one"
    (zfs.path("zroot/place/c") / "file").write_text("changed")
    assert (zfs.path("zroot/a") / "file").read_text() == "one"


def test_a_clone_of_a_volume_is_sparse_and_has_its_size(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a/v@one")
    zfs.ok("clone", "-p", "zroot/a/v@one", "zroot/new/parents/w")
    node = zfs.device("zroot/new/parents/w")
    assert peek(node, 5) == "three"
    assert node.stat().st_blocks == zfs.device("zroot/a/v").stat().st_blocks < 100
    assert zfs.value("volsize", "zroot/new/parents/w") == str(1 << 20)
    assert zfs.value("refreservation", "zroot/new/parents/w") == "0"
    zfs.ok("clone", "-p", "zroot/a/v@one", "zroot/new/parents/w")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["zroot/a@none", "zroot/c"], "cannot open 'zroot/a@none': dataset does not exist"),
        (["zroot/a", "zroot/c"], "cannot open 'zroot/a': missing '@' delimiter in snapshot name"),
        (["zroot/a@one", "zroot/a/b"], "cannot create 'zroot/a/b': dataset already exists"),
        (["zroot/a@one", "zroot/x/y"], "cannot create 'zroot/x/y': parent does not exist"),
        (["zroot/a@one", "zroot/a/v/y"], "cannot create 'zroot/a/v/y': parent is not a filesystem"),
        (["zroot/a@one", "tank/c"], "cannot create 'tank/c': no such pool 'tank'"),
        (["zroot/a@one", "other/c"], "cannot create 'other/c': source and target pools differ"),
        (["zroot/a@one", "zroot/c%d"], "cannot create 'zroot/c%d': invalid character % in name"),
        (["-o", "foo=1", "zroot/a@one", "zroot/c"], "cannot create 'zroot/c': invalid property 'foo'"),
    ],
)
def test_clones_that_cannot_be(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.zpool("create", "other", "da1").status == 0
    zfs.ok("snapshot", "zroot/a@one")
    assert zfs.refused("clone", *words) == text


def test_promotion_takes_over_the_snapshot_and_all_older_ones(zfs: Zfs) -> None:
    for name in ("one", "two", "three"):
        zfs.ok("snapshot", f"zroot/a@{name}")
    zfs.ok("clone", "zroot/a@two", "zroot/c")
    zfs.ok("clone", "zroot/a@one", "zroot/d")
    zfs.ok("promote", "zroot/c")
    assert snapshots_of(zfs, "zroot/c") == ["zroot/c@one", "zroot/c@two"]
    assert snapshots_of(zfs, "zroot/a") == ["zroot/a@three"]
    origins = zfs.ok("list", "-H", "-o", "origin", "zroot/a", "zroot/c", "zroot/d").split()
    assert origins == ["zroot/c@two", "-", "zroot/c@one"]
    zfs.ok("rollback", "zroot/c@two")
    assert (zfs.path("zroot/c") / "file").read_text() == "one"
    zfs.ok("destroy", "-r", "zroot/a")
    assert zfs.refused("destroy", "zroot/c@one").startswith(
        "cannot destroy 'zroot/c@one': snapshot has dependent clones"
    )


def test_promotion_of_a_clone_of_a_clone(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a/v@one")
    zfs.ok("clone", "zroot/a/v@one", "zroot/w")
    zfs.ok("snapshot", "zroot/w@two")
    zfs.ok("clone", "zroot/w@two", "zroot/x")
    zfs.ok("promote", "zroot/x")
    assert zfs.ok("list", "-H", "-o", "name,origin", "-r", "zroot").split() == [
        *("zroot", "-", "zroot/a", "-", "zroot/a/b", "-", "zroot/a/v", "-"),
        *("zroot/w", "zroot/x@two", "zroot/x", "zroot/a/v@one"),
    ]


def test_promotions_that_cannot_be(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a@one")
    zfs.ok("clone", "zroot/a@one", "zroot/c")
    zfs.ok("snapshot", "zroot/c@one")
    assert zfs.refused("promote", "zroot/a") == "cannot promote 'zroot/a': not a cloned filesystem"
    assert zfs.refused("promote", "zroot/a/v") == "cannot promote 'zroot/a/v': not a cloned filesystem"
    assert zfs.refused("promote", "zroot/c") == (
        "cannot promote 'zroot/c': conflicting snapshot 'one' from parent 'zroot/a@one'"
    )
    assert zfs.refused("promote", "zroot/a@one") == (
        "cannot open 'zroot/a@one': snapshot delimiter '@' is not expected here"
    )
    assert zfs.misused("promote") == "missing clone filesystem argument"
    assert zfs.misused("promote", "-x") == "invalid option 'x'"


def test_rename_takes_children_files_nodes_and_snapshots_along(zfs: Zfs) -> None:
    zfs.ok("snapshot", "-r", "zroot/a@one")
    zfs.ok("bookmark", "zroot/a@one", "zroot/a#mark")
    zfs.ok("create", "zroot/other")
    guids = zfs.ok("get", "-Hp", "-r", "-o", "value", "-t", "all", "guid", "zroot/a")
    zfs.ok("rename", "zroot/a", "zroot/other/c")
    assert zfs.ok("get", "-Hp", "-r", "-o", "value", "-t", "all", "guid", "zroot/other/c") == guids
    assert zfs.names("-r", "-t", "all", "zroot/other/c") == [
        *("zroot/other/c", "zroot/other/c@one", "zroot/other/c#mark", "zroot/other/c/b", "zroot/other/c/b@one"),
        *("zroot/other/c/v", "zroot/other/c/v@one"),
    ]
    assert zfs.path("zroot/other/c") == zfs.lab.root / "zroot/other/c"
    assert (zfs.path("zroot/other/c") / "file").read_text() == "one"
    assert (zfs.path("zroot/other/c/b") / "file").read_text() == "two"
    assert peek(zfs.device("zroot/other/c/v"), 5) == "three"
    assert not (zfs.lab.root / "zroot/a").exists() and not zfs.device("zroot/a").exists()


def test_rename_leaves_a_mountpoint_of_its_own(zfs: Zfs) -> None:
    zfs.ok("set", "mountpoint=/data", "zroot/a")
    zfs.ok("rename", "zroot/a", "zroot/c")
    assert zfs.path("zroot/c") == zfs.lab.root / "data"
    assert (zfs.path("zroot/c/b") / "file").read_text() == "two"


def test_rename_without_mounting_leaves_files_where_they_are(zfs: Zfs) -> None:
    zfs.ok("rename", "-u", "zroot/a", "zroot/c")
    assert (zfs.lab.root / "zroot/a/file").read_text() == "one"
    zfs.ok("unmount", "zroot/c")
    zfs.ok("mount", "-a")
    assert (zfs.lab.root / "zroot/c/b/file").read_text() == "two"


def test_rename_makes_parents_when_asked(zfs: Zfs) -> None:
    zfs.ok("rename", "-p", "zroot/a/v", "zroot/x/y/v")
    assert zfs.device("zroot/x/y/v").exists()
    zfs.ok("rename", "-p", "zroot/a/b", "zroot/x/b")
    assert (zfs.path("zroot/x/b") / "file").read_text() == "two"


def test_rename_to_itself_is_nothing(zfs: Zfs) -> None:
    before = zfs.everything()
    zfs.ok("rename", "zroot/a", "zroot/a")
    assert zfs.everything() == before


def test_snapshots_are_renamed_by_their_full_name_or_short(zfs: Zfs) -> None:
    zfs.ok("snapshot", "-r", "zroot/a@one")
    zfs.ok("rename", "zroot/a@one", "zroot/a@two")
    zfs.ok("rename", "zroot/a@two", "@three")
    zfs.ok("rename", "zroot/a@three", "one")
    zfs.ok("rename", "-r", "zroot/a@one", "zroot/a@all")
    assert zfs.names("-t", "snapshot") == ["zroot/a@all", "zroot/a/b@all", "zroot/a/v@all"]
    zfs.ok("snapshot", "zroot/a/b@taken")
    assert zfs.refused("rename", "-r", "zroot/a@all", "@taken") == (
        "cannot rename 'zroot/a/b@all': a child dataset already has a snapshot with the new name"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["zroot/none", "zroot/c"], "cannot open 'zroot/none': dataset does not exist"),
        (["zroot/a", "zroot/c"], "cannot rename 'zroot/a': dataset already exists"),
        (["zroot/a", "zroot/x/y"], "cannot create 'zroot/x/y': parent does not exist"),
        (["zroot/a", "zroot/a/b/c"],
         "cannot rename to 'zroot/a/b/c': New dataset name cannot be a descendant of current dataset name"),
        (["zroot/a", "zroot/c@d"], "cannot rename to 'zroot/c@d': snapshot delimiter '@' is not expected here"),
        (["zroot/a", "zroot/c%"], "cannot rename to 'zroot/c%': invalid character % in name"),
        (["zroot/a", "other/a"], "cannot rename to 'other/a': datasets must be within same pool"),
        (["zroot/a", "tank"], "cannot create 'tank': missing dataset name"),
        (["zroot/a@one", "zroot/c@one"], "cannot rename to 'zroot/c@one': snapshots must be part of same dataset"),
        (["zroot/a@one", "zroot/a@two"], "cannot rename 'zroot/a@one': dataset already exists"),
        (["zroot/a", "zroot/" + "n" * 248], "cannot rename 'zroot/a': dataset name is too long"),
        (["-u", "zroot/a/v", "zroot/w"], "cannot open 'zroot/a/v': operation not applicable to datasets of this type"),
    ],
)  # fmt: skip
def test_renames_that_cannot_be(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.zpool("create", "other", "da1").status == 0
    zfs.ok("create", "zroot/c")
    zfs.ok("snapshot", "zroot/a@one")
    zfs.ok("snapshot", "zroot/a@two")
    assert zfs.refused("rename", *words) == text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "missing source dataset argument"),
        (["zroot/a"], "missing target dataset argument"),
        (["zroot/a", "zroot/c", "-f"], "too many arguments"),
        (["-r", "-p", "zroot/a", "zroot/c"], "-p and -r options are mutually exclusive"),
        (["-u", "-p", "zroot/a", "zroot/c"], "-u and -p options are mutually exclusive"),
        (["-r", "zroot/a", "zroot/c"], "source dataset for recursive rename must be a snapshot"),
    ],
)
def test_words_that_are_no_rename(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.misused("rename", *words) == text


def test_unmounted_files_are_kept_out_of_sight(zfs: Zfs) -> None:
    place = zfs.path("zroot/a")
    zfs.ok("unmount", "zroot/a")
    assert list(place.iterdir()) == []
    assert zfs.ok("list", "-H", "-o", "mounted", "-r", "zroot/a").split() == ["no", "no", "-"]
    assert zfs.refused("unmount", "zroot/a") == "cannot unmount 'zroot/a': not currently mounted"
    zfs.ok("mount", "zroot/a")
    assert (place / "file").read_text() == "one"
    assert zfs.refused("mount", "zroot/a") == "cannot mount 'zroot/a': filesystem already mounted"
    zfs.ok("mount", "-a")
    assert (place / "b/file").read_text() == "two"


def test_unmount_takes_a_directory_and_mount_lists(zfs: Zfs) -> None:
    assert zfs.ok("mount").splitlines()[1] == f"{'zroot/a':<30}  {zfs.lab.root}/zroot/a"
    zfs.ok("unmount", str(zfs.path("zroot/a/b")))
    zfs.ok("unmount", "/zroot/a")
    assert [line.split()[0] for line in zfs.ok("mount").splitlines()] == ["zroot"]
    assert zfs.refused("unmount", "/zroot/a") == "cannot unmount '/zroot/a': not a mountpoint"
    zfs.ok("unmount", "-a")
    assert zfs.ok("mount") == ""


def test_mounts_that_cannot_be(zfs: Zfs) -> None:
    zfs.ok("create", "-o", "mountpoint=legacy", "zroot/legacy")
    zfs.ok("create", "-o", "mountpoint=none", "zroot/none")
    zfs.ok("create", "-o", "canmount=off", "zroot/off")
    assert zfs.refused("mount", "zroot/legacy") == (
        "cannot mount 'zroot/legacy': legacy mountpoint\nuse mount(8) to mount this filesystem"
    )
    assert zfs.refused("unmount", "zroot/legacy") == (
        "cannot unmount 'zroot/legacy': legacy mountpoint\nuse umount(8) to unmount this filesystem"
    )
    assert zfs.refused("mount", "zroot/none") == "cannot mount 'zroot/none': no mountpoint set"
    assert zfs.refused("mount", "zroot/off") == "cannot mount 'zroot/off': 'canmount' property is set to 'off'"
    assert zfs.refused("mount", "zroot/a/v") == (
        "cannot open 'zroot/a/v': operation not applicable to datasets of this type"
    )
    assert zfs.misused("unmount") == "missing filesystem argument"
    assert zfs.misused("mount", "zroot", "zroot/a") == "too many arguments"
