"""The real agent in a real guest: what it tells, and file systems that it freezes around a snapshot; one boot and one
reboot for all of it.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.network import namespace
from chyves.lab.place import Lab
from tests.boot.conftest import PROMPT, System
from tests.boot.guests import PATIENCE, Console, directory, disk, fill_disk, is_off, made_house, make, nothing_left
from tests.boot.guests import wait_until as wait
from tests.host_commands import chyves, done, environment, sentence, zfs

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")
PORT = "com.example.port"
START_OF_PARTITION = 1 << 20
GRUB = """\
linux (hd0,msdos1)/boot/vmlinuz console=ttyS0,115200 quiet no_timer_check medium=disk guest.ip=192.0.2.10/24
initrd (hd0,msdos1)/boot/initrd (hd0,msdos1)/boot/agent (hd0,msdos1)/boot/listens
boot
"""
INITTAB = """\
::sysinit:/etc/rc
ttyS0::respawn:-/bin/sh
::respawn:/bin/nc -l -p 8080
"""
"""Of the small system, which listens at a port once it is up."""


@pytest.fixture
def house(system: System, tmp_path: Path) -> Iterator[Lab]:
    """A lab with a guest a1 that has the small system with the agent, and a second disk."""
    image = tmp_path / "agent.img"
    shutil.copyfile(system.disk, image)
    subprocess.run(["mcopy", "-i", f"{image}@@{START_OF_PARTITION}", system.agent, "::/boot/agent"], check=True)
    listens = tmp_path / "listens"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/inittab").write_text(INITTAB)
    with listens.open("wb") as archive:
        subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc"], input=b"etc/inittab\n", stdout=archive, cwd=tmp_path, check=True
        )
    subprocess.run(["mcopy", "-i", f"{image}@@{START_OF_PARTITION}", listens, "::/boot/listens"], check=True)
    with pytest.MonkeyPatch.context() as patch, made_house() as lab:
        patch.delenv("CHYVES_LAB_GUEST", raising=False)
        make(lab, "a1", "loader=grub-bhyve", "os=custom", "agent=yes", f"vtcon0={PORT}", "bhyve_disk_type=virtio-blk")
        done(lab, "a1", "disk", "add", "32M")
        fill_disk(lab, "a1", image.read_bytes())
        own = directory(lab, "a1")
        (own / "device.map").write_text(f"(hd0) {disk(lab, 'a1')}\n")
        (own / "grub.cfg").write_text(GRUB)
        yield lab
        chyves(lab, "a1", "stop", "force")
        wait(lambda: nothing_left(lab), "nothing of the guest is left")


def answers(lab: Lab) -> bool:
    return chyves(lab, "a1", "agent", "ping").returncode == 0


def data(lab: Lab, of: str) -> bytes:
    """What is on the guest's second disk, as a snapshot has it."""
    dataset = f"{lab.pool}/chyves/guests/a1/disk1"
    zfs(lab, "clone", f"{dataset}{of}", f"{lab.pool}/seen")
    try:
        return (lab.root / f"dev/zvol/{lab.pool}/seen").read_bytes()
    finally:
        zfs(lab, "destroy", f"{lab.pool}/seen")


def test_the_agent_of_a_real_guest(house: Lab) -> None:
    starts_until_a_port_answers(house)
    assert answers(house)
    with Console(house, "a1") as console:
        console.types("\r")
        console.sees(PROMPT)
        tells_of_itself(house)
        freezes(house, console)
        sets_the_clock(house, console)
        another_port(house, console)
        # The sockets of the bhyve before are in the way of the next one's.
        console.types("reboot\r")
        assert console.sees_prompt() == "disk by BIOS"
        wait(lambda: answers(house), "the agent answers after a reboot")
        done(house, "a1", "agent", "shutdown")
        is_off(house, "a1", "bhyve ended with status 1: power-off")
    assert "does not run" in sentence(house, "a1", "agent", "info")


def starts_until_a_port_answers(lab: Lab) -> None:
    """At the address that the agent tells, as the host reaches it by its bridge; then the agent answers too."""
    wait_for = f"--wait-for={PATIENCE}"
    if not namespace.wanted(lab):
        done(lab, "a1", "start", "--wait=agent", wait_for)
        return
    for words in (("create",), ("inet", "192.0.2.1/24", "up")):
        subprocess.run([lab.bin / "ifconfig", "bridge0", *words], check=True, stdout=subprocess.DEVNULL)
    line = ["nsenter", f"--net={namespace.place(lab)}", sys.executable, "-m", "chyves"]
    said = subprocess.run(
        [*line, "a1", "start", "--wait=tcp:8080", wait_for],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(lab),
    )
    assert said.returncode == 0, said.stderr


def tells_of_itself(lab: Lab) -> None:
    (system,) = json.loads(done(lab, "a1", "agent", "info", "--json"))["systems"]
    assert system["version"][0].isdigit()
    assert (system["host_name"], system["frozen"]) == ("tiny", False)
    assert system["kernel"].endswith("-cloud-amd64")
    found = json.loads(done(lab, "a1", "agent", "addresses", "--json"))["addresses"]
    assert [(row["interface"], row["prefix"]) for row in found if row["address"] == "192.0.2.10"] == [("eth0", 24)]
    assert all(row["mac"].startswith("58:9c:fc:") for row in found)


def freezes(lab: Lab, console: Console) -> None:
    """What is only in the guest's memory is not on its disk, but when a snapshot is taken of what is frozen."""
    for line in (
        "echo 0 > /proc/sys/vm/dirty_writeback_centisecs",
        "mke2fs /dev/vdb >/dev/null 2>&1",
        "mkdir /data",
        "mount -t ext4 /dev/vdb /data",
        "sync",
        "echo written-but-in-memory > /data/file",
    ):
        assert console.ask(f"{line} && echo ok").endswith("ok")
    done(lab, "a1", "snapshot", "@torn")
    assert b"written-but-in-memory" not in data(lab, "@torn-LIVE-SYSTEM")
    done(lab, "a1", "snapshot", "@whole", "--freeze")
    assert b"written-but-in-memory" in data(lab, "@whole-LIVE-SYSTEM")

    assert "1 file system frozen" in chyves(lab, "a1", "agent", "freeze").stderr
    assert json.loads(done(lab, "a1", "agent", "info", "--json"))["systems"][0]["frozen"] is True
    refused = sentence(lab, "a1", "agent", "time")
    assert refused.startswith("a1: its guest agent says: ") and "guest-get-time" in refused
    console.ask("(echo later > /data/other; echo done > /tmp/done) & sleep 1")
    assert console.ask("ls /tmp") == ""
    assert "1 file system thawed" in chyves(lab, "a1", "agent", "thaw").stderr
    assert console.ask("wait; cat /tmp/done").startswith("done")


def sets_the_clock(lab: Lab, console: Console) -> None:
    console.ask("date -s 2001-02-03 >/dev/null")
    told = chyves(lab, "a1", "agent", "time").stderr
    assert "its clock is set; it was " in told and told.endswith(" s behind\n"), told
    assert int(console.ask("date +%Y")) > 2024


def another_port(lab: Lab, console: Console) -> None:
    path = lab.root / f"var/run/chyves/a1/ports/{PORT}.sock"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with socket.socket(socket.AF_UNIX) as host:
        host.settimeout(60)
        host.connect(str(path))
        with socket.socket(socket.AF_UNIX) as second:
            second.settimeout(60)
            second.connect(str(path))
            assert second.recv(1) == b""
        console.ask(f'(read line; echo "$line back") <>/dev/virtio-ports/{PORT} >&0 &')
        host.sendall(b"there and\n")
        assert host.makefile("rb").readline() == b"there and back\n"
