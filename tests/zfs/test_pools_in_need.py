"""Pools that are full, read-only, suspended or in disorder: what chyves says of them, and that nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.zfs.conftest import BootMachine
from tests.zfs.machine.machine import HOUSE as HOUSE_PYTHON
from tests.zfs.machine.machine import Said, ZfsMachine

LAB = "/root/lab"
IN_LAB = {"CHYVES_LAB": LAB, "CHYVES_LAB_GUEST": "hollow"}
PATIENCE = 300
GUESTS = f"{LAB}/root/chyves/zroot/guests"


class House:
    """A lab with real ZFS on the first disk of a machine, and a guest in it."""

    def __init__(self, machine: ZfsMachine) -> None:
        self.machine = machine
        self.done("lab", "create", LAB, "--zfs", f"real:{machine.disk(0)}")
        self.done("dataset", "zroot", "install")
        self.done("web", "create", "16M")

    def chyves(self, *words: str) -> Said:
        return self.machine.python("-m", "chyves", *words, env=IN_LAB)

    def done(self, *words: str) -> str:
        said = self.chyves(*words)
        assert said.status == 0, f"{words}: {said}"
        return said.stdout

    def refused(self, *words: str) -> str:
        """What chyves says of a command that fails, in one sentence, and that it has changed nothing."""
        before = self.state()
        said = self.chyves(*words)
        assert said.status == 1, f"{words}: {said}"
        sentences = [line for line in said.stderr.splitlines() if line.startswith("chyves: ")]
        assert len(sentences) == 1, said.stderr
        assert self.state() == before
        return sentences[0]

    def state(self) -> str:
        """All datasets, and all properties of the guests."""
        line = f"zfs list -H -t all -o name,volsize && grep -r . {GUESTS}/*/.config"
        said = self.machine.shell(line)
        assert said.status == 0, said
        return said.stdout


@pytest.fixture
def house_in_need(boot_machine: BootMachine) -> House:
    return House(boot_machine("2.3", "256M"))


@pytest.mark.timeout(3000)
def test_a_pool_in_need(house_in_need: House) -> None:
    """One test for all, as a machine boots once for it."""
    a_full_pool(house_in_need)
    a_read_only_pool(house_in_need)
    a_suspended_pool(house_in_need)
    a_pool_in_disorder(house_in_need)


def a_full_pool(house: House) -> None:
    fill = f"head -c 300M /dev/urandom > {LAB}/root/zroot/a; head -c 1M /dev/urandom > {LAB}/root/zroot/b; zpool sync"
    assert "No space left" in house.machine.shell(fill).stderr
    assert "more: needs 16M on zroot, where " in house.refused("more", "create", "16M")
    assert "out of space" in house.refused("web", "snapshot", "@full")
    assert "web" in house.done("list", "-H")
    house.machine.done("rm", f"{LAB}/root/zroot/a")
    house.machine.done("zpool", "sync")
    house.done("web", "set", "cpu=2")


def a_read_only_pool(house: House) -> None:
    house.machine.done("zpool", "export", "zroot")
    house.machine.done("zpool", "import", "-R", f"{LAB}/root", "-d", "/dev/disk/by-id", "-o", "readonly=on", "zroot")
    assert "web" in house.done("list", "-H")
    assert house.done("web", "get", "cpu", "-H").split()[-1] == "2"
    assert "ead-only" in house.refused("web", "set", "cpu=1")
    assert "read-only" in house.refused("more", "create", "16M")
    assert "read-only" in house.refused("web", "delete", "--yes")
    house.machine.done("zpool", "export", "zroot")
    house.machine.done("zpool", "import", "-R", f"{LAB}/root", "-d", "/dev/disk/by-id", "zroot")


def a_suspended_pool(house: House) -> None:
    machine = house.machine
    machine.unplug(0)
    # Somebody has to tell ZFS that the disk has gone, as zed(8) and zfsd(8) do; else it tries to write for ever.
    machine.start("zpool", "reopen", "zroot")
    until(lambda: machine.run("zpool", "list", "-H", "-o", "health").stdout == "SUSPENDED\n")
    # What of the pool is in memory is read, and the change is refused; else it waits, and says so meanwhile.
    machine.put("/root/said", b"")
    line = "exec python3 -m chyves web set cpu=3 2>/root/said"
    held_up = machine.start("sh", "-c", line, env={**HOUSE_PYTHON, **IN_LAB}, cwd="/house")
    advice = b"is suspended: its disks do not answer; bring them back, and use: zpool clear zroot"
    until(lambda: advice in machine.get("/root/said"))
    machine.plug(0)
    machine.done("udevadm", "settle")
    machine.done("zpool", "clear", "zroot")
    refused = held_up.said().status != 0
    assert house.done("web", "get", "cpu", "-H").split()[-1] == ("2" if refused else "3")
    house.done("web", "set", "cpu=4")


def a_pool_in_disorder(house: House) -> None:
    before = house.state()
    house.machine.done("zfs", "create", "-p", "zroot/chyves/guests/.new/half/.config")
    house.machine.done("zfs", "unmount", "zroot/chyves/guests/web/img")
    found = house.chyves("doctor", "-H")
    assert found.status == 1, found
    assert "half-made" in found.stdout
    assert "not-mounted" in found.stdout
    house.done("doctor", "repair", "--yes")
    assert house.done("doctor", "-H") == ""
    assert house.state() == before
    assert house.machine.run("mountpoint", "-q", f"{GUESTS}/web/img").status == 0


def until(what: Callable[[], bool]) -> None:
    """Look until something is so."""
    for _ in range(PATIENCE):
        if what():
            return
        time.sleep(1)
    raise AssertionError("it did not come about")
