"""How bhyve starts, lives and ends, with guests that are hollow (reference, sections 1.9 and 1.10)."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.lab import vmm
from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]
NewLab = Callable[..., Lab]

LONG_ENOUGH = 60.0


@pytest.fixture(autouse=True)
def _hollow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")


@pytest.fixture
def rom(lab: Lab) -> str:
    """A boot ROM: a hollow guest wants it only to have a size."""
    path = lab.root / "rom.fd"
    path.write_bytes(bytes(4096))
    return str(path)


@pytest.fixture
def start(lab: Lab, program: Program, rom: str) -> Iterator[Start]:
    """Starts a UEFI guest and waits until it is up: `start("web1", "-m", "64M")`."""
    program("kldload", "-n", "vmm", "nmdm")
    running: list[subprocess.Popen[str]] = []

    def begin(name: str, *words: str) -> subprocess.Popen[str]:
        line = [str(lab.bin / "bhyve"), "-AHP", "-s", "0,hostbridge", "-s", "31,lpc", "-l", f"bootrom,{rom}"]
        process = subprocess.Popen([*line, *words, name], stderr=subprocess.PIPE, text=True)
        running.append(process)
        wait_until(lambda: title(process) == f"bhyve: {name}" or process.poll() is not None)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until something holds; fails after a time that is long for everything here."""
    until = time.monotonic() + LONG_ENOUGH
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def title(process: subprocess.Popen[str]) -> str:
    """What ps shows of a process."""
    return Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[0].decode()


def test_up(start: Start, lab: Lab) -> None:
    """Once the devices are there the title is `bhyve: NAME`, and pgrep finds it as managers look for it."""
    process = start("web1")
    found = subprocess.run(["pgrep", "-fx", "bhyve: web1"], capture_output=True, text=True).stdout.split()
    assert str(process.pid) in found
    assert (lab.root / "dev/vmm/web1").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("action", "status"), [("--force-reset", 0), ("--force-poweroff", 1)])
def test_forced_ends_leave_the_node(start: Start, program: Program, lab: Lab, action: str, status: int) -> None:
    """Section 1.10."""
    process = start("web1")
    assert program("bhyvectl", "--vm=web1", action).returncode == 0
    assert process.wait(LONG_ENOUGH) == status
    assert vmm.names(lab) == ["web1"]


def test_destroy_ends_with_4_and_takes_the_node(start: Start, program: Program, lab: Lab) -> None:
    """Section 1.10; the directory goes with the last machine."""
    process, other = start("web1"), start("web10")
    done = program("bhyvectl", "--vm", "web1", "--destroy")
    assert (done.returncode, done.stdout) == (0, "")
    assert process.wait(LONG_ENOUGH) == 4
    assert vmm.names(lab) == ["web10"]
    assert other.poll() is None
    program("bhyvectl", "--destroy", "--vm=web10")
    assert not (lab.root / "dev/vmm").exists()


def test_terminate_is_the_power_button(start: Start, lab: Lab) -> None:
    """Section 1.9: a guest that reacts ends with 1."""
    process = start("web1")
    process.terminate()
    assert process.wait(LONG_ENOUGH) == 1
    assert vmm.exists(lab, "web1")


def test_kill_leaves_the_node(start: Start, program: Program, lab: Lab) -> None:
    """Section 1.9; a UEFI guest can then be started again directly."""
    start("web1").kill()
    wait_until(lambda: vmm.exists(lab, "web1"))
    again = start("web1")
    assert again.poll() is None


@pytest.mark.parametrize(("status", "left"), [(0, True), (1, False), (2, True), (3, True)])
def test_destroy_on_poweroff(start: Start, lab: Lab, tmp_path: Path, status: int, left: bool) -> None:
    """Section 1.2: -D destroys on power-off only."""
    disk = tmp_path / "disk"
    disk.write_text(f"#hollow {status}\n")
    assert start("web1", "-D", "-s", f"3,virtio-blk,{disk}").wait(LONG_ENOUGH) == status
    assert vmm.exists(lab, "web1") is left


def test_death_by_signal(start: Start, tmp_path: Path) -> None:
    """Section 1.9: abort() on a failed instruction emulation."""
    disk = tmp_path / "disk"
    disk.write_text("#hollow 134 0.1\n")
    assert start("web1", "-s", f"3,ahci-hd,{disk}").wait(LONG_ENOUGH) == -signal.SIGABRT


def test_two_of_one_name(start: Start, program: Program, rom: str) -> None:
    """The machine of a running bhyve is not taken by another."""
    first = start("web1")
    second = program("bhyve", "-s", "31,lpc", "-l", f"bootrom,{rom}", "web1")
    assert (second.returncode, second.stderr) == (4, "vm_reinit: Device busy\n")
    assert first.poll() is None


def test_memory_stays_until_destroyed(start: Start, program: Program) -> None:
    """Section 1.9: memory size can only change after destroy."""
    first = start("web1", "-m", "64M")
    first.terminate()
    first.wait(LONG_ENOUGH)
    other = start("web1", "-m", "128M")
    assert (other.wait(LONG_ENOUGH), other.communicate()[1]) == (4, "Unable to setup memory (22)\n")
    program("bhyvectl", "--vm=web1", "--destroy")
    assert start("web1", "-m", "128M").poll() is None


@pytest.mark.parametrize(
    ("release", "said"), [("14.3", "virtual machine cannot be booted"), ("15.0", "no bootrom was")]
)
def test_nothing_to_boot(new_lab: NewLab, program_in: Program, release: str, said: str) -> None:
    """Section 1.9: without a boot ROM a loader has to fill the machine first."""
    lab = new_lab(release)
    done = program_in(lab, "bhyve", "-s", "0,hostbridge", "web1")
    assert done.returncode == 4
    assert said in done.stderr


def test_too_many_processors(program: Program, rom: str) -> None:
    """Section 1.3: the limit is the host's."""
    done = program("bhyve", "-c", "1000", "-s", "31,lpc", "-l", f"bootrom,{rom}", "web1")
    limit = program("sysctl", "-n", "hw.vmm.maxcpu").stdout.strip()
    assert (done.returncode, done.stderr) == (4, f"1000 vCPUs requested but only {limit} available\n")


def test_no_more_than_16_processors_on_old_hosts(new_lab: NewLab, program_in: Program) -> None:
    """Section 0: up to 13.1 the limit is fixed."""
    lab = new_lab("11.0")
    (lab.root / "rom.fd").write_bytes(bytes(4096))
    program_in(lab, "kldload", "vmm")
    words = ("-s", "31,lpc", "-l", f"bootrom,{lab.root}/rom.fd", "web1")
    assert "17 vCPUs requested but only 16" in program_in(lab, "bhyve", "-c", "17", *words).stderr


def test_without_the_module(new_lab: NewLab, program_in: Program) -> None:
    """An old host does not load vmm by itself."""
    lab = new_lab("11.0")
    done = program_in(lab, "bhyve", "-s", "0,hostbridge", "web1")
    assert (done.returncode, done.stderr) == (4, "vm_create: No such file or directory\n")


def test_malformed_uuid(program: Program, rom: str) -> None:
    """Section 1.2."""
    done = program("bhyve", "-U", "1234", "-s", "31,lpc", "-l", f"bootrom,{rom}", "web1")
    assert done.returncode == 4
    assert "1234" in done.stderr


def test_rom_without_lpc(program: Program, rom: str, new_lab: NewLab, program_in: Program) -> None:
    """Section 1.8: up to 14 the LPC bridge maps the ROM, so the guest dies at once; 15 maps it itself."""
    assert program("bhyve", "-l", f"bootrom,{rom}", "web1").returncode == -signal.SIGABRT
    lab = new_lab("15.0")
    (lab.root / "disk").write_text("#hollow 1\n")
    words = ("-l", f"bootrom,{rom}", "-s", f"3,virtio-blk,{lab.root}/disk")
    assert program_in(lab, "bhyve", *words, "web1").returncode == 1


def test_qemu_is_named_where_it_is_missing(
    lab: Lab, rom: str, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    """Without QEMU, and without leave to be hollow, no guest is started."""
    monkeypatch.delenv("CHYVES_LAB_GUEST")
    line = [str(lab.bin / "bhyve"), "-s", "31,lpc", "-l", f"bootrom,{rom}", "web1"]
    done = subprocess.run(line, capture_output=True, text=True, env={"PATH": str(lab.bin)})
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "install the package qemu-system-x86" in done.stderr


@pytest.mark.parametrize("words", [(), ("--destroy",), ("--vm=a", "--nothing"), ("--vm=a", "--destroy=1"), ("--vm",)])
def test_bhyvectl_usage(program: Program, words: tuple[str, ...]) -> None:
    """Section 1.10."""
    done = program("bhyvectl", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Usage: bhyvectl --vm=<vmname>" in done.stderr
    assert "--suspend" not in done.stderr


@pytest.mark.parametrize("action", ["--destroy", "--force-reset", "--get-stats"])
def test_bhyvectl_without_the_machine(program: Program, action: str) -> None:
    """Section 1.10: said on stdout."""
    done = program("bhyvectl", "--vm=web1", action)
    assert (done.returncode, done.stdout, done.stderr) == (1, "VM:web1 is not created.\n", "")


def test_bhyvectl_creates(program: Program, lab: Lab) -> None:
    """Section 1.10; a name that the kernel does not take is refused."""
    assert program("bhyvectl", "--create", "--vm=web1").returncode == 0
    again = program("bhyvectl", "--create", "--vm=web1")
    assert (again.returncode, again.stdout) == (255, "errno = 17\n")
    for name in ("a/b", "..", "a b", "x" * 230):
        assert program("bhyvectl", "--create", f"--vm={name}").returncode == 255
    assert vmm.names(lab) == ["web1"]


def test_bhyvectl_stats(start: Start, program: Program) -> None:
    """Section 1.10: `%-40s<TAB>%ld` lines under a heading."""
    start("web1", "-m", "64M")
    lines = program("bhyvectl", "--vm=web1", "--get-stats", "--cpu=0").stdout.splitlines()
    assert lines[0] == "vcpu0 stats:"
    assert f"{'Resident memory':<40}\t{64 << 20}" in lines


def test_signals_go_to_nobody_else(start: Start) -> None:
    """A guest's end leaves the other guests alone."""
    web1, web2 = start("web1"), start("web2")
    os.kill(web1.pid, signal.SIGTERM)
    assert web1.wait(LONG_ENOUGH) == 1
    assert web2.poll() is None
