"""A real guest whose console is kept: its prompt is in console.log, and people use the console as ever."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from chyves.lab.place import Lab
from tests.boot.conftest import PROMPT, System
from tests.boot.guests import (
    Console,
    directory,
    fill_disk,
    gone,
    in_log,
    lines_of_bhyve,
    made_house,
    make,
    nothing_left,
    off,
    started,
    wait_until,
    written_down,
)
from tests.host_commands import chyves, done

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")


@pytest.fixture
def house(system: System) -> Iterator[Lab]:
    """A lab with a guest from a disk with the small system, whose console is kept."""
    with pytest.MonkeyPatch.context() as patch, made_house() as lab:
        patch.delenv("CHYVES_LAB_GUEST", raising=False)
        make(lab, "k1", "console_log=yes", "console_log_size=64K", "console_log_old=2", "bhyve_disk_type=virtio-blk")
        fill_disk(lab, "k1", system.disk.read_bytes())
        yield lab
        done(lab, "all", "stop", "force")
        wait_until(lambda: nothing_left(lab), "nothing of the guest is left")


def kept(lab: Lab) -> str:
    """All that is kept of the console, the oldest first."""
    files = [directory(lab, "k1") / "logs" / f"console.log{end}" for end in (".2", ".1", "")]
    return "".join(path.read_text(errors="replace") for path in files if path.exists())


def test_complaint_21_what_scrolled_by_is_kept_and_the_console_is_as_ever(house: Lab) -> None:
    """The prompt is there before anybody joins; a reboot, a dead supervisor and the end lose nothing."""
    started(house, "k1")
    wait_until(lambda: PROMPT in kept(house), "the prompt is kept", lambda: kept(house))
    (line,) = lines_of_bhyve(house, "k1")
    assert "nmdm50logA" in line
    with Console(house, "k1") as console:
        console.types("\r")
        console.sees(PROMPT)
        assert console.ask("uname -s") == "Linux"
        assert console.ask("echo $((6*7))") == "42"
        console.ask("dd if=/dev/zero bs=1k count=100 2>/dev/null | tr '\\0' x; echo")
        sizes = [path.stat().st_size for path in (directory(house, "k1") / "logs").glob("console.log*")]
        assert len(sizes) == 2
        assert max(sizes) <= 64 << 10
        console.types("reboot\r")
        console.sees_prompt()  # the same session sees the guest go down and come up
        in_log(house, "k1", "status 0: reboot", "bhyve -A")
        assert console.ask("echo again") == "again"
        console.leave()
    supervisor = written_down(house, "k1")["supervisor"]
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: gone(supervisor), "the supervisor is dead")
    with Console(house, "k1") as console:  # which finds it a new one
        console.types("\r")
        console.sees(PROMPT)
        assert console.ask("echo after-$((40+2))") == "after-42"
        console.leave()
    assert written_down(house, "k1")["supervisor"] != supervisor
    wait_until(lambda: "after-42" in kept(house), "it is kept again", lambda: kept(house))
    done(house, "k1", "stop")
    assert off(house, "k1")
    assert "tiny: power button pressed" in kept(house)
    assert "tiny: power button pressed" in done(house, "k1", "log", "--console")
    assert chyves(house, "k1", "log").returncode == 0
