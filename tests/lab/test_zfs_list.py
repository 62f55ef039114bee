"""zfs list: what is chosen, in which order, and how the table looks; and the space that its columns tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chyves.lab.zfs import properties, sizes
from tests.lab.zfs_lab import Zfs, made, poke

K = 1024


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    zfs = made(tmp_path)
    zfs.ok("create", "-p", "zroot/web/img")
    zfs.ok("create", "zroot/web-1")
    zfs.ok("create", "-s", "-V", "8G", "zroot/web/disk0")
    zfs.ok("snapshot", "-r", "zroot/web@two")
    zfs.ok("snapshot", "-r", "zroot/web@one")
    return zfs


def test_the_table_has_the_columns_of_zfs(zfs: Zfs) -> None:
    root = str(zfs.lab.root)
    lines = zfs.ok("list", "-o", "name,used,refer,mountpoint", "zroot/web", "zroot/web/disk0").splitlines()
    assert lines == [
        "NAME              USED  REFER  MOUNTPOINT",
        f"zroot/web         248K    96K  {root}/zroot/web",
        "zroot/web/disk0    56K    56K  -",
    ]
    assert zfs.ok("list").splitlines()[0].split() == ["NAME", "USED", "AVAIL", "REFER", "MOUNTPOINT"]
    assert zfs.ok("list", "-o", "name,readonly,chyves:x,volsize", "zroot/web/disk0") == (
        "NAME             RDONLY  CHYVES:X  VOLSIZE\nzroot/web/disk0  off     -              8G\n"
    )


def test_scripts_get_tabs_and_no_header(zfs: Zfs) -> None:
    assert zfs.ok("list", "-Hp", "-o", "name,type,volsize,origin", "zroot/web/disk0") == (
        f"zroot/web/disk0\tvolume\t{8 << 30}\t-\n"
    )


def test_datasets_come_by_name_with_their_snapshots_by_age(zfs: Zfs) -> None:
    assert zfs.names() == ["zroot", "zroot/web", "zroot/web-1", "zroot/web/disk0", "zroot/web/img"]
    assert zfs.names("-t", "snapshot", "-r", "zroot") == [
        *("zroot/web@two", "zroot/web@one", "zroot/web/disk0@two", "zroot/web/disk0@one"),
        *("zroot/web/img@two", "zroot/web/img@one"),
    ]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["zroot/web"], ["web"]),
        (["-r", "zroot/web"], ["web", "web/disk0", "web/img"]),
        (["-d", "0", "zroot/web"], ["web"]),
        (["-d", "1", "-t", "all", "zroot/web"], ["web", "web@two", "web@one", "web/disk0", "web/img"]),
        (["-t", "volume", "-r", "zroot"], ["web/disk0"]),
        (["-t", "vol,fs", "-r", "zroot/web"], ["web", "web/disk0", "web/img"]),
        (["-t", "snap", "zroot/web"], ["web@two", "web@one"]),
        (["zroot/web@one"], ["web@one"]),
        (["-t", "filesystem", "zroot/web-1", "zroot/web"], ["web", "web-1"]),
        (["-t", "snapshot", "-d", "1", "zroot/web/disk0"], ["web/disk0@two", "web/disk0@one"]),
        (["-r", "zroot/web", "zroot/web/img"], ["web", "web/disk0", "web/img"]),
    ],
)
def test_what_is_listed(zfs: Zfs, words: list[str], found: list[str]) -> None:
    assert zfs.names(*words) == [f"zroot/{name}" for name in found]


def test_a_path_stands_for_the_file_system_that_it_is_in(zfs: Zfs) -> None:
    poke(zfs.path("zroot/web") / "file", "x")
    assert zfs.names(str(zfs.path("zroot/web") / "file")) == ["zroot/web"]
    assert zfs.names("/zroot/web/img") == ["zroot/web/img"]
    outside = str(zfs.lab.state)
    assert zfs.refused("list", outside) == f"'{outside}': not a ZFS filesystem"
    said = zfs("list", "/zroot/none")
    assert (said.status, said.err) == (1, "cannot open '/zroot/none': No such file or directory\n")


def test_missing_datasets_are_told_of_and_the_others_listed(zfs: Zfs) -> None:
    said = zfs("list", "-H", "-o", "name", "zroot/none", "zroot/web", "zroot/web@none", "bad//name")
    assert (said.status, said.out) == (1, "zroot/web\n")
    assert said.err.splitlines() == [
        "cannot open 'zroot/none': dataset does not exist",
        "cannot open 'zroot/web@none': dataset does not exist",
        "cannot open 'bad//name': empty component or misplaced '@' or '#' delimiter in name",
    ]
    said = zfs("list", "-t", "filesystem", "zroot/web/disk0")
    assert said.err == "cannot open 'zroot/web/disk0': operation not applicable to datasets of this type\n"


def test_nothing_to_list(zfs: Zfs) -> None:
    said = zfs("list", "-t", "bookmark", "-r", "zroot")
    assert (said.status, said.out, said.err) == (0, "", "no datasets available\n")
    said = zfs("list", "-H", "-t", "bookmark", "-r", "zroot")
    assert (said.status, said.out, said.err) == (0, "", "")


def test_snapshots_are_listed_when_the_pool_says_so(zfs: Zfs) -> None:
    assert zfs.zpool("set", "listsnaps=on", "zroot").status == 0
    assert "zroot/web@one" in zfs.names("-r", "zroot/web")
    assert zfs.names("zroot/web") == ["zroot/web"]
    assert zfs.names("-r", "-t", "volume", "zroot") == ["zroot/web/disk0"]


def test_sorting_by_properties(zfs: Zfs) -> None:
    zfs.ok("set", "x:rank=2", "zroot/web/img")
    zfs.ok("set", "x:rank=1", "zroot/web-1")
    assert zfs.names("-s", "x:rank") == ["zroot/web-1", "zroot/web/img", "zroot", "zroot/web", "zroot/web/disk0"]
    assert zfs.names("-S", "x:rank") == ["zroot/web/img", "zroot/web-1", "zroot", "zroot/web", "zroot/web/disk0"]
    assert zfs.names("-S", "createtxg", "-t", "filesystem")[-1] == "zroot"
    assert zfs.names("-s", "volsize")[0] == "zroot/web/disk0"
    assert zfs.names("-s", "type", "-S", "name")[0] == "zroot/web/img"
    assert zfs.misused("list", "-s", "nonsense") == "invalid property 'nonsense'"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-o", "nonsense"], "bad property list: invalid property 'nonsense'"),
        (["-o", ""], "bad property list: no properties specified"),
        (["-t", "nonsense"], "invalid type 'nonsense'"),
        (["-d", "x"], "x is not an integer"),
        (["-z"], "invalid option 'z'"),
        (["-o"], "invalid option 'o'"),
    ],
)
def test_words_that_are_no_list(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.misused("list", *words) == text


def test_the_usage_of_list_names_every_property(zfs: Zfs) -> None:
    said = zfs("list", "-o", "nonsense")
    told = {line.split()[0] for line in said.err.splitlines() if line.startswith("\t")}
    assert {row.name for row in properties.table("14.3").values() if row.visible} <= told


def test_space_in_columns(zfs: Zfs) -> None:
    heads = zfs.ok("list", "-o", "space", "zroot/web").splitlines()[0].split()
    assert heads == ["NAME", "AVAIL", "USED", "USEDSNAP", "USEDDS", "USEDREFRESERV", "USEDCHILD"]


def exact(zfs: Zfs, prop: str, name: str) -> int:
    return int(zfs.value(prop, name))


def test_used_is_what_the_files_take(zfs: Zfs) -> None:
    before = exact(zfs, "used", "zroot")
    (zfs.path("zroot/web/img") / "disk").write_bytes(os.urandom(256 * K))
    with open(zfs.device("zroot/web/disk0"), "r+b") as node:
        node.seek(1 << 30)
        node.write(os.urandom(128 * K))
    assert exact(zfs, "referenced", "zroot/web/img") == 96 * K + 256 * K
    assert exact(zfs, "referenced", "zroot/web/disk0") == 56 * K + 128 * K
    assert exact(zfs, "usedbychildren", "zroot/web") == (96 + 256 + 56 + 128) * K
    assert exact(zfs, "used", "zroot") == before + (256 + 128) * K


def test_used_by_snapshots_is_what_only_they_have(zfs: Zfs) -> None:
    file = zfs.path("zroot/web-1") / "file"
    file.write_bytes(os.urandom(64 * K))
    zfs.ok("snapshot", "zroot/web-1@one")
    assert (exact(zfs, "used", "zroot/web-1@one"), exact(zfs, "written", "zroot/web-1")) == (0, 0)
    zfs.ok("snapshot", "zroot/web-1@two")
    file.unlink()
    (zfs.path("zroot/web-1") / "other").write_bytes(os.urandom(32 * K))
    assert exact(zfs, "usedbysnapshots", "zroot/web-1") == 64 * K
    assert exact(zfs, "used", "zroot/web-1@one") == 0  # the other snapshot has it, too
    assert exact(zfs, "written", "zroot/web-1") == exact(zfs, "written@one", "zroot/web-1") == 32 * K
    assert exact(zfs, "referenced", "zroot/web-1@one") == (96 + 64) * K
    zfs.ok("destroy", "zroot/web-1@two")
    assert exact(zfs, "used", "zroot/web-1@one") == 64 * K
    assert exact(zfs, "used", "zroot/web-1") == (96 + 64 + 32) * K
    assert zfs.ok("get", "-H", "-o", "value,source", "written@none", "zroot/web-1") == "-\t-\n"


def test_a_clone_uses_only_what_it_changes(zfs: Zfs) -> None:
    (zfs.path("zroot/web-1") / "file").write_bytes(os.urandom(64 * K))
    zfs.ok("snapshot", "zroot/web-1@one")
    zfs.ok("clone", "zroot/web-1@one", "zroot/clone")
    assert (exact(zfs, "used", "zroot/clone"), exact(zfs, "referenced", "zroot/clone")) == (0, (96 + 64) * K)
    (zfs.path("zroot/clone") / "more").write_bytes(os.urandom(16 * K))
    assert exact(zfs, "used", "zroot/clone") == 16 * K


def test_available_follows_quotas_and_reservations(zfs: Zfs) -> None:
    free = exact(zfs, "available", "zroot")
    zfs.ok("set", "quota=1G", "zroot/web")
    assert exact(zfs, "available", "zroot/web/img") == (1 << 30) - exact(zfs, "used", "zroot/web")
    zfs.ok("set", "refquota=1M", "zroot/web/img")
    assert exact(zfs, "available", "zroot/web/img") == (1 << 20) - 96 * K
    zfs.ok("set", "reservation=2G", "zroot/web-1")
    assert exact(zfs, "available", "zroot") == free - (2 << 30) + 96 * K
    assert exact(zfs, "available", "zroot/web-1") == free
    zfs.ok("create", "-V", "1G", "zroot/thick")
    reserved = exact(zfs, "refreservation", "zroot/thick")
    assert exact(zfs, "used", "zroot/thick") == reserved
    assert exact(zfs, "available", "zroot") == free - (2 << 30) + 96 * K - reserved


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"), (512, "512"), (1023, "1023"), (1024, "1K"), (1536, "1.50K"), (10239, "10.0K"), (102400, "100K"),
        (1048575, "1024K"), (10 << 30, "10G"), (8589934592 + 1, "8.00G"), (16 << 40, "16T"), ((16 << 40) - 1, "16.0T"),
    ],
)  # fmt: skip
def test_numbers_are_shown_in_five_characters(number: int, shown: str) -> None:
    assert sizes.show(number) == shown
    assert sizes.show(number, "B") == (shown + "B" if number < 1024 else shown)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("10", 10), ("10B", 10), ("1k", K), ("1KB", K), ("1KiB", K), ("1.5G", 3 << 29), (".5M", 1 << 19),
        ("2t", 2 << 40), ("1.", 1),
    ],
)  # fmt: skip
def test_numbers_are_read_with_units(text: str, number: int) -> None:
    assert sizes.parse(text) == number
