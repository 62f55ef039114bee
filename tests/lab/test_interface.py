"""A house kept from Python: every command that changes something gives the events that its row says, and no other."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import chyves
from chyves.cli.calls import stub
from chyves.cli.parser import parse
from chyves.command import Command
from chyves.commands import COMMANDS
from chyves.host import terminal
from chyves.host.events import Events
from chyves.host.undo import SIGNALS
from chyves.lab import create, destroy
from chyves.lab.place import Lab
from chyves.properties import DATASET_VERSION, GUEST_VERSION
from tests.host_commands import second_pool
from tests.json_schemas import of, title
from tests.lab.test_json import _problem

LINES = """
dataset zroot install               pool_installed
dataset tank install                pool_installed
iso import {top}/setup.iso          image_imported
iso rename setup.iso other.iso      image_renamed
iso delete other.iso --yes          image_deleted
web1,web2 create 1G                 created created
: iohyve
adopt iohyve zroot old              adopted
web1 set cpu=2 groups=web           set
global set stdout_level=1           set
global unset stdout_level                 set
web1 disk add 1G                    disk_added
web1 disk disk1 notes new           set
web1 disk resize disk1 2G           disk_resized
web1 disk delete disk1 --yes        disk_deleted
web1 disk add 1G                    disk_added
web1 disk remove disk1 --yes        disk_deleted
network web1 add tap               interface_added
network web1 remove tap52           interface_removed
network bridge1 attach em1          network_changed
network bridge1 private             network_changed
network bridge0 join tap300         network_changed
network bridge0 unjoin tap300       network_changed
network bridge1 default             network_changed
network bridge1 migrate bridge0 --yes  network_changed
: bridge
network import --yes                set
web1,web2 snapshot @one             snapshot_taken snapshot_taken
web1 snapshot take two              snapshot_taken
web1 snapshot rollback one --yes    rolled_back
web1 snapshot delete one --yes      snapshot_deleted
web2 clone db -iu                   cloned
old promote                         promoted
db rename db2                       renamed
db2 move tank                       moved
db2 preset freebsd                  set
db2 delete force --yes              deleted
web2 export {top}/web2.zfs          exported
import {top}/web2.zfs web9          imported
web9 delete --yes                   deleted
web1 start                          started
web1 reload                         reloaded
web1 console reset
web1 stop                           stopped
web1,web2 boot                      started started
all shutdown                        stopped stopped
: vmm
web1 reclaim                        reclaimed
: uefi
web1 vars reset --yes               vars_reset
: older
web1 upgrade                        upgraded
dataset zroot upgrade               upgraded
: unmounted
doctor repair --yes                 repaired
dataset tank offline                pool_offline
dataset tank online                 pool_online
dataset tank promote                pool_promoted
: without_iohyve
all delete --yes                    deleted deleted deleted
dataset zroot uninstall --yes       pool_uninstalled
"""
"""Lines, and the events that each gives; those that begin with a colon have something happen that no command does."""


ELSEWHERE = {
    *(f"<guest> agent {verb}" for verb in ("time", "shutdown", "freeze <seconds>", "thaw")),
    "<guest> pci add <device> <rom>",
    "<guest> pci remove <device>",
}
"""Commands that need an agent or a PCI device, which have tests of their own."""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    top = Path(tempfile.mkdtemp(prefix="lab"))
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    create.create(str(top))
    yield Lab.open(top)
    destroy.destroy(str(top), yes=True)
    shutil.rmtree(top, ignore_errors=True)


def events_of(lab: Lab) -> Events:
    return Events(lab.root / "var/log/chyves")


def program(lab: Lab, *words: str) -> None:
    subprocess.run([lab.bin / words[0], *words[1:]], stdin=subprocess.DEVNULL, check=True, capture_output=True)


def edit(lab: Lab, file: str, old: str, new: str) -> None:
    path = lab.root / "chyves/zroot" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def iohyve(lab: Lab) -> None:
    program(lab, "zfs", "create", "-p", "-o", "iohyve:name=old", "-o", "iohyve:ram=512M", "zroot/iohyve/old")
    program(lab, "zfs", "create", "-V", "64M", "zroot/iohyve/old/disk0")


def bridge(lab: Lab) -> None:
    program(lab, "ifconfig", "bridge7", "create")
    program(lab, "ifconfig", "bridge7", "addm", "em1")


def vmm(lab: Lab) -> None:
    (lab.root / "dev/vmm").mkdir(exist_ok=True)
    (lab.root / "dev/vmm/chy-web1").touch()


def uefi(lab: Lab) -> None:
    host = chyves.open(str(lab.top))
    for name, size in (("custom_CODE.fd", 1 << 21), ("custom_VARS.fd", 1 << 16)):
        (lab.top / name).write_bytes(bytes(size))
        host.firmware_import(str(lab.top / name))
    host.guest("web1").set(loader="uefi", uefi_firmware="custom_CODE.fd", uefi_vars=True)


def older(lab: Lab) -> None:
    guest, pool = "guests/web1/.config/.cfg", ".config/pool.cfg"
    edit(lab, guest, f"chyves_guest_version={GUEST_VERSION}", "chyves_guest_version=0200")
    edit(lab, pool, f"dataset_version={DATASET_VERSION}", "dataset_version=0004")


def unmounted(lab: Lab) -> None:
    program(lab, "zfs", "unmount", "zroot/chyves/guests/web2/logs")


def without_iohyve(lab: Lab) -> None:
    program(lab, "zfs", "destroy", "-r", "zroot/iohyve")


PREPARATIONS = {act.__name__: act for act in (iohyve, bridge, vmm, uefi, older, unmounted, without_iohyve)}


def test_each_command_gives_its_events_and_only_these(lab: Lab) -> None:
    """Complaint 4: scripts need not parse what is for people; what each line gives keeps to its schema."""
    second_pool(lab)
    (lab.top / "setup.iso").write_bytes(b"image")
    told: list[str] = []
    host = chyves.open(str(lab.top), tell=told.append)
    done: list[Command] = []
    (schema,) = of(next(row for row in COMMANDS if row.name == "events"))
    for line in LINES.strip().splitlines():
        if line.startswith(":"):
            PREPARATIONS[line[2:]](lab)
            continue
        typed, _, expected = line.partition("  ")
        words = typed.format(top=lab.top).split()
        before = len(list(events_of(lab).kept()))
        assert host.run(*words) == "", "nothing is printed"
        events = list(events_of(lab).kept())[before:]
        assert [event["event"] for event in events] == expected.split(), line
        assert not [problem for event in events if (problem := _problem(schema, event))]
        row = parse(words).command
        done.append(row)
        assert {str(event["event"]) for event in events} <= set(row.events or ())
    assert told
    of_changes = {title(row) for row in COMMANDS if row.changes}
    assert {title(row) for row in done} == of_changes - ELSEWHERE


def test_values_have_the_types_of_their_properties(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing goes to standard output, where a script has its own words; errors have the status of a command's."""
    told: list[str] = []
    host = chyves.open(str(lab.top), tell=told.append)
    host.dataset_install("zroot")
    host.create(["web1", "web2"], "1G")
    web1 = host.guest("web1")
    web1.set(
        {"tap50_mac": "58:9c:fc:00:00:01"},
        cpu=2,
        ram="1G",
        loader_timeout=30,
        description=None,
        groups=["web", "night"],
    )
    assert [web1.get(name) for name in ("cpu", "ram", "template", "groups")] == [2, 1 << 30, False, ("web", "night")]
    assert host.guest("web1", "web2").get("cpu") == {"web1": {"cpu": 2}, "web2": {"cpu": 1}}
    assert host.properties.get("stdout_level") == 2
    assert [guest.name for guest in host.guests()] == ["web1", "web2"]
    web1.start()
    assert [(row["guest"], row["running"] is None) for row in host.guest("web1", "web2").status()] == [
        ("web1", False),
        ("web2", True),
    ]
    web1.stop("force")
    assert [line["text"] for line in web1.log(1)] == ["is off"]
    assert list(host.events())[-1]["event"] == "stopped"
    assert str(host.run("web1", "set", "cpu=3", "--dry-run")).startswith("printf ")
    with pytest.raises(chyves.ChyvesError, match=r"web3: there is no such guest") as caught:
        host.guest("web3").start()
    assert caught.value.status == 1
    with pytest.raises(chyves.ChyvesError, match=r"is a number|not possible") as caught:
        web1.set(cpu="many")
    assert "web1: cpu=2" in told
    assert capfd.readouterr().out == ""


def test_a_program_of_its_own_has_two_hosts_threads_and_handlers(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody is asked at its terminal, a thread that waits holds nobody up, and its signals are its own again."""
    monkeypatch.setattr(terminal, "_interactive", lambda: True)
    told: list[str] = []
    other_place = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(other_place))
    here, there = (chyves.open(str(top), tell=told.append) for top in (lab.top, other_place))
    noted: list[int] = []
    before = {number: signal.signal(number, lambda number, _: noted.append(number)) for number in SIGNALS}
    try:
        here.dataset_install("zroot")
        there.dataset_install("zroot")
        here.create(["web1", "web2"], "64M")
        assert ([row["guest"] for row in here.list()], there.list()) == (["web1", "web2"], [])
        web1 = here.guest("web1")
        seen: list[str] = []
        waits = threading.Thread(target=_follow, args=(web1, seen))
        waits.start()
        web1.start(wait=True)
        while seen != ["running"] and waits.is_alive():
            time.sleep(0.05)
        web1.stop("force")
        waits.join(120)
        assert seen == ["running", "stopped"]
        with pytest.raises(chyves.SeveralFailed) as caught:
            here.guest("web1", "web2").stop()
        assert [str(error).partition(":")[0] for error in caught.value.errors] == ["web1", "web2"]
        web1.snapshot("@one")
        with pytest.raises(chyves.ChyvesError, match="give --yes"):
            web1.snapshot_delete("one")
        os.kill(os.getpid(), signal.SIGTERM)
        assert noted == [signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        destroy.destroy(str(other_place), yes=True)
    assert capfd.readouterr() == ("", "")


def _follow(guest: chyves.Guests, seen: list[str]) -> None:
    """Wait until a guest runs, and then until it does not; what came is noted."""
    for state in ("running", "stopped"):
        guest.wait(state, 100)
        seen.append(state)


def test_types_are_those_of_the_table() -> None:
    made = "\n".join(stub())
    now = ast.dump(ast.parse(Path(chyves.__file__).with_name("verbs.pyi").read_text())) == ast.dump(ast.parse(made))
    assert now, "make them anew: make man"
