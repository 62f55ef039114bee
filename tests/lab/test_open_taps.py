"""What becomes of a tap that a process opens, as bhyve does (reference: freebsd.md section 4.3)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.errors import Busy, ChyvesError
from chyves.lab import network
from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
Ifconfig = Callable[..., subprocess.CompletedProcess[str]]


class TestOpenTaps:
    """What bhyve does to a tap; the process that opens it here is a sleep."""

    @pytest.fixture
    def opener(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "600"])

    @pytest.fixture(autouse=True)
    def ends(self, opener: subprocess.Popen[bytes]) -> object:
        yield
        opener.kill()
        opener.wait()

    def test_it_runs_and_tells_its_opener(self, lab: Lab, ifconfig: Ifconfig, opener: subprocess.Popen[bytes]) -> None:
        ifconfig("tap0 create up")
        words = network.attach(lab, "tap0", 3, opener.pid)
        assert words[0] == "-netdev"
        assert "id=net3" in words[1].split(",")
        text = ifconfig("tap0").stdout
        assert f"\tOpened by PID {opener.pid}\n" in text
        assert "RUNNING" in text
        assert "status: active" in text

    def test_there_is_one_opener(self, lab: Lab, ifconfig: Ifconfig, opener: subprocess.Popen[bytes]) -> None:
        ifconfig("tap0 create")
        network.attach(lab, "tap0", 0, opener.pid)
        with pytest.raises(Busy, match=f"^tap0: is opened by process {opener.pid}$"):
            network.attach(lab, "tap0", 0, os.getpid())

    @pytest.mark.parametrize("name", ["tap9", "em0", "bridge0"])
    def test_what_is_no_tap_cannot_be_opened(self, lab: Lab, ifconfig: Ifconfig, name: str) -> None:
        ifconfig("bridge0 create")
        with pytest.raises(ChyvesError, match=f"^{name}: "):
            network.attach(lab, name, 0, os.getpid())

    @pytest.mark.parametrize("how", ["release", "kill"])
    def test_the_last_close_takes_it_down(
        self, lab: Lab, ifconfig: Ifconfig, opener: subprocess.Popen[bytes], how: str
    ) -> None:
        ifconfig("tap0 create up inet 10.0.0.1/24")
        network.attach(lab, "tap0", 0, opener.pid)
        if how == "release":
            network.release(lab, "tap0", opener.pid)
        else:
            opener.kill()
            opener.wait()
        text = ifconfig("tap0").stdout
        assert "UP" not in text.splitlines()[0]
        assert "inet " not in text
        assert "Opened by" not in text

    def test_link0_keeps_it_up(self, lab: Lab, ifconfig: Ifconfig, opener: subprocess.Popen[bytes]) -> None:
        ifconfig("tap0 create link0 up")
        network.attach(lab, "tap0", 0, opener.pid)
        network.release(lab, "tap0", opener.pid)
        assert "<UP" in ifconfig("tap0").stdout

    def test_up_on_open(self, lab: Lab, program: Program, ifconfig: Ifconfig, opener: subprocess.Popen[bytes]) -> None:
        ifconfig("tap0 create")
        ifconfig("tap1 create")
        network.attach(lab, "tap0", 0, opener.pid)
        assert "<UP" not in ifconfig("tap0").stdout
        program("sysctl", "net.link.tap.up_on_open=1")
        network.attach(lab, "tap1", 0, opener.pid)
        assert "<UP" in ifconfig("tap1").stdout

    def test_destroying_waits_and_so_do_others(
        self, lab: Lab, ifconfig: Ifconfig, opener: subprocess.Popen[bytes]
    ) -> None:
        ifconfig("tap0 create")
        ifconfig("tap1 create")
        network.attach(lab, "tap0", 0, opener.pid)
        first = subprocess.Popen([lab.bin / "ifconfig", "tap0", "destroy"])
        try:
            _wait_until_holds(lab, first.pid)
            second = subprocess.Popen([lab.bin / "ifconfig", "tap1", "destroy"])
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(1)
            assert first.poll() is None
            assert "tap0 tap1" in ifconfig("-l").stdout
            network.release(lab, "tap0", opener.pid)
            assert (first.wait(60), second.wait(60)) == (0, 0)
        finally:
            first.kill()
        assert "tap" not in ifconfig("-l").stdout
        assert not (lab.root / "dev/tap0").exists()

    def test_it_is_opened_by_either_name_once_renamed(self, lab: Lab, ifconfig: Ifconfig) -> None:
        ifconfig("tap0 create name vm1")
        network.attach(lab, "tap0", 0, os.getpid())
        assert f"Opened by PID {os.getpid()}" in ifconfig("vm1").stdout
        network.attach(lab, "vm1", 0, os.getpid())


def _wait_until_holds(lab: Lab, pid: int) -> None:
    """Until a waiting ifconfig has the lock that keeps others from destroying."""
    lock = lab.state / "detach.lock"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if lock.exists() and f":{lock.stat().st_ino} " in "".join(
            line for line in Path("/proc/locks").read_text().splitlines(True) if f" {pid} " in line
        ):
            return
        time.sleep(0.05)
    raise AssertionError("ifconfig never took the lock")
