"""A guest on an arm64 host: real U-Boot on an emulated arm64 machine, with all that bhyve's line gives it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from chyves.lab.host_tree import U_BOOT_OF_QEMU
from chyves.lab.place import Lab
from tests.boot.guests import Console, fill_disk, is_off, lines_of_bhyve, listed, made_house, make, started
from tests.host_commands import chyves, done

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-system-aarch64") is None or not any(place.exists() for place in U_BOOT_OF_QEMU),
    reason="guests of arm64 need qemu-system-arm and u-boot-qemu",
)
PROMPT, ABORT = "=> ", "\x03"
"""What U-Boot asks with, and the key that keeps it from booting, or from going on with that."""
MARK, MEDIUM_MARK = b"CHYVES42", b"MEDIUM23"
AT = "40200000"
"""Where in the guest's memory a block is read to."""


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.delenv("CHYVES_LAB_GUEST", raising=False)
    with made_house(machine="arm64") as lab:
        yield lab


def ask(console: Console, command: str) -> str:
    """What U-Boot answers."""
    console.types(f"{command}\r")
    console.sees(command)
    return console.sees(PROMPT)


def block(console: Console, disk: int) -> str:
    """The first bytes of a disk, as U-Boot shows memory."""
    ask(console, f"virtio dev {disk}")
    assert "1 blocks read: OK" in ask(console, f"virtio read {AT} 0 1")
    return ask(console, f"md.b {AT} 8")


def test_u_boot_sees_the_machine_that_bhyve_was_told_of(house: Lab) -> None:
    """One guest: its console, its devices at their places, what is on them, its reboot, which ejects, its power-off."""
    make(house, "u1", "loader=u-boot", "bhyve_disk_type=virtio-blk", "cpu=2", "ram=512M", "virtio_rnd=yes")
    fill_disk(house, "u1", MARK)
    medium = house.top / "m.iso"
    medium.write_bytes(MEDIUM_MARK.ljust(1 << 20, b"\0"))
    done(house, "iso", "import", str(medium))
    started(house, "u1", "m.iso")
    with Console(house, "u1") as console:
        console.wakes(ABORT, PROMPT)
        assert "aarch64" in ask(console, "version")
        assert "= 0x0000000020000000" in ask(console, "bdinfo")
        looked_at(console, house, MEDIUM_MARK, MARK)
        console.types("reset\r")
        console.sees("stop autoboot")
        console.wakes(ABORT, PROMPT)
        assert len(lines_of_bhyve(house, "u1")) == 2
        looked_at(console, house, MARK)
        refusal = chyves(house, "u1", "stop")
        assert refusal.returncode == 1 and "u1: has no power button" in refusal.stderr
        assert "aarch64" in ask(console, "version")
        console.types("poweroff\r")
        is_off(house, "u1", "bhyve ended with status 1: power-off")
    assert listed(house, "u1")["running"] is None


def looked_at(console: Console, lab: Lab, *media: bytes) -> None:
    """The devices are where bhyve's line has them: disks with what they begin with, a card, random numbers."""
    found = ask(console, "pci")
    assert [line.split()[0] for line in found.splitlines() if line[:3] == "00."] == places(lab)
    assert found.count("0x1001") == len(media) and found.count("0x1000") == 1 and found.count("0x1005") == 1
    ask(console, "virtio scan")
    for number, content in enumerate(media):
        assert content.hex(" ") in block(console, number)


def places(lab: Lab) -> list[str]:
    """The places of bhyve's line in U-Boot's words, in their order."""
    words = lines_of_bhyve(lab, "u1")[-1].split()
    slots = [words[at + 1].partition(",")[0] for at, word in enumerate(words) if word == "-s"]
    return [f"00.{int(slot):02x}.00" for slot in slots]
