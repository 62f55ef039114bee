"""Two guests on one bridge reach each other, and nobody else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import run

import pexpect
import pytest

from chyves.lab import create, destroy
from chyves.lab.network import namespace
from chyves.lab.place import Lab
from tests.boot.conftest import PROMPT, System

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")
FIRMWARE = "/usr/local/share/uefi-firmware/BHYVE_UEFI.fd"
SECONDS_TO_BOOT = 240


@pytest.fixture(params=["real taps", "no privilege"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab whose taps are Linux's own, and one as an ordinary user has it."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top))
    made = Lab.open(top)
    try:
        if request.param == "no privilege":
            namespace.remove(made)
            namespace.place(made).unlink(missing_ok=True)
        elif not namespace.wanted(made):
            pytest.skip("real taps need root and /dev/net/tun")
        yield made
    finally:
        destroy.destroy(str(top), yes=True)


Start = Callable[[str, str], "pexpect.spawn[str]"]


@pytest.fixture
def start(lab: Lab, system: System, tmp_path: Path) -> Iterator[Start]:
    """Starts a guest of a name on a tap, with its console on bhyve's own terminal."""
    guests: list[pexpect.spawn[str]] = []

    def begin(name: str, tap: str) -> pexpect.spawn[str]:
        disk = shutil.copyfile(system.disk, tmp_path / name)
        devices = ["0,hostbridge", f"3,virtio-blk,{disk}", f"5,virtio-net,{tap}", "31,lpc"]
        words = [word for device in devices for word in ("-s", device)]
        words += ["-m", "256M", "-l", "com1,stdio", "-l", f"bootrom,{FIRMWARE}", name]
        guest = pexpect.spawn(str(lab.bin / "bhyve"), words, encoding="utf-8", codec_errors="replace", echo=False)
        guests.append(guest)
        return guest

    yield begin
    for guest in guests:
        guest.close(force=True)


def ask(guest: pexpect.spawn[str], line: str) -> str:
    """What a command line in a guest prints."""
    guest.sendline(line)
    guest.expect_exact(PROMPT, timeout=60)
    return str(guest.before)


def test_two_guests_on_one_bridge_reach_each_other(lab: Lab, start: Start) -> None:
    for words in (
        "tap create up", "tap create up", "tap create up", "bridge create addm tap0 addm tap1 up",
        "bridge create addm tap2 up",
    ):  # fmt: skip
        run([lab.bin / "ifconfig", *words.split()], check=True, capture_output=True)
    guests = [start(f"web{number}", f"tap{number}") for number in (0, 1, 2)]
    for number, guest in enumerate(guests):
        guest.expect_exact(PROMPT, timeout=SECONDS_TO_BOOT)
        ask(guest, f"ip address add 10.77.0.{number + 1}/24 dev eth0")
    assert " 0% packet loss" in ask(guests[0], "ping -c 3 -W 10 10.77.0.2")
    assert " 0% packet loss" in ask(guests[1], "ping -c 3 -W 10 10.77.0.1")
    # On a bridge of its own:
    assert "100% packet loss" in ask(guests[2], "ping -c 2 -W 2 10.77.0.1")
