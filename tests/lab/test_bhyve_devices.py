"""bhyve's devices: what is refused with which words, and what each becomes in QEMU (reference, sections 1.5 to 1.8)."""

from __future__ import annotations

import hashlib
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.command_line import read
from chyves.lab.bhyve.devices import initialise
from chyves.lab.bhyve.ends import Stop
from chyves.lab.bhyve.machine import machine_words
from chyves.lab.bhyve.values import Topology
from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
Built = Callable[..., Board]


@pytest.fixture
def built(lab: Lab) -> Iterator[Built]:
    """What a command line makes of the devices."""
    boards: list[Board] = []

    def build(*words: str) -> Board:
        board = Board(lab, "web1", read(lab, [*words, "web1"]))
        boards.append(board)
        initialise(board)
        return board

    yield build
    for board in boards:
        if board.viewers:
            board.viewers.close()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 20))
    return path


def devices(board: Board) -> list[str]:
    """The words after -device."""
    return [word for before, word in zip(board.words, board.words[1:], strict=False) if before == "-device"]


def test_devices_keep_their_places(built: Built, disk: Path) -> None:
    """Slot and function are those that the guest sees, and function 0 tells that there are others."""
    board = built(
        *("-s", "0,hostbridge", "-s", "31,lpc", "-s", "4:0,virtio-blk," + str(disk), "-s", "4:3,virtio-rnd"),
        *("-s", "5,e1000", "-s", "6,xhci,tablet"),
    )
    block, random, nic, usb, tablet = devices(board)
    assert block.startswith("virtio-blk-pci,bus=pcie.0,addr=0x4.0x0,multifunction=on,drive=disk0,")
    assert random == "virtio-rng-pci,bus=pcie.0,addr=0x4.0x3"
    assert nic.startswith("e1000,bus=pcie.0,addr=0x5.0x0,mac=00:a0:98:")
    assert usb.startswith("qemu-xhci,bus=pcie.0,addr=0x6.0x0,")
    assert tablet.startswith("usb-tablet,")


def test_places_that_qemu_has_taken(built: Built) -> None:
    """A device at 0:0 or 31:0 gets a free slot, from above."""
    board = built("-s", "0,virtio-rnd", "-s", "31,virtio-rnd", "-s", "30,virtio-rnd", "-s", "29,lpc")
    assert [word.split("addr=")[1] for word in devices(board)] == ["0x1d", "0x1e.0x0", "0x1c"]


def test_functions_beside_a_bridge(built: Built) -> None:
    """Where function 0 is the LPC bridge, something stands there, or the guest would not look further."""
    assert devices(built("-s", "1:0,lpc", "-s", "1:1,virtio-rnd")) == [
        "pci-testdev,bus=pcie.0,addr=0x1.0x0,multifunction=on",
        "virtio-rng-pci,bus=pcie.0,addr=0x1.0x1",
    ]


def test_other_buses_are_bridges(built: Built) -> None:
    """Each bus above 0 is one bridge."""
    board = built("-s", "2:3:0,virtio-rnd", "-s", "7:0:0,virtio-rnd", "-s", "0:1:0,virtio-rnd")
    assert devices(board) == [
        "pci-bridge,id=bus2,chassis_nr=1,shpc=off,addr=0x2",
        "pci-bridge,id=bus7,chassis_nr=2,shpc=off,addr=0x3",
        "virtio-rng-pci,bus=pcie.0,addr=0x1.0x0",
        "virtio-rng-pci,bus=bus2,addr=0x3.0x0",
        "virtio-rng-pci,bus=bus7,addr=0x0.0x0",
    ]


def test_ports_of_ahci(built: Built, disk: Path) -> None:
    """QEMU's controllers have six ports: the seventh disk is on the next."""
    words = ",".join([f"hd:{disk}"] * 7 + [f"cd:{disk}"])
    made = devices(built("-s", f"3,ahci,{words}"))
    controllers = [word for word in made if word.startswith("ahci,")]
    assert [word.split(",")[2] for word in controllers] == ["addr=0x3.0x0", "addr=0x1e"]
    assert sum(word.startswith("ide-hd,bus=ahci0.") for word in made) == 6
    assert [word.split(",")[0] for word in made[-2:]] == ["ide-hd", "ide-cd"]


def test_an_empty_medium_is_an_empty_drive(built: Built, tmp_path: Path) -> None:
    """A file of no bytes as CD."""
    (tmp_path / "null.iso").touch()
    board = built("-s", f"3,ahci-cd,{tmp_path}/null.iso")
    assert devices(board)[1].startswith("ide-cd,bus=ahci0.0,serial=BHYVE-")
    assert not board.disks


def test_disk_options(built: Built, disk: Path) -> None:
    """Serial numbers are cut as bhyve cuts them; sizes of sectors and the place in the boot order are handed on."""
    options = f"{disk},ser={'9' * 30},sectorsize=512/4096,bootindex=2"
    word = devices(built("-o", "lpc.fwcfg=qemu", "-s", f"3,virtio-blk,{options}"))[0]
    assert "bootindex" not in devices(built("-s", f"3,virtio-blk,{options}"))[0]
    for part in (f"serial={'9' * 20}", "logical_block_size=512", "physical_block_size=4096", "bootindex=2"):
        assert part in word.split(",")
    assert "model=M" in devices(built("-s", f"3,ahci-hd,{disk},model=M,rev=1"))[1].split(",")


def test_what_bhyve_calls_a_disk_without_a_serial_number(built: Built, disk: Path) -> None:
    """pci_ahci.c, pci_virtio_block.c: the MD5 of the path; pci_nvme.c: slot and function; CRC-16 of the name."""
    digest = hashlib.md5(str(disk).encode(), usedforsecurity=False).hexdigest().upper()
    for emulation, at in (("virtio-blk", 0), ("ahci-hd", 1)):
        made = devices(built("-s", f"3,{emulation},{disk}"))[at]
        assert f"serial=BHYVE-{digest[:4]}-{digest[4:8]}-{digest[8:12]}" in made.split(",")
    controller, namespace = devices(built("-s", f"1:3:2,nvme,{disk}"))[-2:]
    assert "serial=NVME-3-2" in controller.split(",")
    assert namespace.split("eui64=")[1] == "0x589cfc202c3d0001"  # of web1, 1, 3, 2
    given = devices(built("-s", f"3,nvme,{disk},eui64=0x0102030405060708"))[1]
    assert given.split("eui64=")[1] == "0x0807060504030201"


def test_a_port_of_ctl(built: Built, disk: Path) -> None:
    """Reference, section 1.6: what the port shows; it has neither a path nor a serial number on bhyve's line."""
    controller, lun = devices(built("-s", f"3,virtio-scsi,{disk},iid=2"))
    assert controller.startswith("virtio-scsi-pci,")
    assert lun.startswith("scsi-hd,bus=scsi0.0,drive=")


def test_read_only(built: Built, disk: Path) -> None:
    """`ro`, and a CD, are opened read-only."""
    assert "readonly=on" in built("-s", f"3,virtio-blk,{disk},ro").words[-3]
    assert "readonly=on" not in built("-s", f"3,virtio-blk,{disk}").words[-3]


def test_small_devices(built: Built, tmp_path: Path) -> None:
    """Reference, section 1.6: a share by its name, read-only with ro; a sound card with the ends that it is given."""
    board = built(
        *("-s", f"3,virtio-9p,src={tmp_path}", "-s", f"4,virtio-9p,usr={tmp_path},ro"),
        *("-s", "5,hda,play=/dev/dsp0", "-s", "6,hda,play=/dev/dsp0,rec=/dev/dsp0"),
    )
    first, second, *sound = devices(board)
    assert first.startswith("virtio-9p-pci,") and first.endswith(",mount_tag=src")
    assert second.startswith("virtio-9p-pci,") and second.endswith(",mount_tag=usr")
    shares = [word for word in board.words if f"path={tmp_path}" in word]
    assert ["readonly=on" in word for word in shares] == [False, True]
    assert [word.split(",")[0] for word in sound] == ["intel-hda", "hda-output", "intel-hda", "hda-duplex"]


def test_slirp_forwards_and_nothing_else(new_lab: Callable[..., Lab]) -> None:
    """Reference, section 1.6; net_backend_slirp.c: the guest is 10.0.2.15 where a rule does not say."""
    made = new_lab("15.0")
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        rules = f"tcp:127.0.0.1:{port}-:22;udp:127.0.0.1:{port}-10.0.2.16:53"
        board = Board(made, "web1", read(made, ["-s", f"3,e1000,slirp,hostfwd={rules}", "-s", "4,e1000,slirp", "web1"]))
        initialise(board)
        first, second = (word for word in board.words if word.startswith("user,"))
        wanted = f"hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:22,hostfwd=udp:127.0.0.1:{port}-10.0.2.16:53"
        assert first == f"user,id=net0,restrict=on,ipv6=off,{wanted}"
        assert second == "user,id=net1,restrict=on,ipv6=off"
        for rule, said in (
            ("tcp:22", "Unable to parse hostfwd rule 'tcp:22'"),
            ("tcp:127.0.0.300:1-:1", "Unable to parse hostfwd rule"),
            (f"tcp:127.0.0.1:{taken.getsockname()[1]}-:22", "Unable to add hostfwd rule"),
        ):
            board = Board(made, "web1", read(made, ["-s", f"3,e1000,slirp,hostfwd={rule}", "web1"]))
            with pytest.raises(Stop, match=said):
                initialise(board)
    (made.root / "usr/local/lib/libslirp.so.0").unlink()
    with pytest.raises(Stop, match=r"Unable to open libslirp\.so\.0"):
        initialise(Board(made, "web1", read(made, ["-s", "3,e1000,slirp", "web1"])))


def test_default_address_of_a_nic(built: Built) -> None:
    """Reference, section 1.6: it depends on slot and name, so it moves with them."""
    first, second = (devices(built("-s", f"{slot},virtio-net"))[0] for slot in ("3", "4"))
    assert "mac=00:a0:98:" in first
    assert first.split("mac=")[1] != second.split("mac=")[1]


def test_machine(built: Built) -> None:
    """Memory, processors, clock and tables."""
    board = built("-u", "-A", "-U", "00000000-1111-2222-3333-444444444444", "-o", "system.serial_number=a,b")
    words = machine_words(board, 300 << 20, Topology(4, 1, 2, 2))
    assert "size=300M" in words
    assert "4,sockets=1,cores=2,threads=2" in words
    assert "base=utc" in words
    assert "00000000-1111-2222-3333-444444444444" in words
    assert "accel=tcg" in words[words.index("-machine") + 1]
    assert any(word.startswith("type=1,") and ",serial=a,,b," in word for word in words)


def test_tables_of_acpi(built: Built) -> None:
    """Reference, section 1.2: without -A there are none on 14 and before."""
    for words, answer in (((), "acpi=off"), (("-A",), "acpi=on")):
        board = built(*words)
        made = machine_words(board, 1 << 30, Topology(1, 1, 1, 1))
        assert answer in made[made.index("-machine") + 1].split(",")


REFUSED = [
    (("-s", "3,virtio-blk,/no/such"), "Could not open backing file: /no/such: No such file or directory"),
    (("-s", "3,virtio-blk,{disk},sectorsize=100"), "Invalid sector size 100"),
    (("-s", "3,virtio-blk,{disk},sectorsize=4096/512"), "Invalid sector size 4096/512"),
    (("-s", "3,nvme,{disk},qsz=0"), "Invalid qsz option 0"),
    (("-s", "3,virtio-scsi"), "cannot open /dev/cam/ctl: No such file or directory"),
    (("-s", "3,virtio-net,tap77"), "open of tap device /dev/tap77 failed"),
    (("-s", "3,virtio-net,em0"), "em0: unknown network backend"),
    (("-s", "3,e1000,mac=01:00:00:00:00:01"), "Invalid MAC address 01:00:00:00:00:01"),
    (("-s", "3,e1000,mac=0:0:0:0:0:0"), "Invalid MAC address 0:0:0:0:0:0"),
    (("-s", "3,virtio-net,mtu=big"), "Invalid MTU big"),
    (("-s", "3,virtio-net,slirp"), "slirp: unknown network backend"),
    (("-s", "3,virtio-9p,ro"), "virtio-9p: share name required"),
    (("-s", "3,hda,play=/dev/dsp9"), "Failed to open dev: /dev/dsp9, errno: 2"),
    (("-s", "3,virtio-console,p=/no/such/p.sock"), "cannot create port p: No such file or directory"),
    (("-s", "1:31:0,lpc"), "LPC bridge can be present only on bus 0."),
    (("-s", "30,lpc", "-s", "31,lpc"), "Only one LPC bridge is allowed."),
    (("-s", "3,fbuf,vga=off,tcp=0", "-s", "4,fbuf,tcp=0"), "Only one frame buffer device is allowed."),
    (("-s", "3,fbuf,w=639"), "w=639"),
    (("-s", "3,fbuf,h=2161"), "h=2161"),
    (("-s", "3,fbuf,vga=maybe"), "Invalid vga option maybe"),
    (("-s", "3,xhci,mouse"), 'unknown device "mouse"'),
    (("-s", "3,passthru,2/0/0"), "passthru requires guest memory to be wired"),
    (("-s", "31,lpc", "-l", "com1,/dev/null"), "Unable to initialize backend '/dev/null' for LPC device com1"),
    (("-s", "31,lpc", "-l", "com2,/dev/nmdm0A"), "Unable to initialize backend '/dev/nmdm0A' for LPC device com2"),
    (
        ("-s", "31,lpc", "-l", "com1,stdio", "-l", "com2,stdio"),
        "Unable to initialize backend 'stdio' for LPC device com2",
    ),
    (("-o", "pci.0.3.0.device=ahci-hd"), 'pci slot 0:3:0: legacy device "ahci-hd", use "ahci" instead'),
    (("-o", "pci.0.3.0.device=floppy"), 'pci slot 0:3:0: unknown device "floppy"'),
    (("-o", "pci.0.3.0.x=1"), 'pci slot 0:3:0: missing "device" value'),
]


@pytest.fixture
def rom(tmp_path: Path) -> str:
    path = tmp_path / "rom.fd"
    path.write_bytes(bytes(4096))
    return str(path)


@pytest.fixture
def bhyve(program: Program, rom: str, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs bhyve with a boot ROM, so that it gets as far as its devices."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    program("kldload", "vmm")
    return lambda *words: program("bhyve", "-l", f"bootrom,{rom}", *words, "web1")


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=lambda value: str(value))
def test_devices_that_fail(bhyve: Program, disk: Path, words: tuple[str, ...], said: str) -> None:
    """The device's own words, then that initialisation failed; status 4."""
    done = bhyve(*(word.format(disk=disk) for word in words))
    assert done.returncode == 4
    first, last = done.stderr.splitlines()
    assert said in first
    assert last.startswith("Device emulation initialization error: ")


@pytest.mark.parametrize(
    "words",
    [
        ("-s", "3,virtio-net,netmap:em0"),
        ("-s", "3,virtio-net,netgraph,path=br0:,peerhook=link2"),
        ("-l", "tpm,passthru,/dev/tpm0"),
    ],
    ids=lambda words: words[-1],
)
def test_what_the_lab_has_not(bhyve: Program, words: tuple[str, ...]) -> None:
    """One sentence, status 4."""
    done = bhyve(*words)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "the lab has no " in done.stderr


def test_serial_port_without_lpc_is_silently_nothing(bhyve: Program, disk: Path) -> None:
    """Reference, section 1.8: accepted, without effect: not even a backend that is none is noticed."""
    disk.write_text("#hollow 1\n")
    done = bhyve("-s", f"3,virtio-blk,{disk}", "-l", "com1,/no/such/tty")
    assert "Unable to initialize" not in done.stderr


def test_vga_on_is_dead(bhyve: Program, disk: Path) -> None:
    """Reference, section 1.6: a message, no error, and no server."""
    disk.write_text("#hollow 1\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = bhyve("-s", "31,lpc", "-s", f"3,virtio-blk,{disk}", "-s", f"4,fbuf,tcp=127.0.0.1:{port},vga=on")
    assert (done.returncode, done.stderr) == (1, "pci_fbuf: VGA rendering not enabled\n")


def test_screen_on_a_port_in_use(bhyve: Program) -> None:
    """Reference, section 1.6."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = bhyve("-s", f"4,fbuf,tcp=127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 4
    assert "bind: Address already in use" in done.stderr


@pytest.mark.parametrize(
    ("size", "said"),
    [(None, 'Error opening bootrom "{rom}": No such file or directory'), (100, "Invalid bootrom size 100")],
)
def test_boot_roms(program: Program, tmp_path: Path, size: int | None, said: str) -> None:
    """Reference, section 1.8: a multiple of a page."""
    rom = tmp_path / "other.fd"
    if size is not None:
        rom.write_bytes(bytes(size))
    done = program("bhyve", "-s", "31,lpc", "-l", f"bootrom,{rom}", "web1")
    assert done.returncode == 4
    assert said.format(rom=rom) in done.stderr


def test_variables_of_a_boot_rom(program: Program, rom: str, tmp_path: Path) -> None:
    """Reference, section 1.8: VARS are at least a page, and must be there."""
    small = tmp_path / "vars.fd"
    small.write_bytes(bytes(100))
    for variables in (small, tmp_path / "missing.fd"):
        assert program("bhyve", "-s", "31,lpc", "-l", f"bootrom,{rom},{variables}", "web1").returncode == 4


def test_tap_in_use(bhyve: Program, program: Program, disk: Path) -> None:
    """A tap is opened by one bhyve at a time, and given back at its end."""
    name = program("ifconfig", "tap", "create").stdout.strip()
    disk.write_text("#hollow 1\n")
    words = ("-s", f"3,virtio-net,{name}", "-s", f"4,virtio-blk,{disk}", "-s", "31,lpc")
    assert bhyve(*words).returncode == 1
    assert "Opened by" not in program("ifconfig", name).stdout
    twice = bhyve("-s", f"3,virtio-net,{name}", *words[2:], "-s", f"5,virtio-net,{name}")
    assert twice.returncode == 4
    assert f"open of tap device /dev/{name} failed: Device busy" in twice.stderr
