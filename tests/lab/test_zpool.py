"""zpool: pools are made, told of, exported, imported and destroyed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.zfs_lab import Zfs, made, peek, poke


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    return made(tmp_path)


def ok(zfs: Zfs, *words: str) -> str:
    said = zfs.zpool(*words)
    assert (said.status, said.err) == (0, ""), said
    return said.out


def refused(zfs: Zfs, *words: str, status: int = 1) -> str:
    before = zfs.everything()
    said = zfs.zpool(*words)
    assert said.status == status, said
    assert zfs.everything() == before
    return said.err.rstrip("\n")


def test_a_new_pool_has_a_file_system_of_its_name(zfs: Zfs) -> None:
    ok(zfs, "create", "-O", "compression=lz4", "-O", "x:y=z", "-m", "/tank/data", "tank", "mirror", "da0", "da1")
    assert zfs.path("tank") == zfs.lab.root / "tank/data"
    assert zfs.value("x:y", "tank") == "z"
    assert zfs.names() == ["tank", "zroot"]
    assert ok(zfs, "list", "-H", "-o", "name,size,health,altroot") == (
        f"tank\t16T\tONLINE\t{zfs.lab.root}\nzroot\t16T\tONLINE\t{zfs.lab.root}\n"
    )


@pytest.mark.parametrize("words", [["-R", "/mnt"], ["-o", "altroot=/mnt"]])
def test_an_altroot_is_always_inside_the_lab(zfs: Zfs, words: list[str]) -> None:
    ok(zfs, "create", *words, "tank", "da0")
    assert zfs.path("tank") == zfs.lab.root / "mnt/tank"
    assert ok(zfs, "get", "-H", "-o", "value", "altroot", "tank") == f"{zfs.lab.root}/mnt\n"


def test_the_altroot_of_the_lab_itself(zfs: Zfs) -> None:
    ok(zfs, "create", "-R", str(zfs.lab.root), "tank", "da0")
    assert zfs.path("tank") == zfs.lab.root / "tank"


def test_a_pool_on_a_file_has_its_size(zfs: Zfs) -> None:
    image = zfs.lab.root / "disk.img"
    with open(image, "wb") as file:
        file.truncate(1 << 30)
    ok(zfs, "create", "small", "/disk.img")
    assert ok(zfs, "list", "-Hp", "-o", "size,free,allocated,capacity", "small").split() == [
        str(1 << 30),
        str((1 << 30) - 98304),
        "98304",
        "0",
    ]
    assert int(zfs.value("available", "small")) == (1 << 30) - (128 << 20) - 98304
    assert zfs.refused("create", "-V", "1G", "small/v") == "cannot create 'small/v': out of space"
    zfs.ok("create", "-s", "-V", "1G", "small/v")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["zroot", "da0"], "cannot create 'zroot': pool already exists"),
        (
            ["tank", "ada0"],
            "invalid vdev specification\nuse '-f' to override the following errors:\n"
            "ada0 is part of active pool 'zroot'",
        ),
        (
            ["tank", "nodisk"],
            "cannot open 'nodisk': no such device in /dev\nmust be a full path or shorthand device name",
        ),
        (["tank", "/none/disk"], "cannot open '/none/disk': No such file or directory"),
        (["tank", "mirror"], "invalid vdev specification: at least one toplevel vdev must be specified"),
        (
            ["tank/a", "da0"],
            "cannot create 'tank/a': invalid character '/' in pool name\nuse 'zfs create' to create a dataset",
        ),
        (["1tank", "da0"], "cannot create '1tank': name must begin with a letter\npool name may have been omitted"),
        (["mirror2", "da0"], "cannot create 'mirror2': name is reserved\npool name may have been omitted"),
        (["log", "da0"], "cannot create 'log': name is reserved\npool name may have been omitted"),
        (
            ["ta,nk", "da0"],
            "cannot create 'ta,nk': invalid character ',' in pool name\npool name may have been omitted",
        ),
        (["t" * 238, "da0"], f"cannot create '{'t' * 238}': name is too long\npool name may have been omitted"),
        (["-O", "foo=1", "tank", "da0"], "cannot create 'tank': invalid property 'foo'"),
        (["-o", "foo=1", "tank", "da0"], "cannot create 'tank': property 'foo' is not a valid pool or vdev property"),
        (["-o", "foo", "tank", "da0"], "missing '=' for -o option"),
        (["-m", "data", "tank", "da0"], "invalid mountpoint 'data': must be an absolute path, 'legacy', or 'none'"),
        (["-R", "mnt", "tank", "da0"], "invalid alternate root 'mnt': must be an absolute path"),
    ],
)
def test_pools_that_cannot_be(zfs: Zfs, words: list[str], text: str) -> None:
    assert refused(zfs, "create", *words) == text


def test_a_small_device_and_a_full_mountpoint(zfs: Zfs) -> None:
    poke(zfs.lab.root / "tiny", "x")
    assert refused(zfs, "create", "tank", "/tiny") == (
        "cannot create 'tank': one or more devices is less than the minimum size (64M)"
    )
    (zfs.lab.root / "tank/full").mkdir(parents=True)
    assert refused(zfs, "create", "tank", "da0").startswith(f"mountpoint '{zfs.lab.root}/tank' exists and is not empty")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["create"], "missing pool name argument"),
        (["create", "tank"], "missing vdev specification"),
        (["create", "-x", "tank", "da0"], "invalid option 'x'"),
        (["create", "-R"], "missing argument for 'R' option"),
        (["destroy"], "missing pool argument"),
        (["destroy", "zroot", "-f"], "too many arguments"),
        (["export"], "missing pool argument"),
        (["list", "-o", "nonsense"], "bad property list: invalid property 'nonsense'"),
        (["get"], "missing property argument"),
        (["set", "autoexpand=on"], "missing pool name"),
        (["nonsense"], "unrecognized command 'nonsense'"),
        ([], "missing command"),
    ],
)
def test_words_that_are_no_command(zfs: Zfs, words: list[str], text: str) -> None:
    assert refused(zfs, *words, status=2).split("\n")[0] == text


def test_a_dry_run_makes_no_pool(zfs: Zfs) -> None:
    assert ok(zfs, "create", "-n", "tank", "da0").startswith("would create 'tank' with the following layout:")
    assert zfs.names() == ["zroot"]


def test_destroy_takes_everything_with_it(zfs: Zfs) -> None:
    ok(zfs, "create", "tank", "da0")
    zfs.ok("create", "tank/a")
    zfs.ok("create", "-V", "1M", "tank/v")
    zfs.ok("snapshot", "-r", "tank@one")
    zfs.ok("hold", "keep", "tank/a@one")
    zfs.ok("clone", "tank/a@one", "tank/c")
    poke(zfs.path("tank/a") / "file", "x")
    ok(zfs, "create", "tank2", "da1")
    zfs.ok("snapshot", "tank2@one")
    zfs.ok("hold", "keep", "tank2@one")
    ok(zfs, "destroy", "tank")
    assert zfs.value("userrefs", "tank2@one") == "1"
    ok(zfs, "destroy", "tank2")
    assert zfs.names("-t", "all") == ["zroot"]
    assert not (zfs.lab.root / "tank").exists() and not zfs.device("tank").exists()
    assert [path.name for path in (zfs.lab.state / "zfs").iterdir() if path.name.isdigit()] == []
    ok(zfs, "create", "tank", "da0")
    assert refused(zfs, "destroy", "nopool") == "cannot open 'nopool': no such pool"


def test_an_exported_pool_is_away_and_comes_back_whole(zfs: Zfs) -> None:
    ok(zfs, "create", "-o", "comment=mine", "tank", "da0")
    zfs.ok("create", "-o", "x:y=z", "tank/a")
    zfs.ok("create", "-V", "1M", "tank/a/v")
    zfs.ok("snapshot", "-r", "tank/a@one")
    poke(zfs.path("tank/a") / "file", "text")
    poke(zfs.device("tank/a/v"), "boot")
    guid = zfs.value("guid", "tank/a")
    ok(zfs, "export", "tank")
    assert zfs.names("-t", "all") == ["zroot"]
    assert refused(zfs, "list", "tank") == "cannot open 'tank': no such pool"
    assert zfs.refused("list", "tank/a") == "cannot open 'tank/a': dataset does not exist"
    assert not (zfs.lab.root / "tank/a").exists() and not zfs.device("tank").exists()
    assert "   pool: tank\n" in ok(zfs, "import")
    ok(zfs, "import", "tank", "bank")
    assert zfs.names("-r", "-t", "all", "bank/a") == ["bank/a", "bank/a@one", "bank/a/v", "bank/a/v@one"]
    assert zfs.value("guid", "bank/a") == guid and zfs.value("x:y", "bank/a") == "z"
    assert (zfs.lab.root / "bank/a/file").read_text() == "text"
    assert peek(zfs.device("bank/a/v"), 4) == "boot"
    assert ok(zfs, "get", "-H", "-o", "value,source", "comment", "bank") == "mine\tlocal\n"
    assert refused(zfs, "import", "tank") == "cannot import 'tank': no such pool available"


def test_an_import_without_mounting(zfs: Zfs) -> None:
    zfs.ok("create", "zroot/a")
    ok(zfs, "export", "-a")
    ok(zfs, "import", "-N", "-a")
    assert zfs.ok("list", "-H", "-o", "name,mounted") == "zroot\tno\nzroot/a\tno\n"


def test_the_name_of_an_exported_pool_is_free(zfs: Zfs) -> None:
    ok(zfs, "create", "tank", "da0")
    ok(zfs, "export", "tank")
    ok(zfs, "create", "tank", "da1")
    assert refused(zfs, "import", "tank").startswith("cannot import 'tank': a pool with that name already exists")
    ok(zfs, "import", "tank", "old")
    assert zfs.names() == ["old", "tank", "zroot"]


def test_properties_are_got_and_set(zfs: Zfs) -> None:
    assert ok(zfs, "get", "health,autotrim", "zroot") == (
        "NAME   PROPERTY  VALUE   SOURCE\nzroot  health    ONLINE  -\nzroot  autotrim  off     default\n"
    )
    ok(zfs, "set", "autotrim=on", "zroot")
    assert ok(zfs, "get", "-Hp", "autotrim", "zroot") == "zroot\tautotrim\ton\tlocal\n"
    assert refused(zfs, "set", "autotrim=x", "zroot") == (
        "cannot set property for 'zroot': 'autotrim' must be one of 'on | off'"
    )
    assert refused(zfs, "set", "size=1", "zroot") == "cannot set property for 'zroot': 'size' is readonly"
    assert refused(zfs, "set", "autotrim=on", "nopool") == "cannot open 'nopool': no such pool"
    assert refused(zfs, "list", "zroot/a") == (
        "cannot open 'zroot/a': invalid character '/' in pool name\nuse 'zfs destroy' to destroy a dataset"
    )


def test_status_tells_that_all_is_well(zfs: Zfs) -> None:
    ok(zfs, "create", "tank", "mirror", "da0", "da1")
    told = ok(zfs, "status", "tank")
    assert told.startswith("  pool: tank\n state: ONLINE\nconfig:\n\n\tNAME        STATE     READ WRITE CKSUM\n")
    assert "\t  mirror-0  ONLINE       0     0     0\n\t    da0     ONLINE       0     0     0\n" in told
    assert told.endswith("errors: No known data errors\n")
    assert ok(zfs, "status", "-x") == "all pools are healthy\n"
    assert refused(zfs, "status", "nopool") == "cannot open 'nopool': no such pool"


def test_no_pools(tmp_path: Path) -> None:
    zfs = made(tmp_path / "empty")
    ok(zfs, "destroy", "zroot")
    assert ok(zfs, "list") == "no pools available\n"
    assert zfs("list") == (0, "", "no datasets available\n")
    assert zfs.zpool("import") == (1, "", "no pools available to import\n")


def test_json_of_the_newest_release(tmp_path: Path) -> None:
    zfs = made(tmp_path / "new", "15.0")
    told = json.loads(ok(zfs, "list", "-j", "--json-int"))["pools"]["zroot"]
    assert (told["state"], told["properties"]["size"]["value"]) == ("ONLINE", 16 << 40)
    assert json.loads(ok(zfs, "get", "-j", "health", "zroot"))["pools"]["zroot"]["properties"]["health"] == {
        "value": "ONLINE",
        "source": {"type": "NONE", "data": "-"},
    }


def test_the_status_as_json(tmp_path: Path) -> None:
    zfs = made(tmp_path / "new", "15.0")
    told = json.loads(ok(zfs, "status", "-j"))["pools"]["zroot"]
    assert told["vdevs"]["zroot"]["vdevs"]["ada0"]["state"] == "ONLINE"
    assert json.loads(ok(zfs, "version", "-j"))["output_version"]["command"] == "zpool version"


def test_versions(zfs: Zfs, tmp_path: Path) -> None:
    assert ok(zfs, "version").splitlines() == zfs.ok("version").splitlines()
    assert zfs.ok("version").startswith("zfs-2.2.7-FreeBSD_")
    assert made(tmp_path / "13", "13.2").ok("version").startswith("zfs-2.1.9-FreeBSD_")
    assert made(tmp_path / "11", "11.0").misused("version") == "unrecognized command 'version'"
