"""Guests that start and stop with the host: through the rc.d script and service(8), and where something is amiss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from chyves.guests import boot, shutdown
from chyves.host.machine import Host
from chyves.lab.place import Lab
from tests.host_commands import chyves, done, environment, everything

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def house(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose hollow guests web and db start with it, web after db."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    done(lab, "dataset", lab.pool, "install")
    done(lab, "web,db,old", "create", "64M")
    done(lab, "web,db", "set", "rcboot=1", "web", "rcboot_after=db")
    yield lab
    chyves(lab, "all", "stop", "force")


def running(lab: Lab) -> list[str]:
    """The guests that run, in the order of their starts."""
    files = (lab.root / "var/run/chyves").glob("*.json")
    states = {file.stem: json.loads(file.read_text()) for file in files}
    return sorted(states, key=lambda name: str(states[name]["started"]))


def hang(lab: Lab, guest: str) -> None:
    """Have a guest's bhyve react to nothing."""
    os.kill(json.loads((lab.root / f"var/run/chyves/{guest}.json").read_text())["bhyve"], signal.SIGSTOP)


def host_of(lab: Lab) -> Host:
    return Host.open(environment(lab))


def test_fault_8_boot_waits_for_nothing_that_is_not_wished_and_changes_no_property(
    house: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 8 of 0.2.0: its script set a global property to be quiet, put it back later, and waited eight seconds."""
    slept: list[float] = []
    monkeypatch.setattr(boot, "time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(boot, "start_one", lambda host, name: None)
    boot.boot(host_of(house), "all")
    assert slept == []
    done(house, "db", "set", "rcboot_delay=7")
    boot.boot(host_of(house), "all")
    assert slept == [7]
    monkeypatch.undo()
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    done(house, "db", "set", "rcboot_delay=0")
    done(house, "all", "boot")  # which gives the devices their places for ever
    done(house, "all", "shutdown")
    before = {name: what for name, what in everything(house).items() if "logs" not in name}
    done(house, "all", "boot")
    done(house, "all", "shutdown")
    assert {name: what for name, what in everything(house).items() if "logs" not in name} == before


def test_a_delay_is_not_waited_behind_the_last_guest(house: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    done(house, "web", "set", "rcboot_delay=7")
    slept: list[float] = []
    monkeypatch.setattr(boot, "time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(boot, "start_one", lambda host, name: None)
    boot.boot(host_of(house), "all")
    assert slept == []


def test_a_broken_file_keeps_no_other_guest_from_starting_and_stopping(house: Lab) -> None:
    file = house.root / f"chyves/{house.pool}/guests/old/.config/.cfg"
    file.write_text(file.read_text() + "this is no property\n")
    result = chyves(house, "all", "boot")
    assert result.returncode == 1
    assert "is not name=value: 'this is no property'" in result.stderr
    assert sorted(running(house)) == ["db", "web"]
    done(house, "all", "shutdown")
    assert running(house) == []


def test_one_that_does_not_react_is_forced_off_and_those_behind_it_have_their_time(house: Lab) -> None:
    """Complaint 13: the host's shutdown did not wait for guests, and one that hung held it up."""
    done(house, "all", "boot")
    hang(house, "web")
    result = chyves(house, "all", "shutdown", "4")
    assert result.returncode == 0, result.stderr
    told = result.stderr.splitlines()
    forced = told.index("warning: web: did not react to its power button in time; its plug is pulled")
    assert told.index("web: stopping") < forced < told.index("db: stopping") < told.index("db: is off")
    assert running(house) == []


def test_the_host_says_how_long_there_is(house: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def set_(program: str, *words: str) -> None:
        subprocess.run([house.bin / program, *words], check=True, capture_output=True)

    assert shutdown.host_limit(host_of(house)) == 90
    set_("sysrc", "rcshutdown_timeout=30")
    assert shutdown.host_limit(host_of(house)) == 30
    set_("sysctl", "kern.init_shutdown_timeout=20")
    assert shutdown.host_limit(host_of(house)) == 20
    set_("sysrc", "rcshutdown_timeout=")
    assert shutdown.host_limit(host_of(house)) == 20


def test_guests_are_stopped_also_where_the_pools_cannot_be_read(house: Lab) -> None:
    done(house, "all", "boot")
    program = house.bin / "zfs"
    text = program.read_text()
    program.write_text("#!/bin/sh\necho 'the pools are gone' >&2\nexit 1\n")
    result = chyves(house, "all", "shutdown")
    program.write_text(text)
    assert "the pools are gone" in result.stderr
    assert running(house) == []


@pytest.fixture
def installed(house: Lab) -> Lab:
    """The same, with chyves and its script where FreeBSD has them."""
    if subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no mount namespaces, and the script names FreeBSD's paths")
    words = ["make", "-s", "install", "installrc", f"PYTHON={sys.executable}", f"DESTDIR={house.root}"]
    subprocess.run(words, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    return house


def service(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """What service(8) of the lab does with these words."""
    return subprocess.run(
        [lab.bin / "service", "chyves", *words],
        env=environment(lab),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_service_starts_stops_and_restarts_all_or_those_named(installed: Lab) -> None:
    off = service(installed, "start")
    assert "chyves_enable" in off.stdout and running(installed) == []
    none = service(installed, "onestatus")
    assert (none.returncode, none.stderr) == (1, "chyves: no guest runs; start one with: chyves GUEST start\n")
    subprocess.run([installed.bin / "sysrc", "chyves_enable=YES"], check=True, capture_output=True)
    started = service(installed, "start")
    assert started.returncode == 0, started.stderr
    assert [line for line in started.stderr.splitlines() if "is up" in line] == ["db: is up", "web: is up"]
    some = service(installed, "status")
    assert (some.returncode, [line.split()[0] for line in some.stdout.splitlines()]) == (0, ["Guest", "db", "web"])
    assert service(installed, "status", "web,old").returncode == 1
    named = service(installed, "start", "old")
    assert named.returncode == 0 and "old" in running(installed)
    again = service(installed, "restart", "web", "old")
    assert again.returncode == 0, again.stderr
    ends = [line for line in again.stderr.splitlines() if "is off" in line or "is up" in line]
    assert (sorted(ends[:2]), ends[2:]) == (["old: is off", "web: is off"], ["web: is up", "old: is up"])
    assert "db" not in again.stderr
    down = service(installed, "faststop")
    assert down.returncode == 0, down.stderr
    assert running(installed) == []


def test_service_hands_on_how_long_stopping_may_take(installed: Lab) -> None:
    subprocess.run([installed.bin / "sysrc", "chyves_stop_timeout=1"], check=True, capture_output=True)
    assert service(installed, "onestart").returncode == 0
    hang(installed, "db")
    down = service(installed, "onestop")
    assert "db: did not react to its power button in time" in down.stderr
    assert running(installed) == []
    failed = service(installed, "onestart", "nobody")
    assert (failed.returncode, failed.stderr) == (1, "chyves: nobody: there is no such guest; see: chyves list\n")
