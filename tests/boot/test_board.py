"""What a guest's board has that is no PCI device, seen by a real guest: once, in one boot with all of it."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab import create, destroy
from chyves.lab.place import Lab
from tests.boot.conftest import System
from tests.boot.guests import FIRMWARE, PATIENCE, Console, fill_disk, make, nothing_left, started, wait_until
from tests.boot.viewer import Viewer
from tests.host_commands import chyves, done, free_port

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")
ROLE = "mail"
GDB_STATUS, GDB_DETACH = b"+$?#3f", b"+$D#44"
"""The question for the reason why the guest stands still, and to let it go on (GDB manual, Remote Protocol)."""


@pytest.fixture
def house(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab that plays the release that has all of it, in a directory whose name leaves room for a socket's."""
    monkeypatch.delenv("CHYVES_LAB_GUEST", raising=False)
    top = Path(tempfile.mkdtemp(prefix="l"))
    create.create(str(top), release="15.1")
    lab = Lab.open(top)
    try:
        done(lab, "dataset", lab.pool, "install")
        done(lab, "firmware", "import", str(lab.root / "usr/local/share/uefi-firmware" / FIRMWARE))
        yield lab
    finally:
        chyves(lab, "all", "stop", "force")
        destroy.destroy(str(top), yes=True)


def test_a_guest_sees_its_board(house: Lab, system: System) -> None:
    serial, debugger = free_port(), free_port()
    make(house, "u1", "loader=uefi", f"uefi_firmware={FIRMWARE}", "bhyve_disk_type=virtio-blk", "ram=512M")
    fill_disk(house, "u1", system.disk.read_bytes())
    processors = ["cpu=4", "cpu_cores=2", "numa0=size=192M,cpus=0-1", "numa1=size=320M,cpus=2-3"]
    told = ["smbios_system_manufacturer=Example, Inc.", "fwcfg=qemu", f"fwcfg_1=opt/org.example/role,string={ROLE}"]
    lines = ["com2=nmdm77", f"com3=tcp=127.0.0.1:{serial}", f"gdb_port={debugger}", "ram_wired=yes"]
    screen = ["uefi_console_output=vnc", "uefi_vnc_socket=yes", "keyboard=de_noacc"]
    done(house, "u1", "set", *processors, *told, *lines, *screen)
    started(house, "u1")
    shown_at_socket(house, "u1")
    with Console(house, "u1") as console:
        assert console.sees_prompt() == "disk by UEFI"
        looked_at_by_guest(console)
        with socket.create_connection(("127.0.0.1", serial), PATIENCE) as line:
            console.ask("echo by-com3 > /dev/ttyS2")
            assert b"by-com3" in received(line, b"3")
        with socket.create_connection(("127.0.0.1", debugger), PATIENCE) as line:
            line.sendall(GDB_STATUS)
            assert b"$T05" in received(line, b"$T05")
            line.sendall(GDB_DETACH)
            assert b"$OK" in received(line, b"$OK")
        console.types("reboot\r")
        assert console.sees_prompt() == "disk by UEFI"
        shown_at_socket(house, "u1")
    done(house, "u1", "stop", "force")
    wait_until(lambda: nothing_left(house), "nothing of the guest is left")


def looked_at_by_guest(console: Console) -> None:
    """The guest's own view of processors, memory and what it was told; each line fits the terminal's width."""
    assert console.ask("grep -c '^processor' /proc/cpuinfo") == "4"
    assert console.ask("grep 'physical id' /proc/cpuinfo | sort -u | wc -l") == "2"
    assert console.ask("cat /sys/devices/system/node/node?/cpulist").split() == ["0-1", "2-3"]
    assert console.ask("cat /sys/class/dmi/id/sys_vendor") == "Example, Inc."
    assert console.ask("cat /sys/firmware/qemu_fw_cfg/by_name/opt/org.example/role/raw") == ROLE


def shown_at_socket(lab: Lab, guest: str) -> None:
    """The screen is at its socket, as `console vnc` tells."""
    path = lab.root / f"var/run/chyves/{guest}/vnc.sock"
    assert f"VNC at the socket {path}, 800x600" in done(lab, guest, "console", "vnc")
    with Viewer(str(path), None, PATIENCE) as viewer:
        assert viewer.version == "RFB 003.008\n"


def received(line: socket.socket, end: bytes) -> bytes:
    """What comes over a line until these bytes have."""
    line.settimeout(PATIENCE)
    data = b""
    while end not in data and (more := line.recv(4096)):
        data += more
    return data
