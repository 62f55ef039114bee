"""chyves's hands on ZFS, tried on a pool."""

from __future__ import annotations

import pytest

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.machine import Host
from chyves.host.zfs import Zfs
from chyves.lab.place import Lab


@pytest.fixture
def host(lab: Lab) -> Host:
    return Host.open({"CHYVES_LAB": str(lab.top)})


@pytest.fixture
def zfs(host: Host) -> Zfs:
    return host.zfs


def names(zfs: Zfs) -> list[str]:
    return [row["name"] for row in zfs.list("zroot", types="all", recursive=True)]


def test_a_file_system_is_made_found_renamed_and_destroyed(zfs: Zfs, lab: Lab) -> None:
    assert not zfs.exists("zroot/a")
    zfs.create("zroot/a", {"mountpoint": "/chyves/a", "chyves:role": "primary"})
    assert zfs.exists("zroot/a")
    assert zfs.get("zroot/a", "mountpoint") == f"{lab.root}/chyves/a"
    assert zfs.get("zroot/a", "chyves:role") == "primary"
    assert zfs.get("zroot/a", "chyves:none") == "-"
    zfs.rename("zroot/a", "zroot/b")
    assert names(zfs) == ["zroot", "zroot/b"]
    zfs.destroy("zroot/b")
    assert names(zfs) == ["zroot"]


def test_a_volume_has_a_device(zfs: Zfs, host: Host) -> None:
    zfs.create_volume("zroot/disk0", 1 << 30, {"volmode": "dev", "refreservation": "none"})
    device = host.path("/dev/zvol/zroot/disk0")
    zfs.wait_for_volume(device)
    assert device.stat().st_size == 1 << 30
    rows = zfs.list("zroot", properties=("name", "type", "volsize", "volmode"), types="volume", recursive=True)
    assert rows == [{"name": "zroot/disk0", "type": "volume", "volsize": str(1 << 30), "volmode": "dev"}]
    zfs.set("zroot/disk0", {"volsize": str(2 << 30), "chyves:x": "a=b c"})
    assert device.stat().st_size == 2 << 30
    assert zfs.get("zroot/disk0", "chyves:x") == "a=b c"


def test_what_is_refused_is_told_in_the_words_of_zfs(zfs: Zfs) -> None:
    with pytest.raises(ProgramFailed, match=r"zroot/a/b.*(parent does not exist|no such parent)"):
        zfs.create("zroot/a/b")
    zfs.create("zroot/a")
    with pytest.raises(ProgramFailed, match="dataset already exists"):
        zfs.create("zroot/a")
    zfs.create("zroot/a/b")
    with pytest.raises(ProgramFailed, match="has children"):
        zfs.destroy("zroot/a")
    with pytest.raises(ProgramFailed, match="dataset does not exist"):
        zfs.list("zroot/a", "zroot/none")
    assert names(zfs) == ["zroot", "zroot/a", "zroot/a/b"]


def test_a_whole_tree_is_destroyed_when_it_is_what_was_listed(zfs: Zfs, host: Host) -> None:
    for name in ("zroot/g", "zroot/g/logs", "zroot/keep"):
        zfs.create(name)
    zfs.create_volume("zroot/g/disk0", 1 << 20)
    host.run.do("zfs", "snapshot", "-r", "zroot/g@one")
    expected = zfs.below("zroot/g")
    assert sorted(expected) == [
        "zroot/g",
        "zroot/g/disk0",
        "zroot/g/disk0@one",
        "zroot/g/logs",
        "zroot/g/logs@one",
        "zroot/g@one",
    ]
    assert expected[-1] == "zroot/g"
    host.run.do("zfs", "snapshot", "zroot/g/disk0@two")
    before = names(zfs)
    with pytest.raises(ChyvesError, match=r"^zroot/g: has more below it than it had: zroot/g/disk0@two; "):
        zfs.destroy_all("zroot/g", expected)
    assert names(zfs) == before
    zfs.destroy_all("zroot/g", zfs.below("zroot/g"))
    assert names(zfs) == ["zroot", "zroot/keep"]


def test_a_tree_that_a_clone_elsewhere_depends_on_is_not_listed_as_free_to_go(zfs: Zfs, host: Host) -> None:
    zfs.create("zroot/g")
    host.run.do("zfs", "snapshot", "zroot/g@one")
    host.run.do("zfs", "clone", "zroot/g@one", "zroot/other")
    with pytest.raises(ProgramFailed, match="has dependent clones"):
        zfs.below("zroot/g")


def test_pools(zfs: Zfs) -> None:
    (pool,) = zfs.pools()
    assert list(pool) == ["name", "size", "alloc", "free", "health"]
    assert (pool["name"], pool["health"]) == ("zroot", "ONLINE")
    assert int(pool["size"]) >= int(pool["alloc"]) + int(pool["free"])


def test_the_lines_of_a_dry_run_do_what_they_say(lab: Lab, zfs: Zfs, capfd: pytest.CaptureFixture[str]) -> None:
    dry = Host.open({"CHYVES_LAB": str(lab.top)}, dry=True).zfs
    dry.create("zroot/a", {"chyves:notes": "it's a note"})
    dry.create_volume("zroot/a/disk0", 1 << 20, {"volmode": "dev"})
    dry.rename("zroot/a", "zroot/b")
    assert names(zfs) == ["zroot"]
    lines = capfd.readouterr().out
    Host.open({"CHYVES_LAB": str(lab.top)}).run.do("sh", "-ec", lines)
    assert names(zfs) == ["zroot", "zroot/b", "zroot/b/disk0"]
    assert zfs.get("zroot/b", "chyves:notes") == "it's a note"
