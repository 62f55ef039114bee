"""zfs destroy: what it needs to be told, and what is left of what it destroyed (nothing)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.zfs_lab import Zfs, made


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    zfs = made(tmp_path)
    zfs.ok("create", "-p", "zroot/a/b")
    zfs.ok("create", "-V", "1M", "zroot/a/v")
    return zfs


def left(zfs: Zfs) -> list[str]:
    """What the store holds of data."""
    return sorted(path.name for path in (zfs.lab.state / "zfs").iterdir() if path.name.isdigit())


def test_a_dataset_goes_with_its_directory_or_node(zfs: Zfs) -> None:
    directory, node = zfs.path("zroot/a/b"), zfs.device("zroot/a/v")
    (directory / "file").write_text("x")
    zfs.ok("destroy", "zroot/a/b")
    zfs.ok("destroy", "zroot/a/v")
    assert not directory.exists() and not node.exists()
    assert zfs.names() == ["zroot", "zroot/a"]


def test_a_mountpoint_of_its_own_stays_as_a_directory(zfs: Zfs) -> None:
    zfs.ok("create", "-o", "mountpoint=/data", "zroot/d")
    (zfs.lab.root / "data/file").write_text("x")
    zfs.ok("destroy", "zroot/d")
    assert list((zfs.lab.root / "data").iterdir()) == []


def test_children_need_r(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a@one")
    zfs.ok("snapshot", "zroot/a/v@one")
    assert zfs.refused("destroy", "zroot/a") == (
        "cannot destroy 'zroot/a': filesystem has children\nuse '-r' to destroy the following datasets:\n"
        "zroot/a/b\nzroot/a/v@one\nzroot/a/v\nzroot/a@one"
    )
    assert zfs.refused("destroy", "zroot/a/v") == (
        "cannot destroy 'zroot/a/v': volume has children\nuse '-r' to destroy the following datasets:\nzroot/a/v@one"
    )
    zfs.ok("destroy", "-r", "zroot/a")
    assert zfs.names("-t", "all") == ["zroot"]
    assert list(zfs.path("zroot").iterdir()) == [] and left(zfs) == []


def test_clones_elsewhere_need_the_big_r(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a/b@one")
    zfs.ok("clone", "zroot/a/b@one", "zroot/c")
    zfs.ok("create", "zroot/c/inner")
    clones = "use '-R' to destroy the following datasets:\nzroot/c/inner\nzroot/c"
    assert zfs.refused("destroy", "zroot/a/b@one") == (
        f"cannot destroy 'zroot/a/b@one': snapshot has dependent clones\n{clones}"
    )
    assert zfs.refused("destroy", "-r", "zroot/a") == (
        f"cannot destroy 'zroot/a': filesystem has dependent clones\n{clones}"
    )
    zfs.ok("destroy", "-R", "zroot/a/b@one")
    assert zfs.names("-t", "all") == ["zroot", "zroot/a", "zroot/a/b", "zroot/a/v"]


def test_the_big_r_destroys_clones_with_a_file_system(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a/v@one")
    zfs.ok("clone", "zroot/a/v@one", "zroot/w")
    zfs.ok("snapshot", "zroot/w@two")
    zfs.ok("clone", "zroot/w@two", "zroot/x")
    zfs.ok("destroy", "-R", "zroot/a")
    assert zfs.names("-t", "all") == ["zroot"]
    assert left(zfs) == [] and not zfs.device("zroot").exists()


def test_a_clone_goes_and_its_origin_stays(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a/b@one")
    zfs.ok("clone", "zroot/a/b@one", "zroot/c")
    zfs.ok("destroy", "zroot/c")
    assert zfs.names("-t", "snapshot") == ["zroot/a/b@one"]
    zfs.ok("destroy", "zroot/a/b@one")


def test_a_pool_is_not_destroyed_but_emptied(zfs: Zfs) -> None:
    assert zfs.refused("destroy", "zroot") == (
        "cannot destroy 'zroot': operation does not apply to pools\n"
        "use 'zfs destroy -r zroot' to destroy all datasets in the pool\n"
        "use 'zpool destroy zroot' to destroy the pool itself"
    )
    zfs.ok("destroy", "-r", "zroot")
    assert zfs.names("-t", "all") == ["zroot"]
    assert zfs.path("zroot").is_dir()


@pytest.mark.parametrize(
    ("spec", "remaining"),
    [
        ("2", ["1", "3", "4", "5"]),
        ("2,4", ["1", "3", "5"]),
        ("2%4", ["1", "5"]),
        ("%2", ["3", "4", "5"]),
        ("4%", ["1", "2", "3"]),
        ("%", []),
        ("1,3%4", ["2", "5"]),
        ("2,none", ["1", "3", "4", "5"]),
    ],
)
def test_snapshots_are_named_in_lists_and_ranges(zfs: Zfs, spec: str, remaining: list[str]) -> None:
    for name in "12345":
        zfs.ok("snapshot", "-r", f"zroot/a@{name}")
    zfs.ok("destroy", f"zroot/a@{spec}")
    assert zfs.names("-t", "snapshot", "zroot/a") == [f"zroot/a@{name}" for name in remaining]
    assert len(zfs.names("-t", "snapshot", "zroot/a/b")) == 5
    if remaining:
        zfs.ok("destroy", "-r", f"zroot/a@{remaining[0]}")
        assert f"zroot/a/b@{remaining[0]}" not in zfs.names("-r", "-t", "snapshot", "zroot")


@pytest.mark.parametrize("spec", ["none", "none%", "3%1", "a,b"])
def test_no_snapshot_found(zfs: Zfs, spec: str) -> None:
    for name in "123":
        zfs.ok("snapshot", f"zroot/a@{name}")
    assert zfs.refused("destroy", f"zroot/a@{spec}") == (
        "could not find any snapshots to destroy; check snapshot names."
    )


def test_a_dry_run_tells_what_would_go(zfs: Zfs) -> None:
    file = zfs.path("zroot/a") / "file"
    file.write_bytes(b"x" * 8192)
    zfs.ok("snapshot", "zroot/a@one")
    file.unlink()
    zfs.ok("snapshot", "zroot/a@two")
    before = zfs.everything()
    assert zfs.ok("destroy", "-nvp", "zroot/a@one%two") == (
        "destroy\tzroot/a@one\ndestroy\tzroot/a@two\nreclaim\t8192\n"
    )
    assert zfs.ok("destroy", "-nv", "zroot/a@one") == "would destroy zroot/a@one\nwould reclaim 8K\n"
    assert zfs.ok("destroy", "-rnv", "zroot/a").splitlines()[-1] == "would destroy zroot/a"
    assert zfs.everything() == before
    assert zfs.ok("destroy", "-v", "zroot/a@one") == "will destroy zroot/a@one\nwill reclaim 8K\n"


def test_what_cannot_be_destroyed(zfs: Zfs) -> None:
    assert zfs.refused("destroy", "zroot/none") == "cannot open 'zroot/none': dataset does not exist"
    assert zfs.refused("destroy", "zroot/none@a") == "cannot open 'zroot/none': dataset does not exist"
    assert zfs.refused("destroy", "-d", "zroot/a") == "cannot open 'zroot/a': missing '@' delimiter in snapshot name"
    assert zfs.misused("destroy") == "missing dataset argument"
    assert zfs.misused("destroy", "zroot/a", "-r") == "too many arguments"
    assert zfs.misused("destroy", "-x", "zroot/a") == "invalid option 'x'"


def test_an_open_volume_is_busy(zfs: Zfs) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[
        held := os.open(zfs.device("zroot/a/v"), os.O_RDWR)
    ]) as program:  # fmt: skip
        os.close(held)
        for words in (["-f", "zroot/a/v"], ["-r", "zroot/a"]):
            assert zfs.refused("destroy", *words) == "cannot destroy 'zroot/a/v': dataset is busy"
        program.communicate(b"\n")
    zfs.ok("destroy", "zroot/a/v")


def test_a_file_system_with_somebody_in_it_needs_force(zfs: Zfs) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=zfs.path("zroot/a/b"),
    ) as program:
        assert program.stdout and program.stdout.readline()
        busy = f"cannot unmount '{zfs.path('zroot/a/b')}': pool or dataset is busy"
        assert zfs.refused("destroy", "zroot/a/b") == busy
        assert zfs.refused("rename", "zroot/a", "zroot/c") == busy
        assert zfs.refused("unmount", "zroot/a") == busy
        zfs.ok("destroy", "-f", "zroot/a/b")
        program.communicate(b"\n")
