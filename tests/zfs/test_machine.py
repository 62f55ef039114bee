"""The ZFS machine itself: its OpenZFS is the one asked for, and a power cut takes what was not brought to a disk."""

from __future__ import annotations

import pytest

from tests.zfs.conftest import BootMachine
from tests.zfs.machine.machine import PowerCut, Silent, ZfsMachine


def test_a_machine_has_the_release_and_says_what_programs_say(zfs_machine: ZfsMachine) -> None:
    version = zfs_machine.done("zfs", "version").split()
    assert all(f"-{zfs_machine.release}." in line for line in version), version
    assert zfs_machine.run("zfs", "list", "-j").status == (2 if zfs_machine.release == "2.1" else 0)
    said = zfs_machine.run("sh", "-c", "cat; echo \xe9 >&2; exit 3", stdin="in")
    assert (said.status, said.stdout, said.stderr) == (3, "in", "\xe9\n")
    assert zfs_machine.python("-m", "chyves", "--version").stdout.startswith("chyves ")
    with pytest.raises(OSError, match="no-such-program"):
        zfs_machine.run("no-such-program")
    waits = zfs_machine.start("sleep", "1000")
    with pytest.raises(Silent):
        waits.said(timeout=0.1)
    assert zfs_machine.run("pkill", "sleep").status == 0
    assert waits.said().status == -15


def test_a_power_cut_takes_what_was_in_memory_and_nothing_else(boot_machine: BootMachine) -> None:
    machine = boot_machine("2.3", "512M")
    machine.make_pool("tank", machine.disk(0))
    # Nothing is brought to the disk by itself meanwhile.
    machine.put("/sys/module/zfs/parameters/zfs_txg_timeout", b"1000")
    machine.put("/tank/kept", b"kept")
    machine.done("zpool", "sync")
    machine.put("/tank/synced", b"synced")
    machine.done("sync", "/tank/synced")
    machine.put("/tank/lost", b"lost")
    with pytest.raises(PowerCut):
        machine.run("cut-power")
    with pytest.raises(PowerCut):
        machine.run("true")
    machine.boot_again()
    assert machine.run("zpool", "list", "-H").stdout == ""
    machine.done("zpool", "import", "tank")
    assert machine.done("ls", "/tank").split() == ["kept", "synced"]
    assert machine.get("/tank/synced") == b"synced"
