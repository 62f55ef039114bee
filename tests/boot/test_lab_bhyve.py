"""The lab's own bhyve and loaders, with no chyves before them: real guests boot in QEMU, and end in every way."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from chyves.lab import create, destroy, vmm
from chyves.lab.place import Lab
from tests.boot.bootsector.media import write_media
from tests.boot.viewer import Viewer

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")

PATIENCE = 120
READY = r"GUEST-READY boot=(\w\w) disks=(\w\w)"
FREE_PORTS = ("127.0.0.1", 0)
OVMF = Path("/usr/share/OVMF")
WHOLE = "/usr/share/ovmf/OVMF.fd"


Process = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with the modules that guests need."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top))
    made = Lab.open(top)
    run(made, "kldload", "-n", "vmm", "nmdm")
    yield made
    destroy.destroy(str(top), yes=True)


@pytest.fixture(autouse=True)
def _real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHYVES_LAB_GUEST", raising=False)


@pytest.fixture(autouse=True)
def _nothing_left(lab: Lab) -> Iterator[None]:
    yield
    for name in vmm.names(lab):
        vmm.destroy(lab, name)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of media; see tests/boot/bootsector/media.py."""
    place = tmp_path_factory.mktemp("media")
    write_media(place)
    return place


def run(lab: Lab, program: str, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """What a program of the lab does."""
    source = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    return subprocess.run([lab.bin / program, *words], capture_output=True, text=True, timeout=PATIENCE, **source)


class Console:
    """A cu on the B side of a guest's serial port."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.child = pexpect.spawn(str(lab.bin / "cu"), ["-l", f"/dev/nmdm{name}B"], timeout=PATIENCE)
        self.child.expect("Connected")

    def expect(self, pattern: str) -> re.Match[bytes]:
        """Wait for a text."""
        self.child.expect(pattern)
        found = self.child.match
        assert isinstance(found, re.Match)
        return found

    def send(self, keys: str) -> None:
        """Type."""
        self.child.send(keys)

    def close(self) -> None:
        """Leave."""
        self.child.close(force=True)


@pytest.fixture
def console(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Console]:
    """The console of this test's guest, whose com1 is the pair of its name."""
    opened = Console(lab, tag(request.node.name))
    yield opened
    opened.close()


def tag(test: str) -> str:
    """A name for a test's guest that is legal everywhere."""
    return re.sub(r"\W+", "-", test).strip("-")[:40]


@pytest.fixture
def guest(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Callable[..., Process]]:
    """Starts the test's guest with these slots."""
    name = tag(request.node.name)
    started: list[Process] = []

    def start(*words: str, memory: str = "64M") -> Process:
        line = ["-c", "1", "-m", memory, "-AHPu", "-s", "0,hostbridge", "-s", "31,lpc", "-l", f"com1,/dev/nmdm{name}A"]
        started.append(subprocess.Popen([str(lab.bin / "bhyve"), *line, *words, name], stdin=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def loaded(lab: Lab, guest: Callable[..., Process], request: pytest.FixtureRequest) -> Callable[..., Process]:
    """Runs bhyveload for a disk, then bhyve."""

    def start(disk: Path, *words: str) -> Process:
        done = run(lab, "bhyveload", "-m", "64M", "-d", str(disk), tag(request.node.name))
        assert done.returncode == 0, done.stderr
        return guest(*words)

    return start


def qemus_of(process: Process) -> list[int]:
    """The QEMUs that a bhyve has started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    """Whether a process is no more (one that only waits to be buried counts as gone)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(("key", "status"), [("r", 0), ("p", 1), ("h", 2), ("t", 3)])
def test_ways_to_end(
    loaded: Callable[..., Process], console: Console, lab: Lab, media: Path, key: str, status: int
) -> None:
    """Reset, power-off, halt and triple fault have bhyve's statuses; the machine stays, and needs its loader again."""
    process = loaded(media / "disk.img", "-s", f"4,virtio-blk,{media}/disk.img")
    assert console.expect(READY).groups() == (b"80", b"01")
    console.send(key)
    assert process.wait(PATIENCE) == status
    assert len(vmm.names(lab)) == 1
    again = run(lab, "bhyve", "-m", "64M", vmm.names(lab)[0])
    assert (again.returncode, again.stderr) == (4, "virtual machine cannot be booted\n")


DISKS = [
    ("4,virtio-blk,{disk}", b"01"),
    ("4,ahci-hd,{disk}", b"01"),
    ("4,nvme,{disk}", b"01"),
    ("4:5,virtio-blk,{disk}", b"00"),
    ("2:4:0,virtio-blk,{disk}", b"01"),
    ("4,ahci,hd:{other},hd:{disk}", b"02"),
    ("4,ahci," + ",".join(["hd:{other}"] * 7) + ",hd:{disk}", b"08"),
    ("4,virtio-blk,{disk},ro", b"01"),
    ("4,ahci-hd,{disk},ro", b"01"),
]


@pytest.mark.parametrize(("slot", "count"), DISKS, ids=range(len(DISKS)))
def test_disks(
    loaded: Callable[..., Process], console: Console, media: Path, tmp_path: Path, slot: str, count: bytes
) -> None:
    """bhyveload's disk boots from every kind of controller and place; a function without a function 0 is not seen."""
    (tmp_path / "other.img").write_bytes(bytes(1 << 20))
    slot = slot.format(disk=media / "disk.img", other=tmp_path / "other.img")
    process = loaded(media / "disk.img", "-s", slot)
    if count == b"00":
        time.sleep(2)
        assert process.poll() is None
        return
    assert console.expect(READY).groups() == (b"80", count)
    console.send("p")
    assert process.wait(PATIENCE) == 1


def test_cd(loaded: Callable[..., Process], console: Console, media: Path) -> None:
    """A CD boots, also beside a disk that would."""
    process = loaded(media / "cd.iso", "-s", f"3,ahci-cd,{media}/cd.iso", "-s", f"4,virtio-blk,{media}/disk.img")
    assert console.expect(READY).groups() == (b"E0", b"01")
    console.send("p")
    assert process.wait(PATIENCE) == 1


def test_second_serial_port(loaded: Callable[..., Process], console: Console, lab: Lab, media: Path) -> None:
    """com2 is a port of its own."""
    other = Console(lab, "second")
    process = loaded(media / "disk.img", "-s", f"4,virtio-blk,{media}/disk.img", "-l", "com2,/dev/nmdmsecondA")
    other.expect("COM2\r\n")
    console.expect(READY)
    console.send("p")
    assert process.wait(PATIENCE) == 1
    other.close()


def test_serial_port_on_stdio(lab: Lab, media: Path) -> None:
    """`-l com1,stdio`: the guest is on bhyve's own terminal, which has its modes back afterwards."""
    run(lab, "bhyveload", "-m", "64M", "-d", f"{media}/disk.img", "stdio")
    line = f"-A -m 64M -s 31,lpc -s 4,virtio-blk,{media}/disk.img -l com1,stdio stdio"
    child = pexpect.spawn("/bin/sh", ["-c", f"{lab.bin}/bhyve {line}; echo status $?; stty -a"], timeout=PATIENCE)
    child.expect(READY)
    child.send("p")
    child.expect("status 1")
    child.expect(pexpect.EOF)
    assert b" echo " in child.before
    child.close()


def test_power_button(loaded: Callable[..., Process], console: Console, media: Path) -> None:
    """SIGTERM is the ACPI power button once the guest has switched ACPI on."""
    process = loaded(media / "disk.img", "-s", f"4,virtio-blk,{media}/disk.img")
    console.expect(READY)
    console.send("a")
    console.expect("A")
    process.terminate()
    console.expect("power button")
    assert process.wait(PATIENCE) == 1


def test_no_power_button_before_acpi(loaded: Callable[..., Process], console: Console, lab: Lab, media: Path) -> None:
    """Before that its default action kills bhyve; the machine stays, QEMU does not."""
    process = loaded(media / "disk.img", "-s", f"4,virtio-blk,{media}/disk.img")
    console.expect(READY)
    qemus = qemus_of(process)
    process.terminate()
    assert process.wait(PATIENCE) == -signal.SIGTERM
    assert len(vmm.names(lab)) == 1
    assert qemus
    assert all(map(gone, qemus))


def test_kill_leaves_no_qemu(loaded: Callable[..., Process], console: Console, lab: Lab, media: Path) -> None:
    """SIGKILL of bhyve is a power cut for the guest as well; the console lives on, and sees the next start."""
    process = loaded(media / "disk.img", "-s", f"4,virtio-blk,{media}/disk.img")
    console.expect(READY)
    (qemu,) = qemus_of(process)
    process.kill()
    process.wait()
    until = time.monotonic() + PATIENCE
    while not gone(qemu):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert len(vmm.names(lab)) == 1
    loaded(media / "disk.img", "-s", f"4,virtio-blk,{media}/disk.img")
    console.expect(READY)


@pytest.mark.parametrize(("action", "status"), [("--force-reset", 0), ("--force-poweroff", 1), ("--destroy", 4)])
def test_bhyvectl(
    loaded: Callable[..., Process], console: Console, lab: Lab, media: Path, action: str, status: int
) -> None:
    """Forced ends of a guest that runs."""
    process = loaded(media / "disk.img", "-s", f"4,virtio-blk,{media}/disk.img")
    console.expect(READY)
    (qemu,) = qemus_of(process)
    assert run(lab, "bhyvectl", f"--vm={vmm.names(lab)[0]}", action).returncode == 0
    assert process.wait(PATIENCE) == status
    assert gone(qemu)


def test_disk_of_the_loader_is_not_the_guests(loaded: Callable[..., Process], lab: Lab, media: Path) -> None:
    """A guest cannot boot a disk that it does not have."""
    process = loaded(media / "disk.img", "-s", f"3,ahci-cd,{media}/cd.iso")
    assert process.wait(PATIENCE) == 4


GRUB = [
    (("-r", "hd0,msdos1"), None, "from the medium"),
    (("-r", "cd0"), None, "from the medium"),
    (("-r", "host", "-d", "{host}"), None, "from the host"),
    (("-r", "host", "-d", "{host}", "-g", "cd.cfg"), None, "from the host, by CD"),
    ((), "echo typed\nchainloader (hd0,1)/sector.bin\nboot\n", "typed"),
    ((), "echo typed\nchainloader (cd0)/sector.bin\nboot\n", "typed"),
]


@pytest.mark.parametrize(("words", "typed", "said"), GRUB, ids=range(len(GRUB)))
def test_grub(
    guest: Callable[..., Process],
    console: Console,
    lab: Lab,
    media: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    words: tuple[str, ...],
    typed: str | None,
    said: str,
) -> None:
    """A real GRUB does what its configuration says: on a disk, on a CD, on the host, or at the prompt."""
    host = tmp_path
    (host / "device.map").write_text(f"(hd0) {media}/grub.img\n(cd0) {media}/grub.iso\n")
    entry = "timeout=0\nmenuentry x {{\n root={0}\n echo {1}\n chainloader ({0})/sector.bin\n}}\n"
    (host / "grub.cfg").write_text(entry.format("hd0,1", "from the host"))
    (host / "cd.cfg").write_text(entry.format("cd0", "from the host, by CD"))
    line = ["-m", f"{host}/device.map", "-M", "64", *(word.format(host=host) for word in words)]
    done = run(lab, "grub-bhyve", *line, tag(request.node.name), given=typed)
    assert (done.returncode, done.stderr) == (0, "")
    process = guest("-s", f"3,ahci-cd,{media}/grub.iso", "-s", f"4,virtio-blk,{media}/grub.img")
    console.expect(said)
    console.expect(READY)
    console.send("p")
    assert process.wait(PATIENCE) == 1


@pytest.fixture
def firmware() -> str:
    """A firmware with variables of its own, for -l."""
    if not Path(WHOLE).exists():
        pytest.skip("needs the package ovmf")
    return f"bootrom,{WHOLE}"


def test_uefi_and_its_screen(guest: Callable[..., Process], console: Console, media: Path, firmware: str) -> None:
    """A UEFI guest resets and powers off; its screen is seen by a VNC client, which it waits for."""
    slots = ["-s", f"3,ahci-cd,{media}/uefi.iso", "-s", "30,xhci,tablet", "-s", "28,virtio-rnd", "-l", firmware]
    process = guest(*slots, memory="128M")
    console.expect("GUEST-READY uefi")
    console.send("r\r")
    assert process.wait(PATIENCE) == 0
    with socket.create_server(FREE_PORTS) as free:
        port = free.getsockname()[1]
    process = guest(*slots, "-s", f"29,fbuf,tcp=127.0.0.1:{port},w=800,h=600,wait", memory="128M")
    connected(port).close()
    console.expect("GUEST-READY uefi")
    with Viewer("127.0.0.1", port, PATIENCE) as viewer:
        assert (viewer.width, viewer.height) == (800, 600)
    console.send("p\r")
    assert process.wait(PATIENCE) == 1


def connected(port: int) -> socket.socket:
    """A connection, as soon as somebody listens."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_password_of_the_screen(guest: Callable[..., Process], media: Path, firmware: str) -> None:
    """With a password only VNC authentication is offered."""
    with socket.create_server(FREE_PORTS) as free:
        port = free.getsockname()[1]
    guest("-s", f"29,fbuf,tcp={port},password=secret", "-l", firmware, memory="128M")
    with connected(port) as client:
        assert client.recv(12) == b"RFB 003.008\n"
        client.sendall(b"RFB 003.008\n")
        assert client.recv(2) == b"\x01\x02"


FIRMWARE = [("OVMF_CODE.fd", "OVMF_VARS.fd"), ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), (WHOLE, "OVMF_VARS.fd")]


@pytest.mark.parametrize(("rom", "variables"), FIRMWARE, ids=["2M", "4M", "whole"])
def test_variables_of_the_firmware(
    guest: Callable[..., Process], console: Console, media: Path, tmp_path: Path, rom: str, variables: str
) -> None:
    """The firmware writes to the VARS file of the guest, also where the ROM has variables of its own."""
    if not (OVMF / rom).exists():
        pytest.skip("needs the package ovmf")
    template = (OVMF / variables).read_bytes()
    own = tmp_path / "vars.fd"
    own.write_bytes(template)
    process = guest("-s", f"3,ahci-cd,{media}/uefi.iso", "-l", f"bootrom,{OVMF / rom},{own}", memory="128M")
    console.expect("GUEST-READY uefi")
    console.send("p\r")
    assert process.wait(PATIENCE) == 1
    assert own.read_bytes() != template
