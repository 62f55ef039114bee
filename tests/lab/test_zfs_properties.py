"""zfs set, inherit and get: values, where they come from, and what they move."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from chyves.lab.zfs import properties
from tests.lab.zfs_lab import Zfs, made, peek, poke


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    zfs = made(tmp_path)
    zfs.ok("create", "-p", "zroot/a/b")
    zfs.ok("create", "-s", "-V", "1M", "zroot/a/v")
    return zfs


def got(zfs: Zfs, prop: str, name: str) -> tuple[str, str]:
    """The value and source of a property."""
    value, source = zfs.ok("get", "-Hp", "-o", "value,source", prop, name).rstrip("\n").split("\t")
    return value, source


def test_values_are_inherited_until_set(zfs: Zfs) -> None:
    assert got(zfs, "atime", "zroot/a/b") == ("on", "default")
    zfs.ok("set", "atime=off", "compression=lz4", "zroot/a")
    assert got(zfs, "atime", "zroot/a") == ("off", "local")
    assert got(zfs, "atime", "zroot/a/b") == ("off", "inherited from zroot/a")
    assert got(zfs, "compression", "zroot/a/v") == ("lz4", "inherited from zroot/a")
    zfs.ok("set", "atime=on", "zroot/a/b")
    zfs.ok("inherit", "atime", "zroot/a")
    assert got(zfs, "atime", "zroot/a/b") == ("on", "local")
    zfs.ok("inherit", "-r", "atime", "zroot")
    assert got(zfs, "atime", "zroot/a/b") == ("on", "default")


def test_user_properties_are_inherited_by_children_snapshots_and_unset_again(zfs: Zfs) -> None:
    assert got(zfs, "chyves:role", "zroot/a") == ("-", "-")
    zfs.ok("set", "chyves:role=primary pool", "zroot")
    zfs.ok("snapshot", "zroot/a@one")
    assert got(zfs, "chyves:role", "zroot/a/v") == ("primary pool", "inherited from zroot")
    assert got(zfs, "chyves:role", "zroot/a@one") == ("primary pool", "inherited from zroot")
    zfs.ok("set", "chyves:role=", "zroot/a@one")
    assert got(zfs, "chyves:role", "zroot/a@one") == ("", "local")
    zfs.ok("inherit", "chyves:role", "zroot")
    assert got(zfs, "chyves:role", "zroot/a") == ("-", "-")


def test_quotas_are_not_inherited(zfs: Zfs) -> None:
    zfs.ok("set", "quota=1G", "refquota=512M", "zroot/a")
    assert got(zfs, "quota", "zroot/a") == (str(1 << 30), "local")
    assert got(zfs, "quota", "zroot/a/b") == ("0", "default")
    assert zfs.ok("get", "-H", "-o", "value", "quota,refquota,reservation", "zroot/a").split() == ["1G", "512M", "none"]
    zfs.ok("set", "quota=none", "zroot/a")
    assert got(zfs, "quota", "zroot/a") == ("0", "local")


def test_every_word_that_an_index_may_be_can_be_set(zfs: Zfs) -> None:
    for row in properties.table("14.3").values():
        if row.type != properties.INDEX or row.readonly or row.name == "canmount":
            continue
        for word in row.choices:
            name = "zroot/a" if "f" in row.kinds else "zroot/a/v"
            zfs.ok("set", f"{row.name}={word}", name)
            assert zfs.value(row.name, name) == properties.canonical(row.name, word)


@pytest.mark.parametrize(
    ("word", "name", "reason"),
    [
        ("atime=maybe", "zroot/a", "'atime' must be one of 'on | off'"),
        ("sync=never", "zroot/a/v", "'sync' must be one of 'standard | always | disabled'"),
        ("atime=off", "zroot/a/v", "'atime' does not apply to datasets of this type"),
        ("volsize=1G", "zroot/a", "'volsize' does not apply to datasets of this type"),
        ("used=1", "zroot/a", "'used' is readonly"),
        ("volblocksize=8K", "zroot/a/v", "'volblocksize' is readonly"),
        ("casesensitivity=mixed", "zroot/a", "'casesensitivity' is readonly"),
        ("nonsense=1", "zroot/a", "invalid property 'nonsense'"),
        ("Upper:Case=1", "zroot/a", "invalid property 'Upper:Case'"),
        ("written@one=1", "zroot/a", "'written@one' is readonly"),
        ("quota=0", "zroot/a", "use 'none' to disable quota/refquota"),
        ("quota=much", "zroot/a", "bad numeric value 'much'"),
        ("quota=1K", "zroot/a", "size is less than current used or reserved space"),
        ("quota=auto", "zroot/a", "'auto' is invalid value for 'quota'"),
        ("reservation=99T", "zroot/a", "size is greater than available space"),
        ("refreservation=auto", "zroot/a", "'refreservation=auto' only allowed on volumes"),
        ("recordsize=3K", "zroot/a", "'recordsize' must be power of 2 from 512B to 16M"),
        ("recordsize=256", "zroot/a", "'recordsize' must be power of 2 from 512B to 16M"),
        ("mountpoint=data", "zroot/a", "'mountpoint' must be an absolute path, 'none', or 'legacy'"),
        ("mountpoint=/" + "x" * 256, "zroot/a", "component of 'mountpoint' is too long"),
        ("volsize=1000", "zroot/a/v", "'volsize' must be a multiple of volume block size (16K)"),
        ("volsize=0", "zroot/a/v", "'volsize' cannot be zero"),
        ("x:y=" + "z" * 8192, "zroot/a", "property value too long"),
        ("x:" + "y" * 254 + "=z", "zroot/a", "property name 'x:" + "y" * 254 + "' is too long"),
    ],
)
def test_values_that_cannot_be_set(zfs: Zfs, word: str, name: str, reason: str) -> None:
    assert zfs.refused("set", word, name) == f"cannot set property for '{name}': {reason}"


def test_a_dataset_is_given_all_values_or_none_and_the_others_theirs(zfs: Zfs) -> None:
    said = zfs("set", "x:y=1", "atime=off", "zroot/a/v", "zroot/none", "zroot/a")
    assert said.status == 255
    assert said.err.splitlines() == [
        "cannot set property for 'zroot/a/v': 'atime' does not apply to datasets of this type",
        "cannot open 'zroot/none': dataset does not exist",
    ]
    assert got(zfs, "x:y", "zroot/a") == ("1", "local")
    assert got(zfs, "x:y", "zroot/a/v") == ("1", "inherited from zroot/a")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "missing arguments"),
        (["x:y=1"], "missing dataset name(s)"),
        (["zroot"], "missing property=value argument(s)"),
        (["x:y=1", "zroot", "x:z=1"], "invalid argument order"),
        (["-x", "x:y=1", "zroot"], "invalid option 'x'"),
    ],
)
def test_words_that_are_no_set(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.misused("set", *words) == text


def test_only_user_properties_of_snapshots_can_be_set(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a@one")
    assert zfs.refused("set", "atime=off", "zroot/a@one") == (
        "cannot set property for 'zroot/a@one': this property can not be modified for snapshots"
    )
    zfs.ok("set", "x:y=1", "zroot/a@one")


def test_inheriting_what_cannot_be(zfs: Zfs) -> None:
    assert zfs.refused("inherit", "quota", "zroot/a") == (
        "'quota' property cannot be inherited\nuse 'zfs set quota=none' to clear\n"
        "use 'zfs inherit -S quota' to revert to received value"
    )
    assert zfs.refused("inherit", "used", "zroot/a") == "used property is read-only"
    assert zfs.refused("inherit", "atime", "zroot/a/v") == (
        "cannot inherit atime for 'zroot/a/v': property doesn't apply to datasets of this type"
    )
    assert zfs.misused("inherit", "nonsense", "zroot/a") == "invalid property 'nonsense'"
    assert zfs.misused("inherit") == "missing property argument"
    assert zfs.misused("inherit", "atime") == "missing dataset argument"


def test_a_volume_grows_and_shrinks_and_its_reservation_with_it(zfs: Zfs) -> None:
    zfs.ok("create", "-V", "64M", "zroot/thick")
    poke(zfs.device("zroot/thick"), "boot")
    before = int(zfs.value("refreservation", "zroot/thick"))
    zfs.ok("set", "volsize=128M", "zroot/thick")
    assert zfs.device("zroot/thick").stat().st_size == 128 << 20
    assert int(zfs.value("refreservation", "zroot/thick")) - before == (64 << 20) + 4 * 2 * (128 << 10)
    assert peek(zfs.device("zroot/thick"), 4) == "boot"
    zfs.ok("set", "refreservation=none", "zroot/thick")
    zfs.ok("set", "volsize=64M", "zroot/thick")
    assert zfs.value("refreservation", "zroot/thick") == "0"
    zfs.ok("set", "refreservation=auto", "zroot/thick")
    assert int(zfs.value("refreservation", "zroot/thick")) == before
    assert zfs.refused("set", "volsize=99T", "zroot/thick") == "cannot set property for 'zroot/thick': out of space"


def test_a_volume_without_a_node(zfs: Zfs) -> None:
    poke(zfs.device("zroot/a/v"), "boot")
    zfs.ok("set", "volmode=none", "zroot")
    assert not zfs.device("zroot").exists()
    zfs.ok("snapshot", "zroot/a/v@one")
    zfs.ok("set", "volsize=2M", "zroot/a/v")
    zfs.ok("set", "volmode=dev", "zroot/a/v")
    assert peek(zfs.device("zroot/a/v"), 4) == "boot"
    assert zfs.device("zroot/a/v").stat().st_size == 2 << 20


def test_setting_the_mountpoint_moves_the_files_and_those_below(zfs: Zfs) -> None:
    (zfs.path("zroot/a/b") / "file").write_text("x")
    zfs.ok("set", "mountpoint=/data", "zroot/a")
    assert got(zfs, "mountpoint", "zroot/a/b") == (f"{zfs.lab.root}/data/b", "inherited from zroot/a")
    assert (zfs.lab.root / "data/b/file").read_text() == "x"
    assert not (zfs.lab.root / "zroot/a").exists()
    zfs.ok("set", "mountpoint=none", "zroot/a")
    assert zfs.ok("get", "-H", "-o", "value", "mounted", "zroot/a", "zroot/a/b").split() == ["no", "no"]
    assert list((zfs.lab.root / "data").iterdir()) == []
    zfs.ok("inherit", "mountpoint", "zroot/a")
    assert (zfs.lab.root / "zroot/a/b/file").read_text() == "x"


def test_set_u_leaves_everything_mounted_where_it_is(zfs: Zfs) -> None:
    zfs.ok("set", "-u", "mountpoint=/data", "zroot/a")
    assert (zfs.lab.root / "zroot/a/b").is_dir() and not (zfs.lab.root / "data").exists()


def test_canmount_off_unmounts_and_on_does_not_mount(zfs: Zfs) -> None:
    zfs.ok("set", "canmount=off", "zroot/a/b")
    assert zfs.value("mounted", "zroot/a/b") == "no"
    zfs.ok("set", "canmount=on", "zroot/a/b")
    assert zfs.value("mounted", "zroot/a/b") == "no"
    zfs.ok("mount", "-a")
    assert zfs.value("mounted", "zroot/a/b") == "yes"


def test_get_shows_a_table(zfs: Zfs) -> None:
    assert zfs.ok("get", "atime,quota", "zroot/a") == (
        "NAME     PROPERTY  VALUE  SOURCE\nzroot/a  atime     on     default\nzroot/a  quota     none   default\n"
    )
    assert zfs.ok("get", "-o", "property,value", "type", "zroot/a/v") == "PROPERTY  VALUE\ntype      volume\n"


def test_get_chooses_columns_sources_types_and_depth(zfs: Zfs) -> None:
    zfs.ok("set", "x:y=1", "zroot/a")
    zfs.ok("snapshot", "zroot/a@one")
    assert zfs.ok("get", "-H", "-o", "value,name", "type", "zroot/a") == "filesystem\tzroot/a\n"
    assert zfs.ok("get", "-H", "-s", "local", "-o", "name", "-r", "x:y", "zroot") == "zroot/a\n"
    inherited = zfs.ok("get", "-H", "-s", "inherited", "-o", "name", "-r", "x:y", "zroot").split()
    assert inherited == ["zroot/a@one", "zroot/a/b", "zroot/a/v"]
    assert zfs.ok("get", "-H", "-t", "volume", "-r", "-o", "name", "type", "zroot") == "zroot/a/v\n"
    assert zfs.ok("get", "-H", "-d", "1", "-o", "name", "type", "zroot").split() == ["zroot", "zroot/a"]
    assert zfs.ok("get", "-H", "-t", "snapshot", "-o", "name", "type", "zroot/a") == "zroot/a@one\n"
    assert zfs.ok("get", "-H", "-o", "all", "atime", "zroot/a") == "zroot/a\tatime\ton\t-\tdefault\n"


def test_get_all_has_what_a_kind_of_dataset_has(zfs: Zfs) -> None:
    zfs.ok("snapshot", "zroot/a/v@one")
    kinds = {"f": "zroot/a", "v": "zroot/a/v", "s": "zroot/a/v@one"}
    for letter, name in kinds.items():
        told = zfs.ok("get", "-H", "-o", "property", "all", name).split()
        assert set(told) <= {row.name for row in properties.table("14.3").values() if letter in row.kinds}
        assert {"type", "creation", "used", "referenced", "guid", "createtxg"} <= set(told)
    assert "origin" not in zfs.ok("get", "-H", "-o", "property", "all", "zroot/a").split()
    assert zfs.ok("get", "-H", "origin", "zroot/a") == "zroot/a\torigin\t-\t-\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nonsense", "zroot"], "bad property list: invalid property 'nonsense'"),
        (["Upper:Case", "zroot"], "bad property list: invalid property 'Upper:Case'"),
        (["", "zroot"], "bad property list: no properties specified"),
        ([], "missing property argument"),
        (["-o", "nonsense", "type", "zroot"], "invalid column name 'nonsense'"),
        (["-o", "name,all", "type", "zroot"], '"all" conflicts with specific fields given to -o option'),
        (["-s", "nowhere", "type", "zroot"], "invalid source 'nowhere'"),
        (["-t", "fs", "type", "zroot"], "invalid type 'fs'"),
        (["-d", "x", "type", "zroot"], "x is not an integer"),
        (["-d", "-1", "type", "zroot"], "Depth can not be negative."),
        (["-o"], "missing argument for 'o' option"),
    ],
)
def test_words_that_are_no_get(zfs: Zfs, words: list[str], text: str) -> None:
    assert zfs.misused("get", *words) == text


def test_options_after_operands_are_operands(zfs: Zfs) -> None:
    said = zfs("get", "type", "zroot", "-H")
    assert said.status == 1
    assert said.err == "cannot open '-H': dataset does not exist\n"
    assert said.out.startswith("NAME")


def test_the_names_of_columns_are_names_of_properties(zfs: Zfs) -> None:
    assert zfs.ok("get", "-H", "-o", "property", "avail,refer,compress,rdonly,recsize", "zroot").split() == [
        "available", "referenced", "compression", "readonly", "recordsize",
    ]  # fmt: skip


def test_dates_and_identifiers(zfs: Zfs) -> None:
    now = int(time.time())
    created = int(zfs.value("creation", "zroot/a"))
    assert now - 60 <= created <= now
    shown = zfs.ok("get", "-H", "-o", "value", "creation", "zroot/a").rstrip("\n")
    assert shown == time.strftime("%a %b %e %k:%M %Y", time.localtime(created))
    guids = zfs.ok("get", "-H", "-r", "-o", "value", "guid", "zroot").split()
    assert len(set(guids)) == 4 and all(guid.isdigit() and int(guid) for guid in guids)
    txgs = [int(zfs.value("createtxg", name)) for name in ("zroot", "zroot/a", "zroot/a/b", "zroot/a/v")]
    assert txgs == sorted(set(txgs))


def test_defaults_of_an_older_release(tmp_path: Path) -> None:
    zfs = made(tmp_path / "old", "13.2")
    assert (zfs.value("compression", "zroot"), zfs.value("relatime", "zroot")) == ("off", "off")
    assert zfs.misused("get", "prefetch", "zroot") == "bad property list: invalid property 'prefetch'"
    assert zfs.refused("set", "recordsize=4M", "zroot") == (
        "cannot set property for 'zroot': 'recordsize' must be power of 2 from 512B to 1M"
    )
    assert zfs.misused("set", "-u", "atime=off", "zroot") == "invalid option 'u'"


def test_json_is_of_the_newest_release_only(zfs: Zfs, tmp_path: Path) -> None:
    assert zfs.misused("list", "-j") == "invalid option 'j'"
    assert zfs.misused("get", "-j", "all") == "invalid option 'j'"
    new = made(tmp_path / "new", "15.0")
    new.ok("create", "-o", "x:y=1", "zroot/a")
    told = json.loads(new.ok("get", "type,x:y,atime", "zroot/a", "-j"))
    assert told["output_version"] == {"command": "zfs get", "vers_major": 0, "vers_minor": 1}
    entry = told["datasets"]["zroot/a"]
    assert (entry["name"], entry["type"], entry["pool"]) == ("zroot/a", "FILESYSTEM", "zroot")
    assert entry["properties"]["x:y"] == {"value": "1", "source": {"type": "LOCAL", "data": "-"}}
    assert entry["properties"]["atime"]["source"]["type"] == "DEFAULT"
    listed = json.loads(new.ok("list", "--json", "--json-int", "-o", "name,used,x:y"))["datasets"]["zroot/a"]
    assert listed["properties"]["used"]["value"] == 98304
    assert listed["createtxg"] == int(new.value("createtxg", "zroot/a"))
    assert json.loads(new.ok("version", "-j"))["zfs_version"]["userland"].startswith("zfs-2.4.0")
