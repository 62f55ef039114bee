"""What gets into the logs, how they are followed, and what is said of guests that are not waited for any longer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from chyves.lab.place import Lab
from tests.host_commands import chyves, done, environment, start
from tests.lab.test_guests_life import directory, log, wait_for

PATIENCE = 60


@pytest.fixture
def house(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab with two guests that only live and die."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    done(lab, "dataset", lab.pool, "install")
    done(lab, "web1,web2", "create", "1G")
    yield lab
    chyves(lab, "all", "stop", "force")


def host_log(lab: Lab) -> str:
    """All that is in the host's log."""
    logs = lab.root / "chyves" / lab.pool / "logs"
    return "".join(path.read_text() for path in sorted(logs.glob("*.log")))


def holder(lab: Lab, *locks: str) -> subprocess.Popen[bytes]:
    """A process that holds locks until its input ends."""
    code = "import os, sys; from chyves.host.machine import Host\n"
    code += f"with Host.open(os.environ).locks.hold(*{locks!r}): print('held', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(lab)
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_import_and_delete_are_in_the_hosts_log(house: Lab, tmp_path: Path) -> None:
    (tmp_path / "setup.iso").write_text("an image")
    done(house, "iso", "import", str(tmp_path / "setup.iso"))
    done(house, "iso", "delete", "setup.iso", "--yes")
    done(house, "web2", "delete", "--yes")
    text = host_log(house)
    for line in (
        "[1] - zroot: making the datasets of chyves",
        f"[1] - chyves iso import {tmp_path}/setup.iso, by ",
        "[1] - chyves iso delete setup.iso --yes, by ",
        "[2] - setup.iso: deleted",
        "[1] - web2: chyves web2 delete --yes, by ",
        "[1] - web2: deleted",
    ):
        assert line in text, text


def test_what_only_shows_and_what_is_dry_is_in_no_log(house: Lab) -> None:
    before = host_log(house), log(house, "web1")
    for words in (("list",), ("web1", "get", "all"), ("web1", "start", "--dry-run"), ("web1", "log")):
        done(house, *words)
    chyves(house, "web9", "get", "cpu")
    assert (host_log(house), log(house, "web1")) == before


def test_a_command_that_finds_the_host_busy_is_logged_too(house: Lab) -> None:
    with holder(house, "guest.web1") as process:
        told = chyves(house, "web1", "start")
        process.communicate()
    assert told.returncode == 75
    assert "[1] - web1: failed: is being changed by process" in host_log(house)
    assert "[1] - failed: is being changed by process" in log(house, "web1")


def test_a_guests_lines_are_in_its_own_log_alone(house: Lab) -> None:
    """Fault 3 of chyves 0.2.0: names were matched by words in a text."""
    done(house, "web", "create", "1G")
    before = log(house, "web")
    done(house, "web1", "set", "notes=web: is not meant")
    assert "notes=web: is not meant" in log(house, "web1")
    assert log(house, "web") == before


def test_a_running_supervisor_heeds_a_new_log_mode(house: Lab) -> None:
    done(house, "web1", "start")
    done(house, "global", "set", "log_mode=host")
    own = log(house, "web1")
    done(house, "web1", "stop")
    assert log(house, "web1") == own
    assert host_log(house).endswith("web1: is off\n")


def test_who_typed_it_is_told_through_sudo(house: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "paula")
    done(house, "web1", "set", "cpu=2")
    assert "chyves web1 set cpu=2, by paula\n" in log(house, "web1")


def test_a_log_is_followed_until_it_is_interrupted(house: Lab) -> None:
    terminal: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        ["-m", "chyves", "web1", "log", "1", "-f"],
        env=environment(house),
        encoding="utf-8",
        timeout=PATIENCE,
        dimensions=(40, 160),
    )
    try:
        terminal.expect_exact("created, with tap50")
        done(house, "web1", "set", "cpu=2")
        terminal.expect_exact("[2] - cpu=2")
        logs = directory(house, "web1") / "logs"
        (logs / "299901.log").write_text("2999-01-01T00:00:00+0000 - [1] - a new month\n")
        terminal.expect_exact("a new month")
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
        assert "Traceback" not in terminal.before
    finally:
        terminal.close(force=True)
    assert terminal.exitstatus == 0


def deaf(lab: Lab, *guests: str) -> list[int]:
    """Guests that run and whose bhyves do not react, with the button or without; the numbers of those."""
    done(lab, ",".join(guests), "start")
    rows = {row["guest"]: row["running"] for row in json.loads(done(lab, "list", "--json"))["guests"]}
    for guest in guests:
        os.kill(rows[guest], signal.SIGSTOP)
    return [rows[guest] for guest in guests]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_that_is_ended_says_what_becomes_of_the_guest(house: Lab, number: int) -> None:
    (bhyve,) = deaf(house, "web1")
    with start(house, "web1", "stop") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "web1: stopping\n"
        process.send_signal(number)
        _, told = process.communicate(timeout=PATIENCE)
    name = signal.Signals(number).name
    assert told == (
        f"chyves: web1: no longer waited for ({name}); its power button is pressed, so that it may still go off; "
        "see: chyves list\n"
    )
    assert process.returncode == 128 + number
    assert f"failed: no longer waited for ({name})" in log(house, "web1")
    os.kill(bhyve, signal.SIGCONT)
    wait_for(lambda: log(house, "web1").endswith("is off\n"))


def test_of_several_the_others_are_told_to_have_their_buttons_pressed(house: Lab) -> None:
    bhyves = deaf(house, "web1", "web2")
    with start(house, "web1,web2", "stop") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "web1: stopping\n"
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE)
    assert told.splitlines()[1:] == ["  not waited for, with their buttons pressed: web2"]
    for bhyve in bhyves:
        os.kill(bhyve, signal.SIGCONT)
    for guest in ("web1", "web2"):
        wait_for(lambda guest=guest: log(house, guest).endswith("is off\n"))  # type: ignore[misc]


def test_complaint_12_a_stop_while_a_start_hangs_names_stop_force(house: Lab) -> None:
    with holder(house, "guest.web1") as process:
        told = chyves(house, "web1", "stop")
        process.communicate()
    assert told.returncode == 75
    assert told.stderr.endswith("wait for it, or end it, or pull the plug: chyves web1 stop force\n")


def test_console_log_is_relayed_again_for_a_guest_that_is_adopted(house: Lab) -> None:
    done(house, "web1", "set", "console_log=yes")
    done(house, "web1", "start")
    state = json.loads((house.root / "var/run/chyves/web1.json").read_text())
    assert state["recorded"] is True
    os.kill(state["supervisor"], signal.SIGKILL)
    done(house, "web1", "set", "console_log=no")  # which counts from the next start on
    assert "adopted: bhyve is process" in log(house, "web1")
    terminal: pexpect.spawn[str] = pexpect.spawn(
        sys.executable, ["-m", "chyves", "web1", "console"], env=environment(house), encoding="utf-8", timeout=PATIENCE
    )
    terminal.expect_exact("Connected")
    terminal.close(force=True)
    done(house, "web1", "stop")
    assert "hollow guest chy-web1" in (directory(house, "web1") / "logs/console.log").read_text()
    done(house, "web1", "start")
    state = json.loads((house.root / "var/run/chyves/web1.json").read_text())
    assert state["recorded"] is False
