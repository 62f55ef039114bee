"""A guest that has every kind of small device that the lab carries, seen from inside; see the functions for which."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator

import pytest

from chyves.lab.place import Lab
from tests.boot.conftest import System
from tests.boot.guests import (
    FIRMWARE,
    PATIENCE,
    Console,
    directory,
    made_house,
    make,
    nothing_left,
    started,
    wait_until,
)
from tests.host_commands import chyves, done, free_port

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")
DRIVERS = {
    "tap50": "virtio-pci",
    "slirp0": "e1000",
    "share0": "virtio-pci",
    "rnd": "virtio-pci",
    "audio": "snd_hda_intel",
    "cloudinit": "ahci",
}
"""Who in the guest takes each device, which tells that it is the right one, at the right place."""


@pytest.fixture
def house() -> Iterator[Lab]:
    """A host of the release that has them all, whose guests really run."""
    with pytest.MonkeyPatch.context() as patch, made_house("15.0") as lab:
        patch.delenv("CHYVES_LAB_GUEST", raising=False)
        yield lab


def test_complaint_24_shares_cards_random_numbers_and_sound(house: Lab, generic_system: System) -> None:
    """Two shares are mounted and one cannot be written; a card tells of its packets; one is reached through slirp.

    The seed for cloud-init is found and read (complaint 7).
    """
    source, home, port = house.root / "usr/src", house.root / "home", free_port()
    source.mkdir(parents=True)
    home.mkdir()
    (source / "motd").write_text("shared by the host\n")
    done(house, "iso", "import", str(generic_system.iso))
    done(house, "firmware", "import", str(house.root / "usr/local/share/uefi-firmware" / FIRMWARE))
    make(house, "w1", "loader=uefi", f"uefi_firmware={FIRMWARE}", "ram=512M", "tap50_mtu=1400", "virtio_rnd=yes")
    done(house, "network", "w1", "add", "slirp")
    done(house, "w1", "set", f"slirp0_forward=tcp:{port}-7777", "slirp0_type=e1000", "audio_play=/dev/dsp0")
    done(house, "w1", "set", "share0=src=/usr/src,ro", "share1=home=/home")
    write_seed(house)
    started(house, "w1", generic_system.iso.name)
    with Console(house, "w1") as guest:
        guest.sees_prompt()
        for name, place in places(house).items():
            assert name not in DRIVERS or place in guest.ask(f"ls /sys/bus/pci/drivers/{DRIVERS[name]}"), name
        assert guest.ask("cat /sys/class/net/eth0/mtu") == "1400"
        assert guest.ask("head -c 8 /dev/hwrng | wc -c") == "8"
        assert "pcmC0D0p" in guest.ask("ls /sys/class/sound")
        look_at_shares(guest)
        look_at_seed(guest)
        assert (home / "note").read_text() == "from the guest\n"
        reach(guest, port)
    chyves(house, "w1", "stop", "force")
    wait_until(lambda: nothing_left(house), "nothing is left of the guest")


def places(lab: Lab) -> dict[str, str]:
    """Where chyves says that each device is, as the guest's kernel writes it."""
    rows = json.loads(done(lab, "w1", "slots", "--json"))["slots"]
    return {row["names"][0]: f"0000:00:{row['slot']:02x}.{row['function']}" for row in rows if row["names"]}


def look_at_shares(guest: Console) -> None:
    guest.ask("mkdir /src /home")
    for name in ("src", "home"):
        assert guest.ask(f"mount -t 9p -o trans=virtio,version=9p2000.L {name} /{name}") == ""
    assert guest.ask("cat /src/motd") == "shared by the host"
    assert "Read-only file system" in guest.ask("echo no > /src/motd")
    assert guest.ask("echo from the guest > /home/note") == ""


def write_seed(lab: Lab) -> None:
    """Give the guest a seed of which user-data is written, and the rest is made."""
    below = directory(lab, "w1") / ".cloud-init"
    below.mkdir(mode=0o700)
    (below / "user-data").write_text("#!/bin/sh\necho told by the host\n")
    done(lab, "w1", "set", "cloudinit=cd")


def look_at_seed(guest: Console) -> None:
    """Find the seed as cloud-init does, by its label, and have the guest heed what it is told."""
    assert guest.ask("mkdir /seed; mount -t iso9660 $(findfs LABEL=CIDATA) /seed 2>/dev/null") == ""
    assert guest.ask("ls /seed").split() == ["meta-data", "network-config", "user-data"]
    assert guest.ask("sh /seed/user-data") == "told by the host"
    assert guest.ask("sed -n 's/^instance-id: //p' /seed/meta-data") == guest.ask("cat /sys/class/dmi/id/product_uuid")
    assert guest.ask("grep local /seed/meta-data") == 'local-hostname: "w1"'
    for card in ("eth0", "eth1"):
        assert guest.ask(f"grep -c -f /sys/class/net/{card}/address /seed/network-config") == "1"
    assert "Read-only file system" in guest.ask("echo no > /seed/user-data")


def reach(guest: Console, port: int) -> None:
    """Answer on a port behind slirp, and be heard at 127.0.0.1 of the host; nothing goes out of the guest."""
    guest.ask("ip link set eth1 up; udhcpc -q -n -i eth1 -s /bin/dhcp 2>/dev/null")
    assert "10.0.2.15/24" in guest.ask("ip -4 address show dev eth1")
    guest.ask("(echo behind slirp | nc -l -p 7777 >/dev/null) &")

    def heard() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            return connection.recv(100) == b"behind slirp\n"

    wait_until(heard, "the guest is heard")
