"""How guests that really run live and end: by themselves, by the button, by force, by the death of what runs them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.boot.bootsector.assemble import boot_sector, write_iso
from tests.boot.guests import (
    FIRMWARE,
    PATIENCE,
    Console,
    disk,
    fill_disk,
    gone,
    in_log,
    is_off,
    lines_of_bhyve,
    listed,
    log,
    made_house,
    make,
    nothing_left,
    off,
    qemu_of,
    started,
    wait_until,
    written_down,
)
from tests.boot.viewer import Viewer
from tests.host_commands import chyves, done, sentence, start

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")
READY_FROM_DISK, READY_FROM_CD = "GUEST-READY boot=80", "GUEST-READY boot=E0"


@pytest.fixture(scope="module")
def house() -> Iterator[Lab]:
    """A lab whose guests really run."""
    with pytest.MonkeyPatch.context() as patch, made_house() as lab:
        patch.delenv("CHYVES_LAB_GUEST", raising=False)
        yield lab


@pytest.fixture
def w1(house: Lab) -> Iterator[str]:
    """A guest that obeys single keys; see bootsector/assemble.py. After the test no process of it may be left."""
    make(house, "w1")
    fill_disk(house, "w1", boot_sector())
    yield "w1"
    chyves(house, "w1", "stop", "force")
    wait_until(lambda: nothing_left(house), "nothing is left of the guest")
    done(house, "w1", "delete", "--yes")


@pytest.mark.parametrize(
    ("key", "end"), [("p", "status 1: power-off"), ("h", "status 2: halt"), ("t", "status 3: triple fault")]
)
def test_an_end_from_inside(house: Lab, w1: str, key: str, end: str) -> None:
    started(house, w1)
    qemu = qemu_of(listed(house, w1)["running"])
    with Console(house, w1) as console:
        console.wakes()
        console.types(key)
        is_off(house, w1, f"bhyve ended with {end}")
    assert gone(qemu)


def test_complaint_1_the_medium_goes_at_the_reboot_that_the_guest_names(house: Lab, w1: str, tmp_path: Path) -> None:
    if shutil.which("xorriso") is None:
        pytest.skip("the guest's CD is written by xorriso")
    (tmp_path / "cd").mkdir()
    done(house, "iso", "import", str(write_iso(tmp_path / "keys.iso", tmp_path / "cd")))
    done(house, w1, "set", "eject_iso_on_n_reboot=2")
    started(house, w1, "keys.iso")
    supervisor = written_down(house, w1)["supervisor"]
    with Console(house, w1) as console:
        console.wakes()
        for ready in (READY_FROM_CD, READY_FROM_DISK, READY_FROM_DISK):
            console.types("r")
            console.sees(ready)
        in_log(house, w1, "status 0: reboot", "status 0: reboot", "keys.iso is ejected after reboot 2", "bhyve -A")
        assert ["keys.iso" in line for line in lines_of_bhyve(house, w1)] == [True, True, False, False]
        assert listed(house, w1)["running"] == written_down(house, w1)["bhyve"]
        assert written_down(house, w1)["supervisor"] == supervisor
        console.types("p")
        is_off(house, w1, "bhyve ended with status 1: power-off")


def test_start_waits_for_an_agent_no_longer_than_it_was_told(house: Lab, w1: str) -> None:
    """There is none in this guest, which runs nevertheless."""
    done(house, w1, "set", "agent=yes")
    said = chyves(house, w1, "start", "--wait=agent", "--wait-for", "1")
    sentence = "w1: runs, but there was no sign of its agent within 1 s (--wait-for); what it shows is kept with:"
    assert (said.returncode, sentence in said.stderr) == (1, True), said.stderr
    assert listed(house, w1)["running"] == written_down(house, w1)["bhyve"]


def test_a_guest_that_reverts_at_reboots_finds_its_disk_as_it_was(house: Lab, w1: str) -> None:
    far = 32 << 20
    done(house, w1, "set", "revert_to_snapshot_method=reboot")
    done(house, w1, "snapshot", "@clean")
    started(house, w1)
    with Console(house, w1) as console:
        console.wakes()
        with disk(house, w1).open("r+b") as volume:
            volume.seek(far)
            volume.write(b"left by the first boot")
        console.types("r")
        console.sees(READY_FROM_DISK)
        with disk(house, w1).open("rb") as volume:
            volume.seek(far)
            assert volume.read(4) == bytes(4)
        console.types("p")
        is_off(house, w1, "bhyve ended with status 1: power-off")
    assert "properties are read again" in log(house, w1)


def test_the_button_is_pressed(house: Lab, w1: str) -> None:
    started(house, w1)
    with Console(house, w1) as console:
        console.wakes()
        console.types("a")
        console.sees("A")
        done(house, w1, "stop")
        assert off(house, w1)
        console.sees("power button")
    is_off(house, w1, "bhyve ended with status 1: power-off")


def test_without_acpi_the_button_ends_bhyve(house: Lab, w1: str) -> None:
    started(house, w1)
    with Console(house, w1) as console:
        console.wakes()
    done(house, w1, "stop")
    is_off(house, w1, "bhyve ended with status -15: signal 15")


def test_a_guest_that_ignores_its_button_is_stopped_by_force(house: Lab, w1: str) -> None:
    """Without -H bhyve does not see that the guest has stopped for ever."""
    done(house, w1, "set", "bargs=-A -P", "stop_timeout=1")
    started(house, w1)
    bhyve = listed(house, w1)["running"]
    with Console(house, w1) as console:
        console.wakes()
        console.types("a")
        console.sees("A")
        console.types("h")
        console.sees("h")
    assert chyves(house, w1, "stop").stderr.splitlines()[-1] == (
        "chyves: w1: did not react to its power button within 1 s (stop_timeout); "
        "try again, or pull the plug: chyves w1 stop force"
    )
    assert listed(house, w1)["running"] == bhyve
    assert sentence(house, w1, "delete", "--yes").startswith("w1: runs; stop it first")
    qemu = qemu_of(bhyve)
    done(house, w1, "stop", "force")
    assert off(house, w1)
    is_off(house, w1, "bhyve ended with status 1: power-off")
    assert gone(bhyve)
    assert gone(qemu)


def test_a_bhyve_that_hangs_is_killed_by_force(house: Lab, w1: str) -> None:
    started(house, w1)
    bhyve = listed(house, w1)["running"]
    qemu = qemu_of(bhyve)
    os.kill(bhyve, signal.SIGSTOP)
    done(house, w1, "stop", "force")
    assert off(house, w1)
    is_off(house, w1, "bhyve ended with status -9: signal 9")
    wait_until(lambda: gone(bhyve) and gone(qemu), "bhyve and QEMU are gone")


def test_a_killed_bhyve_is_told(house: Lab, w1: str) -> None:
    started(house, w1)
    bhyve = listed(house, w1)["running"]
    qemu = qemu_of(bhyve)
    os.kill(bhyve, signal.SIGKILL)
    is_off(house, w1, "bhyve ended with status -9: signal 9")
    wait_until(lambda: gone(qemu), "QEMU ends with bhyve")
    assert sentence(house, w1, "stop") == "w1: does not run"


def test_fault_6_a_guest_outlives_its_supervisor(house: Lab, w1: str) -> None:
    started(house, w1)
    before = written_down(house, w1)
    with Console(house, w1) as console:
        console.wakes()
        os.kill(before["supervisor"], signal.SIGKILL)
        wait_until(lambda: gone(before["supervisor"]), "the supervisor is gone")
        console.types("v")
        console.sees("v")
        console.leave()
    with Console(house, w1) as console:
        console.types("x")
        console.sees("x")
        assert listed(house, w1)["running"] == before["bhyve"]
        again = chyves(house, w1, "start")
        assert again.stderr.splitlines() == [
            "warning: w1: its supervisor had died; a new one looks after it",
            "chyves: w1: runs already",
        ]
        assert listed(house, w1)["running"] == before["bhyve"]
        assert written_down(house, w1)["supervisor"] != before["supervisor"]
        console.types("y")
        console.sees("y")
        console.leave()
    with Console(house, w1) as console:
        console.types("a")
        console.sees("A")
    done(house, w1, "stop")
    assert off(house, w1)
    is_off(house, w1, "ended; it was adopted, so that its status is not known")
    assert gone(before["bhyve"])


def test_complaint_19_a_guest_that_cannot_begin_says_why(house: Lab, w1: str, tmp_path: Path) -> None:
    (tmp_path / "no.fd").write_bytes(bytes(1000))
    done(house, "firmware", "import", str(tmp_path / "no.fd"))
    done(house, w1, "set", "loader=uefi", "uefi_firmware=no.fd")
    assert sentence_of_start(house, w1) == "w1: bhyve ended with status 4 (error): bhyve: Invalid bootrom size 1000"
    assert "bhyve: Invalid bootrom size 1000" in log(house, w1)
    done(house, w1, "set", "loader=grub-bhyve", "os=custom")
    assert sentence_of_start(house, w1).startswith("w1: grub-bhyve ended with status 1: grub-bhyve: Error preopening")


def sentence_of_start(lab: Lab, guest: str) -> str:
    """What `start` says last of a guest that it could not start, of which nothing is left."""
    said = chyves(lab, guest, "start")
    assert said.returncode == 1
    assert off(lab, guest)
    return said.stderr.splitlines()[-1].removeprefix("chyves: ")


@pytest.mark.parametrize("how", ["stop force", "Ctrl-C"])
def test_a_loader_that_waits_for_ever_can_be_ended(house: Lab, w1: str, how: str) -> None:
    program = house.bin / "bhyveload"
    launcher = program.read_text()
    program.write_text("#!/bin/sh\nexec sleep 100000\n")
    try:
        starting = start(house, w1, "start")
        in_log(house, w1, " - bhyveload ")
        wait_until(lambda: written_down(house, w1)["loader"] is not None, "the loader is written down")
        state = written_down(house, w1)
        assert listed(house, w1)["running"] == state["supervisor"]
        if how == "Ctrl-C":
            starting.send_signal(signal.SIGINT)
        else:
            done(house, w1, "stop", "force")
        _, told = starting.communicate(timeout=PATIENCE)
    finally:
        program.write_text(launcher)
    assert starting.returncode == (130 if how == "Ctrl-C" else 1), told
    wait_until(lambda: off(house, w1), "the guest is off")
    assert gone(state["loader"])
    assert lines_of_bhyve(house, w1) == []


def free_ports() -> int:
    """The first of two ports that nobody has."""
    for port in range(20000 + os.getpid() % 10000, 60000):
        try:
            for one in (port, port + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", one))
        except OSError:
            continue
        return port
    raise AssertionError("no port is free")


def shows_something(port: int, size: tuple[int, int]) -> bool:
    """Whether a viewer sees a screen of this size with something on it."""
    with Viewer("127.0.0.1", port, PATIENCE) as viewer:
        assert viewer.version == "RFB 003.008\n"
        return (viewer.width, viewer.height) == size and viewer.lit_pixels() > 100


def test_a_screen_is_seen_over_vnc(house: Lab) -> None:
    first = free_ports()
    done(house, "firmware", "import", str(house.root / "usr/local/share/uefi-firmware" / FIRMWARE))
    done(house, "global", "set", f"uefi_vnc_port_start_offset={first}")
    for guest in ("v1", "v2"):
        make(house, guest, "loader=uefi", f"uefi_firmware={FIRMWARE}", "uefi_console_output=vnc")
    done(house, "v1", "set", "uefi_vnc_mouse_type=usb3", "uefi_vnc_res=1024x768")
    done(house, "v2", "set", "uefi_vnc_pause_until_client_connect=yes")
    for number, guest in enumerate(("v1", "v2")):
        assert done(house, guest, "get", "uefi_vnc_port") == f"{first + number}\n"
        started(house, guest)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", first + number), PATIENCE)
    assert "xhci,tablet" in lines_of_bhyve(house, "v1")[0]
    for number, size in enumerate([(1024, 768), (800, 600)]):
        shown = partial(shows_something, first + number, size)
        wait_until(shown, f"something is on a screen of {size}")
    done(house, "v1,v2", "stop", "force")
    for guest in ("v1", "v2"):
        is_off(house, guest, "bhyve ended with status 1: power-off")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first), PATIENCE)
    wait_until(lambda: nothing_left(house), "nothing of the guests is left")
