"""The life of guests on a lab: made, set, started, looked at, stopped, deleted.

The guests are hollow; boots are in tests/boot.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from chyves.guests.running import Running
from chyves.lab.place import Lab
from chyves.section import read_text
from tests.host_commands import chyves, datasets, done, environment, refused, zfs


@pytest.fixture
def house(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab with the datasets of chyves, whose guests only live and die."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    done(lab, "dataset", lab.pool, "install")
    yield lab
    chyves(lab, "all", "stop", "force")


def guests(lab: Lab) -> dict[str, dict[str, object]]:
    """What `list` tells of each guest."""
    told = json.loads(done(lab, "list", "--json"))
    return {row["guest"]: row for row in told["guests"]}


def properties(lab: Lab, guest: str) -> dict[str, str]:
    return read_text((directory(lab, guest) / ".config/.cfg").read_text(), guest)


def directory(lab: Lab, guest: str) -> Path:
    return lab.root / "chyves" / lab.pool / "guests" / guest


def log(lab: Lab, guest: str) -> str:
    return "".join(path.read_text() for path in sorted((directory(lab, guest) / "logs").glob("*.log")))


def settings(lab: Lab) -> dict[str, str]:
    return read_text((lab.root / "chyves" / lab.pool / ".config/global.cfg").read_text(), "global")


def wait_for(what: Callable[[], bool]) -> None:
    """Look until something is so; the test fails when it does not become so."""
    for _ in range(3000):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("did not come about")


def nothing_left(lab: Lab, guest: str) -> bool:
    """Whether a guest that ended holds nothing: no VMM, no tap, nothing written down."""
    taps = subprocess.run([lab.bin / "ifconfig", "-g", "tap"], capture_output=True, text=True, check=True).stdout
    run = lab.root / "var/run/chyves"
    return (
        not (lab.root / "dev/vmm").exists()
        and not taps
        and not (run / f"{guest}.json").exists()
        and not (run / guest).exists()
    )


def test_a_guest_is_made_whole(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    assert datasets(house, f"{house.pool}/chyves/guests/web1") == ["", "/.config", "/disk0", "/img", "/logs"]
    own = properties(house, "web1")
    assert own["serial"] == "nmdm50"
    assert own["net_ifaces"] == "tap50"
    assert re.fullmatch(r"58:9c:fc(:[0-9a-f]{2}){3}", own["tap50_mac"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", own["uuid"])
    assert own["pci_slots"] == "disk0=4:0,tap50=5:0"
    assert settings(house)["bridge0_tap_members"] == "tap50"
    volume = f"{house.pool}/chyves/guests/web1/disk0"
    assert zfs(house, "get", "-Hp", "-o", "value", "volsize,volblocksize,volmode", volume).split() == [
        "1073741824",
        "16384",
        "dev",
    ]
    assert zfs(house, "get", "-H", "-o", "value", "snapdir", volume.replace("disk0", ".config")).strip() == "visible"


def test_what_must_be_unique_is_unique(house: Lab) -> None:
    done(house, "a,b", "create", "1G")
    done(house, "c", "create", "1G")
    found = [properties(house, name) for name in "abc"]
    for name in ("uuid", "serial", "net_ifaces"):
        assert len({own[name] for own in found}) == 3, name
    assert len({own[f"{own['net_ifaces']}_mac"] for own in found}) == 3
    assert [own["serial"] for own in found] == ["nmdm50", "nmdm51", "nmdm52"]


def test_fault_2_two_creates_at_once_share_nothing(house: Lab) -> None:
    names = [f"g{number}" for number in range(4)]
    several = [
        subprocess.Popen(
            [sys.executable, "-m", "chyves", name, "create", "1G"], env=environment(house), stderr=subprocess.DEVNULL
        )
        for name in names
    ]
    assert [process.wait(timeout=120) for process in several] == [0] * 4
    assert len({properties(house, name)["net_ifaces"] for name in names}) == 4
    assert sorted(settings(house)["bridge0_tap_members"].split(",")) == ["tap50", "tap51", "tap52", "tap53"]


def test_fault_3_names_are_matched_whole(house: Lab) -> None:
    done(house, "web,web1,web-1,a.web", "create", "1G")
    done(house, "web", "set", "cpu=4")
    assert [properties(house, name)["cpu"] for name in ("web", "web1", "web-1", "a.web")] == ["4", "1", "1", "1"]
    done(house, "web", "delete", "--yes")
    assert sorted(guests(house)) == ["a.web", "web-1", "web1"]
    assert refused(house, "we", "delete", "--yes") == "we: there is no such guest; see: chyves list"
    assert settings(house)["bridge0_tap_members"] == "tap51,tap52,tap53"


def test_several_are_checked_before_the_first_is_changed(house: Lab) -> None:
    done(house, "a,b", "create", "1G")
    assert refused(house, "a,b", "set", "cpu=2", "ram=lots") == (
        "a: ram: lots is not possible; give a number with K, M, G or T from 1M to 1048576T"
    )
    assert (
        refused(house, "a,b", "set", "cpu=2", "nobody", "cpu=3") == "nobody: there is no such guest; see: chyves list"
    )
    assert refused(house, "new1,all", "create", status=2) == (
        "all: is no name for a guest: it is a word of the commands; choose another"
    )
    assert refused(house, "c,a", "create").startswith("a: there is such a guest already, on pool")


def test_set_switches_guests_in_the_middle(house: Lab) -> None:
    done(house, "a,b,c", "create", "1G")
    done(house, "a,b", "set", "cpu=2", "ram=1024M", "c", "rcboot=50")
    assert [
        (properties(house, name)["cpu"], properties(house, name)["ram"], properties(house, name)["rcboot"])
        for name in "abc"
    ] == [
        ("2", "1G", "0"),
        ("2", "1G", "0"),
        ("1", "256M", "50"),
    ]
    done(house, "global", "set", "log_mode=guest", "defaults", "cpu=3")
    done(house, "d", "create", "1G")
    assert properties(house, "d")["cpu"] == "3"
    assert done(house, "global", "get", "log_mode") == "guest\n"
    assert done(house, "a", "get", "cpu") == "2\n"


def test_unset_takes_only_what_may_go(house: Lab) -> None:
    done(house, "a", "create", "1G")
    done(house, "a", "set", "eject_iso_on_n_reboot=3", "pcidev_0=virtio-rnd")
    done(house, "a", "unset", "eject_iso_on_n_reboot")
    done(house, "a", "unset", "pcidev_0")
    assert not {"eject_iso_on_n_reboot", "pcidev_0"} & set(properties(house, "a"))
    assert refused(house, "a", "unset", "cpu") == "a: cpu: cannot be unset; set it to another value"
    assert refused(house, "a", "unset", "pcidev_0") == "a: pcidev_0: is not set"


def test_all_unset_means_those_that_have_it(house: Lab) -> None:
    done(house, "a,b", "create", "1G")
    done(house, "a", "set", "eject_iso_on_n_reboot=2")
    done(house, "all", "unset", "eject_iso_on_n_reboot")
    assert "eject_iso_on_n_reboot" not in properties(house, "a")
    assert "is not set" in refused(house, "all", "unset", "eject_iso_on_n_reboot")


def test_what_chyves_and_the_network_commands_write_is_not_set_by_hand(house: Lab) -> None:
    done(house, "a,b", "create", "1G")
    assert refused(house, "a", "set", "creation=x") == "a: creation: is written by chyves only"
    assert (
        refused(house, "a", "set", "net_ifaces=tap9")
        == "a: net_ifaces: is kept by the network commands while network_design_mode is auto; use: chyves network"
    )
    assert refused(house, "a", "set", "colour=red") == "a: colour is no property; see: chyves list properties"
    assert refused(house, "a", "set", f"uuid={properties(house, 'b')['uuid']}").endswith(
        "is taken by b; choose another"
    )
    done(house, "global", "set", "restrict_new_property_names=off")
    done(house, "a", "set", "colour=red")
    assert properties(house, "a")["colour"] == "red"
    assert refused(house, "global", "set", "colour=red") == "global: colour is no property; see: chyves list properties"


def test_a_guest_lives_and_is_stopped(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    assert guests(house)["web1"]["running"] is None
    done(house, "web1", "start")
    row = guests(house)["web1"]
    assert isinstance(row["running"], int)
    assert row["vmm"] is True
    titles = subprocess.run(["pgrep", "-fx", "bhyve: chy-web1"], capture_output=True, text=True).stdout.split()
    assert str(row["running"]) in titles
    assert refused(house, "web1", "start") == "web1: runs already"
    assert refused(house, "web1", "delete", "--yes").startswith("web1: runs; stop it first")
    assert refused(house, "web1", "reclaim").startswith("web1: runs; stop it first")
    bridge = subprocess.run([house.bin / "ifconfig", "bridge0"], capture_output=True, text=True, check=True).stdout
    assert "member: tap50 " in bridge
    done(house, "web1", "stop")
    assert guests(house)["web1"]["running"] is None
    assert nothing_left(house, "web1")
    said = log(house, "web1")
    assert "bhyve -A -H -P -S" in said
    assert "bhyve ended with status 1: power-off" in said
    assert refused(house, "web1", "stop") == "web1: does not run"


def fate(lab: Lab, guest: str, words: str) -> None:
    """Write on a hollow guest's disk how it ends."""
    with (lab.root / f"dev/zvol/{lab.pool}/chyves/guests/{guest}/disk0").open("r+b") as disk:
        disk.write(f"#hollow {words}\n".encode() + bytes(64))


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (1, "status 1: power-off"),
        (2, "status 2: halt"),
        (3, "status 3: triple fault"),
        (4, "status 4: error"),
        (134, "status -6: signal 6"),
    ],
)
def test_each_end_of_bhyve_is_understood_and_leaves_nothing(house: Lab, status: int, means: str) -> None:
    done(house, "web1", "create", "1G")
    fate(house, "web1", f"{status} 1")
    done(house, "web1", "start")
    wait_for(lambda: guests(house)["web1"]["running"] is None)
    assert f"bhyve ended with {means}" in log(house, "web1")
    assert log(house, "web1").count(" - is up") == 1
    wait_for(lambda: nothing_left(house, "web1"))


def test_complaint_1_a_reboot_is_followed_and_the_medium_goes(house: Lab, tmp_path: Path) -> None:
    medium = tmp_path / "install.iso"
    medium.write_text("#hollow 0 0.3\n")
    done(house, "iso", "import", str(medium))
    done(house, "web1", "create", "1G")
    done(house, "web1", "start", "install.iso")
    wait_for(lambda: "install.iso is ejected after reboot 1" in log(house, "web1"))
    wait_for(lambda: log(house, "web1").count(" - bhyve -A") == 2)
    first, second = (line for line in log(house, "web1").splitlines() if " - bhyve -A" in line)
    assert "ahci-cd" in first
    assert "ahci-cd" not in second
    assert guests(house)["web1"]["running"] is not None
    done(house, "web1", "stop")
    assert nothing_left(house, "web1")


def test_complaint_19_bhyves_own_words_are_told(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    done(house, "web1", "set", "pcidev_0=virtio-9p,share=/nowhere")
    said = chyves(house, "web1", "start")
    assert said.returncode == 1
    assert said.stderr.splitlines()[-1].startswith("chyves: web1: bhyve ended with status 4 (error): ")
    assert said.stderr.endswith("Device emulation initialization error: No such file or directory\n")
    assert nothing_left(house, "web1")
    assert guests(house)["web1"]["running"] is None


def test_fault_6_a_killed_supervisor_is_noticed_and_bhyve_adopted(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    done(house, "web1", "start")
    state = json.loads((house.root / "var/run/chyves/web1.json").read_text())
    os.kill(state["supervisor"], signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{state['supervisor']}").exists())
    said = chyves(house, "web1", "start")
    assert "web1: its supervisor had died; a new one looks after it" in said.stderr
    assert said.stderr.splitlines()[-1] == "chyves: web1: runs already"
    assert guests(house)["web1"]["running"] == state["bhyve"]
    done(house, "web1", "stop")
    assert nothing_left(house, "web1")
    assert "adopted: bhyve is process" in log(house, "web1")


def test_fault_6_when_bhyve_died_too_all_is_freed(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    done(house, "web1", "start")
    state = json.loads((house.root / "var/run/chyves/web1.json").read_text())
    os.kill(state["supervisor"], signal.SIGKILL)
    os.kill(state["bhyve"], signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{state['bhyve']}").exists())
    assert guests(house)["web1"]["running"] is None
    said = chyves(house, "web1", "start")
    assert said.returncode == 0, said.stderr
    assert "web1: its supervisor had died, and bhyve too; what it held is freed" in said.stderr
    assert guests(house)["web1"]["running"] is not None


def test_the_supervisor_ended_by_sigterm_ends_the_guest(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    done(house, "web1", "start")
    state = json.loads((house.root / "var/run/chyves/web1.json").read_text())
    os.kill(state["supervisor"], signal.SIGTERM)
    wait_for(lambda: nothing_left(house, "web1"))
    assert "bhyve ended with status 1: power-off" in log(house, "web1")


def test_stop_force_pulls_the_plug(house: Lab) -> None:
    done(house, "a,b", "create", "1G")
    done(house, "a,b", "start")
    done(house, "a,b", "stop", "force")
    assert nothing_left(house, "a")
    assert nothing_left(house, "b")
    assert "status 1: power-off" in log(house, "a")


def test_one_of_several_that_fails_does_not_stop_the_others(house: Lab) -> None:
    done(house, "a,b,c", "create", "1G")
    done(house, "b", "set", "template=yes")
    said = chyves(house, "a,b,c", "start")
    assert said.returncode == 1
    assert next(line for line in said.stderr.splitlines() if line.startswith("chyves: ")).startswith("chyves: b: ")
    assert [name for name, row in guests(house).items() if row["running"]] == ["a", "c"]
    done(house, "all", "stop")
    assert all(row["running"] is None for row in guests(house).values())


def test_complaint_34_a_disk_is_not_in_two_running_guests(house: Lab) -> None:
    done(house, "a,b", "create", "1G")
    image = directory(house, "a") / "img" / "data.img"
    image.write_bytes(bytes(1 << 20))
    again = directory(house, "b") / "img" / "data.img"
    os.link(image, again)
    done(house, "a", "start")
    assert refused(house, "b", "start") == f"b: {again} is in use by a, which runs; stop that first"
    done(house, "a", "stop", "force")
    done(house, "b", "start")


def test_a_vmm_that_is_left_is_told_and_reclaimed(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    subprocess.run([house.bin / "kldload", "vmm"], check=True)
    subprocess.run([house.bin / "bhyvectl", "--create", "--vm=chy-web1"], check=True)
    assert refused(house, "web1", "start") == (
        "web1: /dev/vmm/chy-web1 is left from an earlier run; free it with: chyves web1 reclaim"
    )
    assert guests(house)["web1"]["vmm"] is True
    done(house, "web1", "reclaim")
    assert nothing_left(house, "web1")


def test_disks_come_and_go_and_nothing_else_moves(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    done(house, "web1", "disk", "add", "2G")
    assert properties(house, "web1")["pci_slots"] == "disk0=4:0,disk1=6:0,tap50=5:0"
    done(house, "web1", "disk", "resize", "disk1", "4G")
    rows = json.loads(done(house, "web1", "disk", "list", "--json"))["disks"]
    assert [(row["disk"], row["size"]) for row in rows] == [("disk0", 1 << 30), ("disk1", 4 << 30)]
    assert refused(house, "web1", "disk", "resize", "disk1", "1G").endswith(
        "there is no terminal to ask on; give --yes"
    )
    assert refused(house, "web1", "disk", "delete", "disk7", "--yes") == (
        "web1: disk7: there is no such disk (there are: disk0, disk1)"
    )
    done(house, "web1", "disk", "delete", "disk1", "--yes")
    assert properties(house, "web1")["pci_slots"] == "disk0=4:0,tap50=5:0"
    assert datasets(house, f"{house.pool}/chyves/guests/web1") == ["", "/.config", "/disk0", "/img", "/logs"]


def test_interfaces_come_and_go(house: Lab) -> None:
    done(house, "web1", "create", "1G")
    done(house, "network", "bridge1", "private")
    done(house, "network", "web1", "add", "tap", "bridge1")
    own = properties(house, "web1")
    assert own["net_ifaces"] == "tap50,tap51"
    assert own["pci_slots"] == "disk0=4:0,tap50=5:0,tap51=6:0"
    assert settings(house)["bridge1_tap_members"] == "tap51"
    assert refused(house, "network", "web1", "add", "tap50") == (
        "tap50: belongs to web1; take it away first: chyves network web1 remove tap50"
    )
    done(house, "network", "web1", "remove", "tap50")
    own = properties(house, "web1")
    assert (own["net_ifaces"], own["pci_slots"]) == ("tap51", "disk0=4:0,tap51=6:0")
    assert "tap50_mac" not in own
    rows = json.loads(done(house, "list", "bridges", "--json"))["bridges"]
    absent = {"state": "absent", "mtu": None}
    assert rows == [
        {"bridge": "bridge0", "uplink": None, "default": True, "members": [], "guests": [], **absent},
        {
            "bridge": "bridge1",
            "uplink": "private",
            "default": False,
            "members": ["tap51"],
            "guests": ["web1"],
            **absent,
        },
    ]


def test_a_clone_has_no_interface_where_the_administrator_makes_them(house: Lab) -> None:
    done(house, "a", "create", "64M")
    done(house, "global", "set", "network_design_mode=system")
    done(house, "a", "clone", "b", "-cu")
    assert properties(house, "b")["net_ifaces"] == "-"
    assert settings(house)["bridge0_tap_members"] == "tap50"
    done(house, "a", "clone", "c", "-ce")
    assert properties(house, "c")["net_ifaces"] == "tap50"


def test_bridges_are_attached_and_made_default(house: Lab) -> None:
    done(house, "network", "bridge0", "attach", "em0")
    assert settings(house)["bridge0_phy_attach"] == "em0"
    assert refused(house, "network", "bridge1", "attach", "em0").startswith("bridge1: em0 is attached to bridge0")
    assert refused(house, "network", "bridge1", "attach", "em9").startswith("bridge1: this host has no interface em9")
    done(house, "network", "bridge1", "default")
    done(house, "web1", "create", "1G")
    assert settings(house)["bridge1_tap_members"] == "tap50"


def test_complaint_4_and_5_lists_are_for_programs_too(house: Lab) -> None:
    done(house, "a,b", "create", "1G")
    assert done(house, "list", "loader", "-H") == "a\tbhyveload\nb\tbhyveload\n"
    assert json.loads(done(house, "a,b", "get", "cpu", "--json"))["properties"] == [
        {"owner": "a", "property": "cpu", "value": "1"},
        {"owner": "b", "property": "cpu", "value": "1"},
    ]
    told = json.loads(done(house, "info", "-a", "--json"))["guests"][0]
    assert {
        "cpu": 1,
        "pool": house.pool,
        "loader": "bhyveload",
        "serial": "nmdm50",
        "interfaces": ["tap50"],
    }.items() <= told.items()
    for words in (
        ("list", "defaults"),
        ("list", "global"),
        ("list", "disks"),
        ("list", "pools"),
        ("list", "properties"),
        ("version",),
    ):
        assert done(house, *words)
        json.loads(done(house, *words, "--json"))


def test_a_file_that_is_broken_does_not_stop_the_list_of_the_others(house: Lab) -> None:
    done(house, "a,b", "create", "1G")
    (directory(house, "a") / ".config/.cfg").write_bytes(b"\xff\xfe\0")
    said = chyves(house, "list", "-H")
    assert said.returncode == 0
    assert said.stdout == "a\tzroot\tNO\tNO\t?\t?\nb\tzroot\tNO\tNO\tNO\t-\n"
    assert said.stderr.startswith("warning: ")
    assert "is not UTF-8 text" in said.stderr


def test_a_dry_run_prints_lines_for_sh_and_changes_nothing(house: Lab) -> None:
    done(house, "a", "create", "1G")
    for words in (
        ("b", "create", "1G"),
        ("a", "set", "cpu=2"),
        ("a", "disk", "add", "1G"),
        ("a", "delete"),
        ("a", "start"),
    ):
        before = datasets(house, house.pool), properties(house, "a"), settings(house)
        lines = done(house, *words, "--dry-run")
        assert (datasets(house, house.pool), properties(house, "a"), settings(house)) == before
        assert subprocess.run(["sh", "-n"], input=lines, text=True).returncode == 0
        assert lines


def test_the_lines_of_a_dry_run_do_the_same_in_sh(house: Lab) -> None:
    lines = done(house, "web1", "create", "1G", "--dry-run")
    subprocess.run(["sh", "-e"], input=lines, text=True, check=True, env=environment(house))
    assert datasets(house, f"{house.pool}/chyves/guests/web1") == ["", "/.config", "/disk0", "/img", "/logs"]
    done(house, "web1", "start")


def test_a_disk_is_not_given_to_a_second_guest_while_the_first_is_being_started(house: Lab) -> None:
    """Complaint 34: a disk given to two guests, here by two starts at once."""
    done(house, "a,b", "create", "64M")
    disk = house.root / f"dev/zvol/{house.pool}/chyves/guests/b/disk0"
    run = house.root / "var/run/chyves"
    claimed = Running(supervisor=os.getpid(), disks=[str(disk)])
    with (run / "guest.a.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\na start\n")
        lock.flush()
        (run / "a.json").write_text(json.dumps(asdict(claimed)))
        assert refused(house, "b", "start") == f"b: {disk} is in use by a, which runs; stop that first"
    done(house, "b", "start")
