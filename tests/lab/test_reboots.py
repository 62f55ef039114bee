"""What happens between two boots of a guest: going back to a snapshot, properties read again, what is adopted."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chyves.lab.place import Lab
from tests.host_commands import break_lab, chyves, done, environment, mend, sentence, steps_of, zfs
from tests.torture.house import NEXT, House, a_house, alive, kill, until

DATASET = "zroot/chyves/guests/a"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


@pytest.fixture
def lab(house: House) -> Iterator[Lab]:
    house.go_back("base")
    yield house.lab
    mend(house.lab)
    chyves(house.lab, "all", "stop", "force")


def written(lab: Lab) -> dict[str, Any]:
    """What is written down of guest a."""
    found: dict[str, Any] = json.loads((lab.root / "var/run/chyves/a.json").read_text())
    return found


def log(lab: Lab) -> str:
    """What the host's log says of guest a."""
    text = "".join(path.read_text() for path in (lab.root / "chyves/zroot/logs").glob("*.log"))
    return "\n".join(line.partition(" - a: ")[2] for line in text.splitlines() if " - a: " in line)


def reset(lab: Lab) -> None:
    """Reboot guest a, as from inside."""
    subprocess.run([lab.bin / "bhyvectl", "--vm=chy-a", "--force-reset"], check=True)


def rebooted(lab: Lab) -> None:
    """Reboot guest a, and wait until it is up again."""
    before = written(lab)
    reset(lab)
    until(lambda: off(lab) or written(lab)["bhyve"] not in (None, before["bhyve"]))
    assert not off(lab), log(lab)
    title = Path(f"/proc/{written(lab)['bhyve']}/cmdline")
    until(lambda: title.read_text().startswith("bhyve: chy-a"))


def last_line(lab: Lab) -> str:
    """The line with which guest a was booted last."""
    return str(re.findall(r"bhyve -A.*", log(lab))[-1])


def taps(lab: Lab) -> set[str]:
    told = subprocess.run([lab.bin / "ifconfig", "-g", "tap"], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def off(lab: Lab) -> bool:
    return not (lab.root / "var/run/chyves/a.json").exists()


def test_a_guest_boots_again_with_the_properties_of_its_start_until_told_to_read_them(lab: Lab) -> None:
    done(lab, "a", "start")
    done(lab, "a", "set", "cpu=2")
    done(lab, "network", "a", "add", "tap")
    done(lab, "network", "a", "remove", "tap50")
    rebooted(lab)
    assert "-c 1 " in last_line(lab) and "tap50" in last_line(lab)
    assert taps(lab) == {"tap50"}
    done(lab, "a", "reload")
    rebooted(lab)
    assert "-c 2 " in last_line(lab) and "tap52" in last_line(lab) and "tap50" not in last_line(lab)
    assert taps(lab) == {"tap52"} and written(lab)["taps"] == ["tap52"]
    assert written(lab)["properties"]["cpu"] == "2"
    done(lab, "a", "set", "cpu=3")
    rebooted(lab)
    assert "-c 2 " in last_line(lab)
    done(lab, "a", "stop")
    assert taps(lab) == set()


def test_properties_that_cannot_be_any_more_do_not_take_a_guest_down(lab: Lab) -> None:
    done(lab, "a", "start")
    done(lab, "a", "set", "cpu=2")
    done(lab, "a", "reload")
    done(lab, "a", "set", "loader=uefi")
    rebooted(lab)
    assert "-c 1 " in last_line(lab)
    assert "properties are not read again, it goes on with those it had: a: " in log(lab)
    assert not (lab.root / "var/run/chyves/a/reload").exists()
    assert "uefi_firmware" in sentence(lab, "a", "reload")


def test_reload_refuses_what_others_have(lab: Lab) -> None:
    done(lab, "a,b", "start")
    file = lab.root / "chyves/zroot/guests/a/.config/.cfg"
    file.write_text(file.read_text().replace("serial=nmdm50", "serial=nmdm51"))
    assert sentence(lab, "a", "reload") == "a: serial: nmdm51 is in use by b, which runs; set another"
    text = file.read_text().replace("serial=nmdm51", "serial=nmdm50").replace("net_ifaces=tap50", "net_ifaces=tap51")
    file.write_text(text)
    assert re.fullmatch(r"a: tap51: is in use by process \d+; .*", sentence(lab, "a", "reload"))


def test_a_guest_that_reverts_at_reboots_is_as_it_was_each_time(lab: Lab) -> None:
    marker = lab.root / "chyves/zroot/guests/a/img/marker"
    done(lab, "a", "set", "revert_to_snapshot_method=reboot")
    done(lab, "a", "snapshot", "@clean")
    marker.write_text("of the first boot")
    done(lab, "a", "set", "cpu=2")
    done(lab, "a", "start")
    assert marker.exists() and "-c 2 " in last_line(lab)
    for _ in range(2):
        rebooted(lab)
        assert not marker.exists() and "-c 1 " in last_line(lab)
        marker.write_text("of a later boot")
    done(lab, "a", "stop")
    assert marker.exists()
    assert log(lab).count("went back to @clean for this reboot") == 2


def test_a_revert_that_would_lose_a_snapshot_ends_the_guest_and_says_why(lab: Lab) -> None:
    done(lab, "a", "set", "revert_to_snapshot_method=both", "revert_to_snapshot=@clean")
    done(lab, "a", "snapshot", "@clean")
    done(lab, "a", "start")
    done(lab, "a", "snapshot", "@precious")
    reset(lab)
    until(lambda: off(lab))
    lost = "revert_to_snapshot: @precious-LIVE-SYSTEM is newer than @clean and would be lost"
    assert f"failed: a: {lost}" in log(lab)
    assert lost in sentence(lab, "a", "start")
    assert f"{DATASET}@precious-LIVE-SYSTEM" in zfs(lab, "list", "-H", "-t", "snapshot", "-o", "name", "-r", DATASET)


def test_a_guest_with_nothing_to_go_back_to_does_not_reboot(lab: Lab) -> None:
    done(lab, "a", "set", "revert_to_snapshot_method=both")
    assert "warning: a: has no snapshot to go back to" in chyves(lab, "a", "start").stderr
    reset(lab)
    until(lambda: off(lab))
    assert "failed: a: has no snapshot to go back to" in log(lab)


def test_a_guest_that_waits_for_another_command_can_be_stopped(lab: Lab) -> None:
    done(lab, "a", "set", "revert_to_snapshot_method=reboot")
    done(lab, "a", "snapshot", "@clean")
    done(lab, "a", "start")
    with (lab.root / "var/run/chyves/all.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        reset(lab)
        until(lambda: "status 0: reboot" in log(lab))
        done(lab, "a", "stop")
        assert off(lab)
    assert "went back" not in log(lab)


def test_a_supervisor_killed_at_any_step_of_a_revert_leaves_no_guest_half_back(house: House) -> None:
    lab = house.lab
    house.go_back("base")
    done(lab, "a", "set", "revert_to_snapshot_method=reboot")
    done(lab, "a", "snapshot", "@clean")
    done(lab, "a", "set", "cpu=2")
    house.keep("reverting")
    done(lab, "a", "start")
    mend(lab)
    rebooted(lab)
    count = len([line for line in steps_of(lab) if line.startswith("zfs rollback")])
    assert count == 5
    done(lab, "a", "stop", "force")
    for nth in (1, 3, count):
        house.go_back("reverting")
        done(lab, "a", "start")
        supervisor = written(lab)["supervisor"]
        break_lab(lab, nth, "after", "parent", ("zfs",))
        reset(lab)
        until_gone(supervisor)
        mend(lab)
        told = chyves(lab, *NEXT).stderr
        assert "warning: a: did not come all back to @clean; this is finished" in told
        assert off(lab) and done(lab, "a", "get", "cpu") == "1\n"
        assert not (lab.root / "chyves/zroot/.config/rollbacks.json").exists()
        assert chyves(lab, *NEXT).stderr == ""


def until_gone(pid: int) -> None:
    """Wait until a process has ended."""
    until(lambda: not alive(pid))


def test_a_start_killed_at_any_step_of_its_revert_is_finished(house: House) -> None:
    lab = house.lab
    house.go_back("base")
    done(lab, "a", "set", "revert_to_snapshot_method=start")
    done(lab, "a", "snapshot", "@clean")
    done(lab, "a", "set", "cpu=2")
    house.keep("starting")
    for nth in (1, 5):
        house.go_back("starting")
        break_lab(lab, nth, "after", "parent", ("zfs",))
        assert chyves(lab, "a", "start").returncode == -9
        mend(lab)
        told = chyves(lab, "a", "start").stderr
        assert "warning: a: did not come all back to @clean; this is finished" in told
        assert done(lab, "a", "get", "cpu") == "1\n"
        assert "-c 1 " in last_line(lab)
        done(lab, "a", "stop", "force")


def adopted_and_told(lab: Lab, status: int) -> subprocess.Popen[bytes]:
    """Kill the supervisor of guest a, and start one that adopts it and is told this status at its end."""
    kill(written(lab)["supervisor"])
    reading, writing = os.pipe()
    program = str(Path(__file__).parents[1] / "supervisor_told.py")
    words = [sys.executable, program, str(status), "--report", str(writing), "--adopt", "--", "a"]
    process = subprocess.Popen(words, env=environment(lab), pass_fds=(writing,), stdin=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as report:
        assert report.read() == "up"
    return process


def test_an_adopted_guest_boots_again_where_the_kernel_tells_of_its_reboot(lab: Lab) -> None:
    done(lab, "a", "start")
    done(lab, "a", "set", "cpu=2")
    process = adopted_and_told(lab, 0)
    rebooted(lab)
    assert "adopted: bhyve is process" in log(lab)
    assert "bhyve ended with status 0: reboot" in log(lab)
    assert "-c 1 " in last_line(lab)
    done(lab, "a", "stop")
    assert process.wait() == 0
    assert taps(lab) == set()


def test_an_adopted_guest_is_off_where_the_kernel_tells_that_it_is(lab: Lab) -> None:
    done(lab, "a", "start")
    process = adopted_and_told(lab, 1)
    subprocess.run([lab.bin / "bhyvectl", "--vm=chy-a", "--force-poweroff"], check=True)
    assert process.wait() == 0
    assert off(lab) and log(lab).endswith("bhyve ended with status 1: power-off\nis off")
