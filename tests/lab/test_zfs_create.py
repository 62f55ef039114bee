"""zfs create: what is made, where its files are, and what is refused."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest

from tests.lab.zfs_lab import Zfs, made

LONG = "x" * 250


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    return made(tmp_path)


def test_a_file_system_is_a_directory_below_the_altroot(zfs: Zfs) -> None:
    assert zfs.ok("create", "zroot/web1") == ""
    assert zfs.value("mountpoint", "zroot/web1") == f"{zfs.lab.root}/zroot/web1"
    assert zfs.path("zroot/web1").is_dir()
    assert zfs.value("mounted", "zroot/web1") == "yes"
    assert zfs.value("type", "zroot/web1") == "filesystem"


def test_properties_are_set_at_creation(zfs: Zfs) -> None:
    zfs.ok("create", "-o", "mountpoint=/chyves/zroot", "-o", "org.x:role=primary", "-o", "compress=lz4", "zroot/chyves")
    assert zfs.path("zroot/chyves") == zfs.lab.root / "chyves/zroot"
    assert (zfs.lab.root / "chyves/zroot").is_dir()
    assert zfs.value("org.x:role", "zroot/chyves") == "primary"
    assert (zfs.value("compression", "zroot/chyves"), zfs.source("compression", "zroot/chyves")) == ("lz4", "local")


@pytest.mark.parametrize(
    "options", [["-u"], ["-o", "canmount=off"], ["-o", "canmount=noauto"], ["-o", "mountpoint=none"]]
)
def test_a_file_system_need_not_be_mounted(zfs: Zfs, options: list[str]) -> None:
    zfs.ok("create", *options, "zroot/a")
    assert zfs.value("mounted", "zroot/a") == "no"
    assert not (zfs.lab.root / "zroot/a").exists()


def test_ancestors_are_made_with_p_and_what_exists_is_no_error(zfs: Zfs) -> None:
    zfs.ok("create", "-p", "zroot/a/b/c")
    assert zfs.names() == ["zroot", "zroot/a", "zroot/a/b", "zroot/a/b/c"]
    before = zfs.everything()
    zfs.ok("create", "-p", "zroot/a/b")
    assert zfs.everything() == before


def test_a_volume_is_a_sparse_file_in_whole_blocks(zfs: Zfs) -> None:
    zfs.ok("create", "-V", "1000001", "-o", "volmode=dev", "zroot/disk0")
    assert zfs.value("volsize", "zroot/disk0") == str(62 * 16384)
    assert zfs.device("zroot/disk0").stat().st_size == 62 * 16384
    assert zfs.device("zroot/disk0").stat().st_blocks == 0
    assert zfs.value("mountpoint", "zroot/disk0") == "-"


@pytest.mark.parametrize(("release", "block"), [("11.0", 8192), ("13.2", 8192), ("14.3", 16384), ("15.0", 16384)])
def test_the_default_block_of_a_volume_depends_on_the_release(tmp_path: Path, release: str, block: int) -> None:
    zfs = made(tmp_path, release)
    zfs.ok("create", "-V", "1M", "zroot/v")
    assert zfs.value("volblocksize", "zroot/v") == str(block)


def test_a_small_block_is_warned_of(zfs: Zfs) -> None:
    said = zfs("create", "-V", "1M", "-b", "512", "zroot/v")
    assert said.status == 0
    assert said.err.startswith("Warning: volblocksize (512) is less than the default minimum block size (16384).\n")
    assert zfs.value("volblocksize", "zroot/v") == "512"


def test_a_thick_volume_reserves_its_data_and_metadata(zfs: Zfs) -> None:
    zfs.ok("create", "-V", "10G", "zroot/thick")
    zfs.ok("create", "-s", "-V", "10G", "zroot/sparse")
    blocks = 10 << 30 >> 14
    assert zfs.value("refreservation", "zroot/thick") == str((10 << 30) + (7 + blocks // 1024 + 1) * 2 * (128 << 10))
    assert zfs.value("refreservation", "zroot/sparse") == "0"
    assert zfs.ok("list", "-H", "-o", "used,refer", "zroot/thick") == "10.2G\t56K\n"
    assert zfs.ok("list", "-H", "-o", "used,refer", "zroot/sparse") == "56K\t56K\n"


def test_a_dry_run_tells_and_makes_nothing(zfs: Zfs) -> None:
    assert zfs.ok("create", "-nv", "zroot/a") == "would create zroot/a\n"
    assert zfs.ok("create", "-nP", "-V", "16K", "-s", "zroot/v") == "create\tzroot/v\nproperty\tvolsize\t16384\n"
    assert zfs.ok("create", "-nvp", "zroot/a/b").startswith("would create ancestors of zroot/a/b\n")
    assert zfs.names() == ["zroot"]
    assert zfs.ok("create", "-v", "zroot/a") == "create zroot/a\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zroot/none/a", "parent does not exist"),
        ("tank/a", "no such pool 'tank'"),
        ("zroot", "missing dataset name"),
        ("zroot/a", "dataset already exists"),
        ("zroot/v/a", "parent is not a filesystem"),
        ("/zroot/b", "leading slash in name"),
        ("zroot/b/", "trailing slash in name"),
        ("zroot//b", "empty component or misplaced '@' or '#' delimiter in name"),
        ("zroot/b@c", "snapshot delimiter '@' is not expected here"),
        ("zroot/b#c", "bookmark delimiter '#' is not expected here"),
        ("zroot/b%c", "invalid character % in name"),
        ("zroot/b,c", "invalid character ',' in name"),
        ("zroot/b\nc", "invalid character '\n' in name"),
        ("zroot/.", "self reference, '.' is found in name"),
        ("zroot/../b", "parent reference, '..' is found in name"),
        (f"zroot/{LONG}", "name is too long"),
        ("zroot" + "/b" * 50, "maximum name nesting depth exceeded"),
    ],
)
def test_names_that_cannot_be(zfs: Zfs, name: str, reason: str) -> None:
    zfs.ok("create", "zroot/a")
    zfs.ok("create", "-V", "1M", "zroot/v")
    assert zfs.refused("create", name) == f"cannot create '{name}': {reason}"


@pytest.mark.parametrize("name", ["zroot/with space", "zroot/.new", "zroot/-dash", "zroot/a:b_c.d", "zroot/UPPER"])
def test_names_that_can(zfs: Zfs, name: str) -> None:
    zfs.ok("create", name)
    assert zfs.ok("list", "-H", "-o", "name", name) == f"{name}\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-V", "0", "zroot/v"], "cannot create 'zroot/v': volume size cannot be zero"),
        (["-V", "ten", "zroot/v"], "bad volume size 'ten': bad numeric value 'ten'"),
        (["-V", "10X", "zroot/v"], "bad volume size '10X': invalid numeric suffix 'X'"),
        (["-V", "99999999T", "zroot/v"], "bad volume size '99999999T': numeric value is too large"),
        (
            ["-V", "1M", "-b", "3K", "zroot/v"],
            "cannot create 'zroot/v': 'volblocksize' must be power of 2 from 512B to 16M",
        ),
        (
            ["-V", "1M", "-b", "32M", "zroot/v"],
            "cannot create 'zroot/v': 'volblocksize' must be power of 2 from 512B to 16M",
        ),
        (["-V", "1M", "tank/v"], "cannot open 'tank': no such pool"),
        (["-V", "20T", "zroot/v"], "cannot create 'zroot/v': out of space"),
        (
            ["-V", "1M", "-o", "atime=off", "zroot/v"],
            "cannot create 'zroot/v': 'atime' does not apply to datasets of this type",
        ),
        (["-o", "volsize=1G", "zroot/f"], "cannot create 'zroot/f': 'volsize' does not apply to datasets of this type"),
        (["-o", "used=1", "zroot/f"], "cannot create 'zroot/f': 'used' is readonly"),
        (["-o", "nonsense=1", "zroot/f"], "cannot create 'zroot/f': invalid property 'nonsense'"),
        (
            ["-o", "encryption=on", "zroot/f"],
            "cannot create 'zroot/f': the lab's zfs encrypts nothing; leave 'encryption' at 'off'",
        ),
        (["-o", "atime", "zroot/f"], "missing '=' for property=value argument"),
        (["-o", "a:b=1", "-o", "a:b=2", "zroot/f"], "property 'a:b' specified multiple times"),
    ],
)
def test_what_cannot_be_made(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.refused("create", *words) == text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "missing filesystem argument"),
        (["-V", "1G"], "missing volume argument"),
        (["zroot/a", "zroot/b"], "too many arguments"),
        (["zroot/a", "-p"], "too many arguments"),
        (["-x", "zroot/a"], "invalid option 'x'"),
        (["-o"], "missing size argument"),
        (["-s", "zroot/a"], "'-s' and '-b' can only be used when creating a volume"),
        (["-u", "-V", "1M", "zroot/a"], "'-u' can only be used when creating a filesystem"),
    ],
)
def test_words_that_are_no_command(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.misused("create", *words) == text


def test_a_mountpoint_that_is_taken_leaves_the_new_file_system_unmounted(zfs: Zfs) -> None:
    zfs.ok("create", "-o", "mountpoint=/data", "zroot/a")
    said = zfs("create", "-o", "mountpoint=/data", "zroot/b")
    assert said.status == 1
    assert said.err == (
        "cannot mount 'zroot/b': mountpoint or dataset is busy\nfilesystem successfully created, but not mounted\n"
    )
    assert zfs.value("mounted", "zroot/b") == "no"


def test_a_mount_hides_what_was_there_and_shows_it_again(zfs: Zfs) -> None:
    old = zfs.lab.root / "data"
    old.mkdir()
    (old / "under").write_text("old")
    zfs.ok("create", "-o", "mountpoint=/data", "zroot/a")
    assert list(old.iterdir()) == []
    (old / "over").write_text("new")
    zfs.ok("unmount", "zroot/a")
    assert (old / "under").read_text() == "old"
    zfs.ok("mount", "zroot/a")
    assert [path.name for path in old.iterdir()] == ["over"]
    zfs.ok("set", "overlay=off", "zroot/a")
    zfs.ok("unmount", "zroot/a")
    assert zfs.refused("mount", "zroot/a") == f"cannot mount '{old}': directory is not empty"


def test_a_file_where_the_mountpoint_would_be(zfs: Zfs) -> None:
    (zfs.lab.root / "file").write_text("")
    said = zfs("create", "-o", "mountpoint=/file/data", "zroot/a")
    assert said.status == 1
    assert "failed to create mountpoint: Not a directory" in said.err
    assert zfs.value("mounted", "zroot/a") == "no"


def test_a_mountpoint_too_long_or_out_of_reach(zfs: Zfs) -> None:
    said = zfs("create", "-o", "mountpoint=" + "/longer" * 200, "zroot/a")
    assert said.status == 1 and "failed to create mountpoint: File name too long" in said.err
    zfs.ok("create", "zroot/b")


def test_a_volume_bigger_than_the_machines_files(zfs: Zfs) -> None:
    with tempfile.TemporaryFile() as file, contextlib.suppress(OSError):
        file.truncate(8000 << 50)
        pytest.skip("the files of this machine may be that big")
    assert zfs.refused("create", "-s", "-V", "8000P", "zroot/v") == (
        "cannot create 'zroot/v': volume size exceeds limit for this system"
    )


def test_the_shortest_way_of_set(zfs: Zfs) -> None:
    zfs.ok("a:b=c", "zroot")
    assert zfs.value("a:b", "zroot") == "c"
