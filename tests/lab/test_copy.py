"""Datasets of guests are copied between pools."""

from __future__ import annotations

import pytest

from chyves.errors import ChyvesError, ProgramFailed
from chyves.guests.copy import copy, measured, require_room
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.lab.place import Lab
from chyves.pools.holdings import Holdings
from tests.host_commands import done, second_pool, zfs


@pytest.fixture
def host(lab: Lab) -> Host:
    done(lab, "dataset", lab.pool, "install")
    done(lab, "dataset", second_pool(lab), "install")
    done(lab, "a", "create", "64M")
    return Host.open({"CHYVES_LAB": str(lab.top)})


def properties(lab: Lab, name: str) -> list[str]:
    return zfs(lab, "get", "-Hp", "-o", "value", "volsize,volblocksize,volmode,refreservation,x:y", name).split()


def test_datasets_are_copied_to_another_pool_with_what_they_hold(host: Host, lab: Lab) -> None:
    guests = "zroot/chyves/guests"
    (lab.root / f"dev/zvol/{guests}/a/disk0").write_bytes(b"the disk" * (8 << 20))
    zfs(lab, "set", "x:y=kept", f"{guests}/a/disk0")
    zfs(lab, "snapshot", "-r", f"{guests}/a@now")
    places = {f"{guests}/a": "tank/chyves/guests/b", f"{guests}/a/disk0": "tank/chyves/guests/b/disk0"}
    with Undo() as undo:
        kept = {f"{guests}/a/disk0": {"volmode": "dev", "x:y": "kept"}}
        copy(undo, host, Holdings.read(host).pools["tank"], places, "now", kept, measured(host, places))
    assert properties(lab, "tank/chyves/guests/b/disk0") == properties(lab, f"{guests}/a/disk0")
    copied = lab.root / "dev/zvol/tank/chyves/guests/b/disk0"
    assert copied.read_bytes() == b"the disk" * (8 << 20)
    assert zfs(lab, "list", "-H", "-o", "name,origin", "-t", "all", "-r", "tank/chyves/guests/b").split() == [
        *("tank/chyves/guests/b", "-"),
        *("tank/chyves/guests/b/disk0", "-"),
    ]


def test_what_zfs_refuses_is_told_in_the_words_of_the_end_that_refused(host: Host, lab: Lab) -> None:
    zfs(lab, "snapshot", "zroot/chyves/guests/a/disk0@now")
    with pytest.raises(ProgramFailed, match=r"zfs send .*: cannot open 'zroot/none@now': dataset does not exist"):
        host.zfs.copy("zroot/none@now", "tank/a")
    with pytest.raises(
        ProgramFailed, match=r"zfs receive tank/none/a: cannot open 'tank/none': dataset does not exist"
    ):
        host.zfs.copy("zroot/chyves/guests/a/disk0@now", "tank/none/a")
    with pytest.raises(ProgramFailed, match=r"zfs receive tank/chyves: .*destination 'tank/chyves' exists"):
        host.zfs.copy("zroot/chyves/guests/a/disk0@now", "tank/chyves")


def test_a_pool_that_is_too_small_is_refused_before(host: Host, lab: Lab) -> None:
    zfs(lab, "set", "quota=32M", "tank/chyves")
    pool, sizes = Holdings.read(host).pools["tank"], measured(host, ["zroot/chyves/guests/a/disk0"]).values()
    with pytest.raises(ChyvesError, match=r"a: needs 67M on tank, where 3\d\.\d.* are free; make room there"):
        require_room(host, ["a"], pool, sizes)
    zfs(lab, "set", "quota=1G", "tank/chyves")
    require_room(host, ["a"], pool, sizes)
