"""Guests for the shell's completion: found without a program where they are mounted as usual, by ZFS where not."""

from __future__ import annotations

import subprocess

from chyves.guests.complete import names
from chyves.host.machine import Host
from chyves.lab.place import Lab
from tests.host_commands import done, environment, second_pool, zfs


def test_guests_are_completed_without_a_program_where_they_are_mounted_as_usual(lab: Lab, asked: list[str]) -> None:
    host = Host.open({**environment(lab), "CHYVES_LAB": str(lab.top)})
    assert list(names("guests", host, "")) == []
    done(lab, "dataset", lab.pool, "install")
    assert list(names("guests", host, "")) == []
    second = second_pool(lab)
    done(lab, "dataset", second, "install")
    done(lab, "web,db", "create", "64M")
    done(lab, "far", "create", "64M", second)
    asked.clear()
    assert sorted(names("guests", host, "")) == ["db", "far", "web"]
    assert asked == []
    # What is not mounted leaves a directory behind, which is no guest.
    subprocess.run([lab.bin / "zpool", "export", second], stdin=subprocess.DEVNULL, check=True)
    assert sorted(names("guests", host, "")) == ["db", "web"]
    zfs(lab, "set", "mountpoint=/elsewhere", f"{lab.pool}/chyves")
    assert sorted(names("guests", host, "")) == ["db", "web"]
    assert asked == ["zfs"]
