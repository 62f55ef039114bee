"""Datasets as chyves 0.2.0 and those before left them: read as they lie, started, brought up; newer ones refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from chyves.section import read_text
from tests.host_commands import chyves, done, refused, second_pool, sentence, zfs
from tests.lab import old_datasets
from tests.lab.old_datasets import DATASET_VERSIONS, GUEST_VERSIONS, traces, traces_but_logs

EVERY = {f"g{version}": version for version in GUEST_VERSIONS}
"""A guest of each version."""
ALL = ",".join(EVERY)
READING = (
    "list", "list -H", "list --json", "info -a", "info -a --json", "list bridges", "list defaults", "list disks",
    "list firmware", "list global", "list iso", "list pools", "list properties", "list bargs", "version",
    f"{ALL} get all", "global get all", "defaults get all", f"{ALL} get bargs", "g0100 disk list", "iso list",
)  # fmt: skip
ADDED = {
    "bhyve_net_type": "virtio-net",
    "revert_to_snapshot": "",
    "revert_to_snapshot_method": "off",
    "bhyveload_flags": "",
    "bhyve_disk_type": "ahci-hd",
}
"""What upgrades bring, to guests and to defaults alike."""


@pytest.fixture
def house(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose guests only live and die."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    yield lab
    chyves(lab, "all", "stop", "force")


def config(place: Path, guest: str) -> dict[str, str]:
    return read_text((place / f"guests/{guest}/.config/.cfg").read_text(), guest)


def text(file: Path) -> dict[str, str]:
    return read_text(file.read_text(), str(file))


def snapdir(lab: Lab, guest: str) -> str:
    return zfs(lab, "get", "-H", "-o", "value", "snapdir", f"{lab.pool}/chyves/guests/{guest}/.config").strip()


@pytest.mark.parametrize("version", DATASET_VERSIONS)
def test_reading_changes_nothing(house: Lab, version: str) -> None:
    old_datasets.make(house, version, EVERY)
    before = traces(house)
    said = {line: done(house, *line.split()) for line in READING}
    assert traces(house) == before
    assert said["list -H"].splitlines()[0] == f"g0100\t{house.pool}\tNO\tNO\tNO\t-"
    assert len(said["list -H"].splitlines()) == len(EVERY)
    assert f"{house.pool}\tprimary\t{version}\t" in done(house, "list", "pools", "-H")
    # What is missing has its row's default; what is there stays.
    assert done(house, "g0100", "get", "bhyve_disk_type") == "ahci-hd\n"
    assert done(house, "g0100", "get", "bargs") == "-A -H -P\n"
    assert traces(house) == before


def test_a_dry_run_of_a_start_changes_nothing_and_old_values_count(house: Lab) -> None:
    old_datasets.make(house, "0001", EVERY)
    before = traces(house)
    lines = done(house, ALL, "start", "--dry-run")
    assert traces(house) == before
    bhyves = [line for line in lines.splitlines() if line.startswith("bhyve ")]
    assert [line.split(" -c ")[0] for line in bhyves] == ["bhyve -A -H -P"] * 2 + ["bhyve -A -H -P -S"] * 5
    assert all("ahci-hd" in line and "virtio-net,tap5" in line for line in bhyves)


def test_guests_of_every_version_are_started_as_they_are_and_new_ones_stand_beside_them(house: Lab) -> None:
    place = old_datasets.make(house, "0001", EVERY)
    done(house, ALL, "start")
    done(house, "new", "create", "64M")
    for number, (name, version) in enumerate(sorted(EVERY.items())):
        kept = config(place, name)
        assert kept.pop("pci_slots") == f"disk0=4:0,tap{50 + number}=5:0"
        assert kept == old_datasets.properties(version, number)
    new = config(place, "new")
    assert (new["net_ifaces"], new["serial"]) == ("tap57", "nmdm57")
    assert "dataset_version=0001" in (place / ".config/pool.cfg").read_text()


@pytest.mark.parametrize("version", DATASET_VERSIONS)
def test_a_primary_pool_is_brought_up_and_its_guests_with_it(house: Lab, version: str) -> None:
    place = old_datasets.make(house, version, EVERY)
    before = traces(house)
    done(house, "dataset", house.pool, "upgrade", "--dry-run")
    assert traces(house) == before
    result = chyves(house, "dataset", house.pool, "upgrade")
    assert result.returncode == 0, result.stderr
    assert text(place / ".config/pool.cfg") == {
        "creation": old_datasets.CREATION,
        "dataset_version": "0005",
        "dataset_role": "primary",
    }
    ours = old_datasets.defaults(version) | ADDED | {"disk_volblocksize": "16K", "bargs": "-A -H -P -S"}
    assert text(place / "guests/.defaults") == ours
    taps = [f"tap{50 + number}" for number in range(len(EVERY))]
    assert text(place / ".config/global.cfg") == old_datasets.settings("0005", taps)
    for number, (name, guest) in enumerate(sorted(EVERY.items())):
        wanted = old_datasets.properties(guest, number) | ADDED
        assert config(place, name) == wanted | {"bargs": "-A -H -P -S", "chyves_guest_version": "0300"}
        assert snapdir(house, name) == "visible"
    assert "disk_volblocksize: 512, which 0.2.0 gave every volume" in result.stderr
    assert "uefi_vnc_ip: 0.0.0.0 shows the screens" in result.stderr
    after = traces_but_logs(house)
    done(house, "dataset", house.pool, "upgrade")
    done(house, "all", "upgrade")
    assert traces_but_logs(house) == after


def test_what_a_user_changed_stays(house: Lab) -> None:
    place = old_datasets.make(house, "0001", {"own": "0100"})
    mine = {"bargs": "-A -H -w", "bhyve_net_type": "e1000", "revert_to_snapshot": "@clean", "my_word": "kept"}
    for file in (place / "guests/own/.config/.cfg", place / "guests/.defaults"):
        kept = text(file) | mine | {"disk_volblocksize": "4K"}
        file.write_text("".join(f"{name}={value}\n" for name, value in kept.items()))
    (place / ".config/global.cfg").write_text("eject_iso_on_n_reboot=3\n")
    done(house, "dataset", house.pool, "upgrade")
    for file in (place / "guests/own/.config/.cfg", place / "guests/.defaults"):
        assert {name: text(file)[name] for name in mine} == mine
    assert text(place / "guests/.defaults")["disk_volblocksize"] == "4K"
    assert text(place / ".config/global.cfg") == {"eject_iso_on_n_reboot": "3"}


def test_memory_is_wired_by_an_upgrade_on_hosts_that_0_2_0_did_it_on(new_lab: object) -> None:
    from chyves.pools.steps import GUEST_STEPS, additions, after

    assert additions({"bargs": "-A -H -P"}, after("0100", GUEST_STEPS), 1002000).get("bargs") is None
    assert additions({"bargs": "-A -H -P"}, after("0100", GUEST_STEPS), 1003000)["bargs"] == "-A -H -P -S"
    assert additions({"bargs": "-A -H -P"}, after("0102", GUEST_STEPS), 1403000).get("bargs") is None


def test_one_guest_is_brought_up_alone_and_while_it_runs(house: Lab) -> None:
    place = old_datasets.make(house, "0005", {"a": "0102", "b": "0102"})
    done(house, "a", "start")
    done(house, "a", "upgrade")
    assert config(place, "a")["chyves_guest_version"] == "0300"
    assert (config(place, "b")["chyves_guest_version"], snapdir(house, "b")) == ("0102", "hidden")
    assert snapdir(house, "a") == "visible"


def test_two_pools_of_different_versions(house: Lab) -> None:
    """A pool is brought up by itself; the guests of a secondary one are told."""
    tank = second_pool(house)
    old_datasets.make(house, "0005", {"a": "0300"})
    place = old_datasets.make(house, "0002", {"c": "0101"}, tank, "secondary")
    (place / "guests/c/.config/.cfg").write_text((place / "guests/c/.config/.cfg").read_text().replace("50", "60"))
    assert done(house, "list", "-H").splitlines() == [f"a\t{house.pool}\tNO\tNO\tNO\t-", f"c\t{tank}\tNO\tNO\tNO\t-"]
    told = sentence(house, "dataset", tank, "promote")
    assert told.startswith(f"{tank}: has datasets of version 0002, and {house.pool} of 0005;")
    done(house, "a,c", "start")
    result = chyves(house, "dataset", tank, "upgrade")
    assert "bring them up with: chyves c upgrade" in result.stderr
    assert text(place / ".config/pool.cfg")["dataset_version"] == "0005"
    assert config(place, "c")["chyves_guest_version"] == "0101"
    done(house, "all", "upgrade")
    assert config(place, "c")["chyves_guest_version"] == "0300"


def test_a_newer_dataset_is_listed_with_a_warning_and_not_changed(house: Lab) -> None:
    old_datasets.make(house, "0006", {"a": "0300"})
    listed = chyves(house, "list", "-H")
    assert (listed.returncode, listed.stdout.split("\t")[0]) == (0, "a")
    newer = f"{house.pool}: dataset_version: 0006 is newer than this chyves knows (0005); "
    assert listed.stderr == f"warning: {newer}it is shown as far as it is understood\n"
    for line in ("a start", "a set cpu=2", "a delete", "new create 64M", "a upgrade", f"dataset {house.pool} upgrade",
                 "all start", "iso delete null.iso", f"dataset {house.pool} offline"):  # fmt: skip
        assert refused(house, *line.split()).startswith(f"{newer}use the chyves that wrote it")


def test_a_newer_guest_is_listed_with_a_warning_and_neither_changed_nor_started(house: Lab) -> None:
    old_datasets.make(house, "0005", {"a": "0301", "b": "0300"})
    newer = "a: chyves_guest_version: 0301 is newer than this chyves knows (0300); "
    for line in ("list", "info -a", "a get cpu"):
        listed = chyves(house, *line.split())
        assert listed.returncode == 0 and listed.stderr == f"warning: {newer}it is shown as far as it is understood\n"
    assert chyves(house, "b", "get", "cpu").stderr == ""
    for line in ("a start", "a,b set cpu=2", "a delete", "a upgrade", "all upgrade", "a disk add 1G"):
        assert refused(house, *line.split()) == f"{newer}use the chyves that wrote it"
    done(house, "b", "start")


def test_null_iso_as_a_plain_file_is_what_a_uefi_guest_without_a_medium_gets(house: Lab) -> None:
    place = old_datasets.make(house, "0005", {"a": "0300"})
    image = house.top / "boot.fd"
    image.write_text("firmware")
    done(house, "firmware", "import", str(image))
    done(house, "a", "set", "loader=uefi", "uefi_firmware=boot.fd")
    assert f"-s 3,ahci-cd,{place}/ISO/null.iso" in done(house, "a", "start", "--dry-run")
    assert done(house, "list", "iso", "-H") == ""


def test_datasets_that_are_mounted_elsewhere(house: Lab) -> None:
    """On FreeNAS /chyves was a link to /mnt/chyves."""
    place = old_datasets.make(house, "0005", {"a": "0202"}, place="/mnt/chyves/zroot")
    before = traces(house)
    assert done(house, "a", "get", "ram") == "256M\n"
    assert traces(house) == before
    done(house, "dataset", house.pool, "upgrade")
    assert config(place, "a")["chyves_guest_version"] == "0300"


NAMES = ("log", "move", "lab", "debug", "completion")
"""Names that 0.2.0 gave and that are, or will be, words of the commands."""


def test_guests_of_0_2_0_that_are_named_like_words_of_now_can_be_used(house: Lab) -> None:
    place = old_datasets.make(house, "0005", dict.fromkeys(NAMES, "0202"))
    for name in NAMES:
        assert done(house, name, "get", "ram") == "256M\n", name
        done(house, name, "set", "cpu=2")
        done(house, name, "upgrade")
        assert config(place, name)["chyves_guest_version"] == "0300"
    done(house, "log,lab,completion", "start")


@pytest.mark.parametrize("name", [".web", "-web"])
def test_a_guest_of_0_2_0_whose_name_begins_oddly_is_listed_and_brought_up(house: Lab, name: str) -> None:
    place = old_datasets.make(house, "0005", {name: "0202"})
    assert done(house, "list", "-H").startswith(f"{name}\t")
    done(house, "--", name, "upgrade")
    assert config(place, name)["chyves_guest_version"] == "0300"


@pytest.mark.parametrize("name", [".new", ".old"])
def test_a_guest_of_0_2_0_that_is_named_like_our_own_datasets_is_not_taken_for_what_a_crash_left(
    house: Lab, name: str
) -> None:
    old_datasets.make(house, "0005", {name: "0300", "a": "0300"})
    before = traces_but_logs(house)
    assert f"{name}\t" in done(house, "list", "-H")
    assert f"rename it first, with: zfs rename {house.pool}/chyves/guests/{name} " in sentence(
        house, "a", "set", "cpu=2"
    )
    assert traces_but_logs(house) == before
    zfs(house, "rename", f"{house.pool}/chyves/guests/{name}", f"{house.pool}/chyves/guests/web")
    done(house, "a,web", "set", "cpu=2")
