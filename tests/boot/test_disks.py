"""A real guest with a disk of each kind, one of them on a further bus, which sees what the properties say of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.boot.conftest import System
from tests.boot.guests import (
    Console,
    directory,
    fill_disk,
    is_off,
    made_house,
    make,
    nothing_left,
    qemu_of,
    started,
    wait_until,
    written_down,
)
from tests.host_commands import done

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")

DISKS = """
    disk1_type=nvme disk1_sectorsize=4096
    disk2_type=virtio-blk disk2_serial=WD-2 disk2_readonly=yes disk2_sectorsize=512/4096
    disk3_type=virtio-scsi disk3_ctl=/dev/cam/ctl1.0
    pci_slots=disk0=4:0,tap50=5:0,disk1=6:0,disk2=1:9:0,disk3=8:0
"""
OWN = "for disk in vda nvme0n1/device vdb; do cat $disk/serial; echo; done"
SIZES = "cat nvme0n1/queue/logical_block_size vdb/queue/*l_block_size vdb/ro"


@pytest.fixture
def house(system: System) -> Iterator[Lab]:
    """A lab with the guest; its first two disks are from before there were serial numbers."""
    with pytest.MonkeyPatch.context() as patch, made_house() as lab:
        patch.delenv("CHYVES_LAB_GUEST", raising=False)
        make(lab, "d1", "bhyve_disk_type=virtio-blk")
        for _ in range(3):
            done(lab, "d1", "disk", "add", "16M")
        done(lab, "d1", "set", *DISKS.split())
        fill_disk(lab, "d1", system.disk.read_bytes())
        file = directory(lab, "d1") / ".config/.cfg"
        file.write_text(re.sub(r"disk[01]_serial=.*\n", "", file.read_text()))
        (lab.root / "dev/cam").mkdir()
        (lab.root / "dev/cam/ctl1.0").symlink_to(lab.root / f"dev/zvol/{lab.pool}/chyves/guests/d1/disk3")
        yield lab
        done(lab, "all", "stop", "force")
        wait_until(lambda: nothing_left(lab), "nothing of the guest is left")


def eui64(lab: Lab, guest: str) -> str:
    """What QEMU calls the namespace; Linux in it does not say, as it trusts no such number of QEMU."""
    qemu = qemu_of(written_down(lab, guest)["bhyve"])
    return Path(f"/proc/{qemu}/cmdline").read_text().split("eui64=")[1].split("\0")[0]


def test_a_guest_finds_its_disks_again_under_another_name(house: Lab) -> None:
    """Complaint 6: what bhyve made of path and name is written down at the rename; complaint 3: no address moves."""
    started(house, "d1")
    with Console(house, "d1") as console:
        console.sees_prompt()
        console.ask("cd /sys/block")
        assert console.ask(SIZES).split() == ["4096", "512", "4096", "1"]
        assert console.ask("cat sda/size") == str((16 << 20) // 512)
        assert re.search(r"/0000:00:[0-9a-f]{2}\.0/0000:01:09\.0/", console.ask("readlink -f /sys/block/vdb"))
        assert "error" in console.ask("dd if=/dev/zero of=/dev/vdb count=1").lower()
        seen = (console.ask(OWN).split(), eui64(house, "d1"))
        places = console.ask("ls /sys/bus/pci/devices")
        console.types("poweroff\r")
        is_off(house, "d1", "bhyve ended with status 1: power-off")
    assert re.fullmatch(r"BHYVE(-[0-9A-F]{4}){3} NVME-6-0 WD-2", " ".join(seen[0]))
    assert re.fullmatch(r"0x589cfc20[0-9a-f]{4}0001", seen[1])
    (house.root / "dev/cam/ctl1.0").unlink()
    done(house, "d1", "rename", "d2")
    (house.root / "dev/cam/ctl1.0").symlink_to(house.root / f"dev/zvol/{house.pool}/chyves/guests/d2/disk3")
    started(house, "d2")
    with Console(house, "d2") as console:
        console.sees_prompt()
        console.ask("cd /sys/block")
        assert (console.ask(OWN).split(), eui64(house, "d2")) == seen
        assert console.ask("ls /sys/bus/pci/devices") == places
