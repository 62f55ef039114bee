"""A TPM that swtpm plays (complaint 6): it ends with its guest, however that ends, and each boot has one of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.guests import running, tpm
from chyves.host.machine import Host
from chyves.host.run import Runner
from chyves.lab.place import Lab
from chyves.properties import Guest
from tests.host_commands import chyves, done, environment
from tests.lab.conftest import Program
from tests.torture.house import a_house, alive, until

pytestmark = pytest.mark.skipif(shutil.which("swtpm") is None, reason="needs the package swtpm")


@pytest.fixture(scope="module")
def house() -> Iterator[Lab]:
    """A lab whose guest a has a TPM."""
    with a_house() as made:
        done(made.lab, "a", "set", "tpm=swtpm")
        yield made.lab


@pytest.fixture
def lab(house: Lab) -> Iterator[Lab]:
    """The same, where the guest is up and its TPM is played; nothing of it is left when the test is over."""
    done(house, "a", "start")
    assert len(players(house)) == 1
    yield house
    chyves(house, "a", "stop", "force")
    assert players(house) == []
    assert not (house.root / "var/run/chyves/a").exists()


def players(lab: Lab) -> list[int]:
    """The processes that play the TPM of guest a and have not ended."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        ours = words.partition(b"\0")[0].endswith(b"swtpm") and f"={lab.root}/var/run/chyves/a/".encode() in words
        if ours and alive(int(name)):
            found.append(int(name))
    return found


def state(lab: Lab) -> running.Running:
    """What is written down of guest a, which runs."""
    found = running.read(Host.open(environment(lab)), "a")
    assert found is not None and found.bhyve is not None
    return found


def boots(lab: Lab) -> int | None:
    """How often guest a has booted again, once it is up."""
    found = running.read(Host.open(environment(lab)), "a")
    if found is None or found.bhyve is None:
        return None
    title = Path(f"/proc/{found.bhyve}/cmdline").read_bytes() if alive(found.bhyve) else b""
    return found.reboots if title.startswith(b"bhyve: ") else None


def off(lab: Lab) -> bool:
    return not (lab.root / "var/run/chyves/a.json").exists() and players(lab) == []


def test_it_ends_with_a_bhyve_that_is_killed(lab: Lab) -> None:
    os.kill(state(lab).bhyve or 0, signal.SIGKILL)
    until(lambda: off(lab))


def test_every_boot_has_one_of_its_own_also_when_the_last_was_killed(lab: Lab, program_in: Program) -> None:
    (first,) = players(lab)
    assert program_in(lab, "bhyvectl", "--vm=chy-a", "--force-reset").returncode == 0
    until(lambda: players(lab) not in ([], [first]) and boots(lab) == 1)
    (second,) = players(lab)
    os.kill(second, signal.SIGKILL)
    until(lambda: players(lab) == [])
    assert (lab.root / "var/run/chyves/a/tpm/sock").exists()
    assert program_in(lab, "bhyvectl", "--vm=chy-a", "--force-reset").returncode == 0
    until(lambda: len(players(lab)) == 1 and boots(lab) == 2)


def test_it_goes_on_with_a_guest_whose_supervisor_was_killed(lab: Lab) -> None:
    before = players(lab)
    os.kill(state(lab).supervisor, signal.SIGKILL)
    done(lab, "b", "set", "notes=the next command that changes something")
    until(lambda: chyves(lab, "a", "start").stderr.startswith("chyves: a: runs already"))
    assert players(lab) == before


def test_one_that_no_bhyve_came_to_is_ended_by_the_next_command(lab: Lab) -> None:
    """As when the supervisor is killed between the two: swtpm waits for ever for who shall speak to it."""
    lines = done(lab, "explain", "a").splitlines()
    (player,) = (shlex.split(line) for line in lines if line.startswith("swtpm "))
    left = state(lab)
    for pid in (left.supervisor, left.bhyve or 0):
        os.kill(pid, signal.SIGKILL)
    until(lambda: players(lab) == [])
    subprocess.run(player, check=True, env=environment(lab))
    assert len(players(lab)) == 1
    done(lab, "b", "set", "notes=the next command that changes something")
    assert off(lab)


def test_what_is_not_there_is_refused_before_the_start(house: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "has", lambda *_: False)
    host = Host.open(environment(house))
    with pytest.raises(ChyvesError, match=r"^a: tpm: swtpm is not installed; install it with: pkg install swtpm$"):
        tpm.refuse(host, Guest("a", {"tpm": "swtpm"}))
    with pytest.raises(ChyvesError, match=r"^a: tpm: /dev/tpm1 does not exist; "):
        tpm.refuse(host, Guest("a", {"tpm": "/dev/tpm1"}))
