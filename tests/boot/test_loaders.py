"""One guest for each loader, started from a medium and from its disk, used through its console, to its end."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.boot.conftest import PROMPT, System
from tests.boot.guests import (
    FIRMWARE,
    PATIENCE,
    Console,
    directory,
    disk,
    fill_disk,
    in_log,
    is_off,
    lines_of_bhyve,
    listed,
    log,
    made_house,
    make,
    nothing_left,
    off,
    started,
    wait_until,
)
from tests.host_commands import done, environment

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")
ISO = "tiny.iso"


@pytest.fixture(scope="module")
def house(system: System) -> Iterator[Lab]:
    """A lab with the small system's ISO and a firmware."""
    with pytest.MonkeyPatch.context() as patch, made_house() as lab:
        patch.delenv("CHYVES_LAB_GUEST", raising=False)
        done(lab, "iso", "import", str(system.iso))
        done(lab, "firmware", "import", str(lab.root / "usr/local/share/uefi-firmware" / FIRMWARE))
        yield lab
        done(lab, "all", "stop", "force")
        wait_until(lambda: nothing_left(lab), "nothing of the guests is left")


def used(console: Console) -> None:
    """Run a program in the guest."""
    answer = console.ask("uname -a")
    assert answer.startswith("Linux tiny ")
    assert answer.endswith("x86_64 GNU/Linux")


def test_uefi(house: Lab, system: System) -> None:
    """Complaint 1: a reboot is followed, and from its medium the guest comes to its disk."""
    make(house, "u1", "loader=uefi", f"uefi_firmware={FIRMWARE}", "bhyve_disk_type=virtio-blk")
    fill_disk(house, "u1", system.disk.read_bytes())
    started(house, "u1", ISO)
    with Console(house, "u1") as console:
        assert console.sees_prompt() == "iso by UEFI"
        used(console)
        console.leave()
    assert listed(house, "u1")["running"]
    with Console(house, "u1") as console:
        console.types("\r")
        console.sees(PROMPT)
        used(console)
        assert "1 records out" in console.ask("echo kept-by-u1 | dd of=/dev/vda bs=1M seek=48")
        console.types("reboot\r")
        assert console.sees_prompt() == "disk by UEFI"
        used(console)
        in_log(house, "u1", "bhyve ended with status 0: reboot", f"{ISO} is ejected after reboot 1")
        first, second = lines_of_bhyve(house, "u1")
        assert f"/{ISO}" in first
        assert f"/{ISO}" not in second
        assert console.ask("dd if=/dev/vda bs=1M skip=48 | head -n 1") == "kept-by-u1"
        done(house, "u1", "stop")
        console.sees("tiny: power button pressed")
    assert off(house, "u1")
    is_off(house, "u1", "bhyve ended with status 1: power-off")
    assert log(house, "u1").count(" - is up") == 1
    with disk(house, "u1").open("rb") as volume:
        volume.seek(48 << 20)
        assert volume.read(11) == b"kept-by-u1\n"


def test_grub_bhyve_with_the_configuration_of_the_medium(house: Lab, system: System) -> None:
    make(house, "g1", "loader=grub-bhyve", "os=debian", "bhyve_disk_type=virtio-blk")
    fill_disk(house, "g1", system.disk.read_bytes())
    started(house, "g1", ISO)
    assert "-r cd0 " in log(house, "g1")
    with Console(house, "g1") as console:
        assert console.sees_prompt() == "iso by BIOS"
        used(console)
        console.types("reboot\r")
        assert console.sees_prompt() == "disk by BIOS"
        used(console)
        in_log(house, "g1", "-r cd0 ", "status 0: reboot", f"{ISO} is ejected", "-r hd0,msdos1 ", "bhyve -A")
        console.types("poweroff\r")
        is_off(house, "g1", "bhyve ended with status 1: power-off")


def test_grub_bhyve_with_a_configuration_of_the_guests_own(house: Lab, system: System) -> None:
    make(house, "g2", "loader=grub-bhyve", "os=custom")
    fill_disk(house, "g2", system.disk.read_bytes())
    own = directory(house, "g2")
    (own / "device.map").write_text(f"(hd0) {disk(house, 'g2')}\n")
    (own / "grub.cfg").write_text(
        "linux (hd0,msdos1)/boot/vmlinuz console=ttyS0,115200 quiet no_timer_check medium=custom guest.name=other\n"
        "initrd (hd0,msdos1)/boot/initrd\n"
        "boot\n"
    )
    started(house, "g2")
    with Console(house, "g2") as console:
        assert console.sees_prompt() == "custom by BIOS"
        assert console.ask("hostname") == "other"
        console.types("reboot\r")
        assert console.sees_prompt() == "custom by BIOS"
        in_log(house, "g2", "bhyve ended with status 0: reboot", "grub-bhyve ", "bhyve -A")
        console.types("triplefault\r")
        is_off(house, "g2", "bhyve ended with status 3: triple fault")


def test_bhyveload_and_two_guests_on_a_private_bridge(house: Lab, system: System) -> None:
    done(house, "network", "bridge1", "private")
    done(house, "defaults", "set", "bridge=bridge1")
    make(house, "b1,b2")
    for guest in ("b1", "b2"):
        fill_disk(house, guest, system.disk.read_bytes())
    done(house, "b1,b2", "start")
    with Console(house, "b1") as one, Console(house, "b2") as two:
        for number, console in enumerate((one, two), 1):
            assert console.sees_prompt() == "disk by BIOS"
            used(console)
            console.ask(f"ip address add 10.77.0.{number}/24 dev eth0")
        assert " 0% packet loss" in one.ask("ping -c 3 -W 10 10.77.0.2")
        assert " 0% packet loss" in two.ask("ping -c 3 -W 10 10.77.0.1")
        two.types("halt\r")
        one.types("reboot\r")
        is_off(house, "b2", "bhyve ended with status 2: halt")
        assert one.sees_prompt() == "disk by BIOS"
        in_log(house, "b1", "bhyveload ", "bhyve ended with status 0: reboot", "bhyveload ", "bhyve -A")
        one.types("poweroff\r")
        is_off(house, "b1", "bhyve ended with status 1: power-off")


def test_a_configuration_file_starts_a_guest_without_chyves(house: Lab, system: System, tmp_path: Path) -> None:
    """Complaint 27."""
    make(house, "k1")
    fill_disk(house, "k1", system.disk.read_bytes())
    done(house, "network", "k1", "remove", done(house, "k1", "get", "net_ifaces").strip())
    file = tmp_path / "k1.conf"
    file.write_text(done(house, "explain", "k1", "--config"))
    for line in re.findall(r"^# before[^:]*: (.*)$", file.read_text(), re.MULTILINE):
        subprocess.run(["sh", "-c", line], env=environment(house), check=True, timeout=PATIENCE)
    bhyve = subprocess.Popen([house.bin / "bhyve", "-k", file], stdin=subprocess.DEVNULL)
    try:
        with Console(house, "k1", f"/dev/{done(house, 'k1', 'get', 'serial').strip()}B") as console:
            assert console.sees_prompt() == "disk by BIOS"
            used(console)
            console.types("poweroff\r")
            assert bhyve.wait(PATIENCE) == 1
    finally:
        bhyve.kill()
        subprocess.run([house.bin / "bhyvectl", "--vm=chy-k1", "--destroy"], check=True, timeout=PATIENCE)
