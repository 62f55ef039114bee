"""bhyveload and grub-bhyve: grammar, refusals, statuses, and what they leave (reference, section 2)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.lab import vmm
from chyves.lab.bhyve.grub import mentioned, with_console
from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
NewLab = Callable[..., Lab]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 20))
    return path


@pytest.fixture
def device_map(tmp_path: Path, disk: Path) -> Path:
    path = tmp_path / "device.map"
    path.write_text(f"# disks\n\n  (hd0) {disk} and more\n(cd) {disk}\n")
    return path


def test_bhyveload_fills_a_machine(program: Program, lab: Lab, disk: Path) -> None:
    """Section 2.1: the machine is made, with this memory, and can then be started."""
    done = program("bhyveload", "-m", "512M", "-e", "autoboot_delay=3", "-d", str(disk), "web1")
    assert (done.returncode, done.stderr) == (0, "")
    assert vmm.machine(lab, "web1").memory == 512 << 20
    assert vmm.machine(lab, "web1").loaded["disks"] == [str(disk)]


def test_bhyveload_again(program: Program, disk: Path) -> None:
    """Section 2.1: an existing machine is re-initialised; its memory cannot change."""
    for _ in range(2):
        assert program("bhyveload", "-d", str(disk), "web1").returncode == 0
    other = program("bhyveload", "-m", "1G", "-d", str(disk), "web1")
    assert (other.returncode, other.stderr) == (1, "vm_setup_memory: Invalid argument\n")


def test_memory_of_bhyve_must_be_the_loaders(program: Program, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 2.1."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    disk.write_text("#hollow 1\n")
    program("bhyveload", "-m", "512M", "-d", str(disk), "web1")
    wrong = program("bhyve", "-m", "1G", "-s", f"3,virtio-blk,{disk}", "web1")
    assert (wrong.returncode, wrong.stderr) == (4, "Unable to setup memory (22)\n")
    assert program("bhyve", "-m", "512M", "-s", f"3,virtio-blk,{disk}", "web1").returncode == 1


def test_loaded_once_runs_once(program: Program, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 1.9: guests without a boot ROM need their loader before each start."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    disk.write_text("#hollow 0\n")
    program("bhyveload", "-d", str(disk), "web1")
    assert program("bhyve", "-s", f"3,virtio-blk,{disk}", "web1").returncode == 0
    assert program("bhyve", "-s", f"3,virtio-blk,{disk}", "web1").returncode == 4


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("-d", "/no/disk", "web1"), 64, "bhyveload: Could not open '/no/disk'"),
        (("-m", "much", "web1"), 64, "bhyveload: Invalid memsize 'much'"),
        (("-c", "/dev/null", "web1"), 64, "bhyveload: Could not open '/dev/null'"),
        (("-l", "a", "-l", "b", "web1"), 64, "bhyveload: -l can only be given once"),
        ((), 1, "usage: bhyveload"),
        (("a", "b"), 1, "usage: bhyveload"),
        (("-x", "web1"), 1, "illegal option -- x"),
        (("a b",), 1, "vm_create: Invalid argument"),
    ],
    ids=lambda value: str(value),
)
def test_bhyveload_refuses(program: Program, lab: Lab, words: tuple[str, ...], status: int, said: str) -> None:
    """Section 2.1."""
    done = program("bhyveload", *words)
    assert done.returncode == status
    assert said in done.stderr
    assert vmm.names(lab) == []


def test_loaders_need_the_module(new_lab: NewLab, program_in: Program, disk: Path) -> None:
    """An old host does not load vmm by itself."""
    lab = new_lab("11.0")
    done = program_in(lab, "bhyveload", "-d", str(disk), "web1")
    assert (done.returncode, done.stderr) == (1, "vm_create: No such file or directory\n")
    assert program_in(lab, "grub-bhyve", "web1").returncode == 1


def test_grub_bhyve_fills_a_machine(program: Program, lab: Lab, device_map: Path, disk: Path) -> None:
    """Section 2.2: short and long options, wherever they stand; a bare `cd` is the first CD."""
    done = program("grub-bhyve", "web1", "--root=hd0,1", "-m", str(device_map), "-M", "512M", "-S", "-H3", "-nv")
    assert (done.returncode, done.stderr) == (0, "")
    known = vmm.machine(lab, "web1")
    assert known.memory == 512 << 20
    assert known.loaded["map"] == {"hd0": str(disk), "cd0": str(disk)}
    assert (known.loaded["root"], known.loaded["directory"], known.loaded["text"]) == ("hd0,1", "/boot/grub", None)


@pytest.mark.parametrize(("text", "size"), [("512", 512 << 20), ("2048K", 2 << 20), ("1g", 1 << 30)])
def test_memory_of_grub_bhyve(program: Program, lab: Lab, text: str, size: int) -> None:
    """Section 2.2: megabytes, or with a suffix."""
    assert program("grub-bhyve", "-M", text, "web1").returncode == 0
    assert vmm.machine(lab, "web1").memory == size


def test_grub_bhyve_wants_no_machine_there(program: Program) -> None:
    """Section 2.2: destroy before each run."""
    assert program("grub-bhyve", "web1").returncode == 0
    again = program("grub-bhyve", "web1")
    assert again.returncode == 1
    assert "Error in initializing VM" in again.stderr


def test_where_the_configuration_comes_from(program: Program, lab: Lab, tmp_path: Path) -> None:
    """Section 2.2: a file of the host before commands; the file's name can be given."""
    (tmp_path / "own.cfg").write_text("boot\n")
    program("grub-bhyve", "-r", "host", "-d", str(tmp_path), "-g", "own.cfg", "a")
    assert vmm.machine(lab, "a").loaded["text"] == "boot\n"
    line = [str(lab.bin / "grub-bhyve"), "b"]
    subprocess.run(line, input="kopenbsd -h com0 (hd0,openbsd1)/bsd\nboot\n", text=True, check=True)
    assert vmm.machine(lab, "b").loaded["text"] == "kopenbsd -h com0 (hd0,openbsd1)/bsd\nboot\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 1, "Required VM name parameter not supplied"),
        (("-M", "much", "web1"), 1, "Invalid guest memory size `much'."),
        (("-m", "/no/map", "web1"), 1, "/no/map"),
        (("-c", "/dev/null", "web1"), 1, "/dev/null"),
        (("-x", "web1"), 64, "illegal option -- x"),
        (("--nothing", "web1"), 64, "unrecognized option -- nothing"),
    ],
    ids=lambda value: str(value),
)
def test_grub_bhyve_refuses(program: Program, lab: Lab, words: tuple[str, ...], status: int, said: str) -> None:
    """Section 2.2."""
    done = program("grub-bhyve", *words)
    assert done.returncode == status
    assert said in done.stderr
    assert vmm.names(lab) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hd0 /a", ":1: No open parenthesis found"),
        ("(hd0 /a", ":1: No close parenthesis found"),
        ("(hd0)", ":1: No path found"),
        ("(disk0) /a", ":1: bad device name"),
    ],
)
def test_device_maps_that_are_none(program: Program, tmp_path: Path, line: str, said: str) -> None:
    """Section 2.2: fatal, with file and line."""
    (tmp_path / "map").write_text(f"{line}\n")
    done = program("grub-bhyve", "-m", str(tmp_path / "map"), "web1")
    assert done.returncode == 1
    assert f"{tmp_path}/map{said}" in done.stderr


def test_devices_that_are_left_out(program: Program, lab: Lab, tmp_path: Path, disk: Path) -> None:
    """Section 2.2: partitions are skipped and what is not there is dropped, both with a word, without failing."""
    (tmp_path / "map").write_text(f"(hd0,1) {disk}\n(hd1) /no/disk\n(hd2) {disk}\n")
    done = program("grub-bhyve", "-m", str(tmp_path / "map"), "web1")
    assert done.returncode == 0
    assert "Cannot stat `/no/disk'" in done.stderr
    assert vmm.machine(lab, "web1").loaded["map"] == {"hd2": str(disk)}


def test_loaders_do_not_touch_a_running_machine(program: Program, lab: Lab, disk: Path) -> None:
    """Section 2.1: the machine of a bhyve that runs is busy."""
    program("bhyveload", "-d", str(disk), "web1")
    machine = vmm.Open(lab, "web1")
    done = program("bhyveload", "-d", str(disk), "web1")
    assert (done.returncode, done.stderr) == (1, "vm_reinit: Device busy\n")
    assert machine.known.loaded["disks"] == [str(disk)]
    machine.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux /vmlinuz root=/dev/vda1", "linux /vmlinuz root=/dev/vda1 console=ttyS0"),
        ("  linux /vmlinuz console=tty0", "  linux /vmlinuz console=tty0"),
        ("initrd /initrd", "initrd /initrd"),
        ("linux16 /v\nboot", "linux16 /v console=ttyS0\nboot"),
    ],
)
def test_console_of_linux(text: str, expected: str) -> None:
    """Section 2.2, -n: without it a console is added to Linux command lines."""
    assert with_console(text) == expected


def test_devices_that_a_configuration_names() -> None:
    """With and without parentheses, with partitions or not."""
    assert mentioned("root=hd0,1 ; linux (hd1,msdos1)/v ; set root='cd0'") == ["hd0", "hd1", "cd0"]
