"""A lab that is an arm64 host: its programs against the facts, and how guests that have no power button are stopped."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chyves.host.facts import options
from chyves.lab import create, destroy
from chyves.lab.place import Lab
from tests.host_commands import chyves, done, refused

Program = Callable[..., subprocess.CompletedProcess[str]]

U_BOOT = "/usr/local/share/u-boot/u-boot-bhyve-arm64/u-boot.bin"


@pytest.fixture(scope="module")
def arm64() -> Iterator[Lab]:
    """A lab that plays FreeBSD 15.0 on arm64; nothing that is done to it stays but the module vmm."""
    with made_lab() as lab:
        yield lab


@contextmanager
def made_lab() -> Iterator[Lab]:
    """An arm64 host with something for a boot ROM, whatever the machine has."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top), machine="arm64")
    lab = Lab.open(top)
    rom = lab.root / U_BOOT.lstrip("/")
    rom.parent.mkdir(parents=True, exist_ok=True)
    rom.touch()
    try:
        yield lab
    finally:
        destroy.destroy(str(top), yes=True)
        shutil.rmtree(top, ignore_errors=True)


def test_the_host_says_what_it_is(arm64: Lab, program_in: Program) -> None:
    assert program_in(arm64, "uname", "-mp").stdout == "arm64 aarch64\n"
    names = ("hw.machine", "hw.machine_arch", "hw.model")
    told = program_in(arm64, "sysctl", "-n", *names).stdout.splitlines()
    assert told == ["arm64", "aarch64", "ARM Neoverse-N1 r3p1"]
    assert program_in(arm64, "kldload", "vmm").returncode == 0
    there = program_in(arm64, "sysctl", "-aN").stdout.split()
    assert "hw.vmm.maxcpu" in there
    assert not [name for name in there if re.match(r"hw\.vmm\.(vmx|svm|iommu|amdvi|topology)\.", name)]
    assert not {"bhyveload", "grub-bhyve"} & {path.name for path in arm64.bin.iterdir()}
    assert "CPU  0: ARM Neoverse-N1 r3p1" in (arm64.root / "var/run/dmesg.boot").read_text()


def test_bhyve_tells_of_its_options_and_devices(arm64: Lab, program_in: Program) -> None:
    asked = program_in(arm64, "bhyve", "-h")
    assert asked.returncode == 0
    assert options(asked.stderr) == frozenset("CDGHMSUWchkmoprs")
    found = set(program_in(arm64, "bhyve", "-s", "help").stdout.split())
    assert {"virtio-blk", "virtio-net", "nvme", "ahci-cd", "e1000", "xhci", "hda"} <= found
    assert not {"lpc", "fbuf", "passthru"} & found


@pytest.mark.parametrize(
    "words",
    [
        "-A",
        "-a",
        "-e",
        "-H",
        "-I",
        "-P",
        "-u",
        "-w",
        "-x",
        "-Y",
        "-l com1,stdio",
        "-K de",
        "-f opt/a,string=b",
        "-n id=0",
    ],
)
def test_bhyve_answers_options_of_amd64_with_its_usage(arm64: Lab, program_in: Program, words: str) -> None:
    ended = program_in(arm64, "bhyve", *words.split(), "-o", f"bootrom={U_BOOT}", "-o", "config.dump=1", "web")
    assert ended.returncode == 1
    assert "Usage: bhyve" in ended.stderr and ended.stdout == ""


def test_bhyve_takes_what_is_of_both(arm64: Lab, program_in: Program) -> None:
    line = "-CDSW -c cpus=4,cores=2,sockets=2 -m 1G -p 0:1 -G 1234 -s 0,hostbridge -s 4,virtio-blk,/a"
    told = program_in(arm64, "bhyve", *line.split(), "-o", "console=stdio", "-o", "config.dump=1", "web")
    assert told.returncode == 1 and told.stderr == ""
    made = dict(line.split("=", 1) for line in told.stdout.splitlines())
    assert made["console"] == "stdio" and made["cores"] == "2" and made["pci.0.4.0.path"] == "/a"
    assert made["acpi_tables"] == "false" and not [name for name in made if name.startswith("x86.")]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("-s 0,hostbridge", 4, "bhyve: no bootrom was configured"),
        ("-o lpc.bootrom=/none", 4, "bhyve: no bootrom specified"),
        ("-o bootrom=/none", 1, "bhyve: open(/none): No such file or directory"),
        (f"-o bootrom={U_BOOT} -o console=/none", 4, "Unable to initialize backend '/none' for mmio uart"),
        (f"-o bootrom={U_BOOT} -s 31,lpc", 4, 'pci slot 0:31:0: unknown device "lpc"'),
        (f"-o bootrom={U_BOOT} -s 2,passthru,2/0/0", 4, 'pci slot 0:2:0: unknown device "passthru"'),
    ],
)
def test_bhyve_refuses_in_its_own_words(arm64: Lab, program_in: Program, words: str, status: int, told: str) -> None:
    ended = program_in(arm64, "bhyve", *words.split(), "web")
    assert (ended.returncode, ended.stderr) == (status, f"{told}\n")


def test_bhyvectl_injects_nothing(arm64: Lab, lab: Lab, program_in: Program) -> None:
    assert "--inject-nmi" not in program_in(arm64, "bhyvectl").stderr
    assert "--inject-nmi" in program_in(lab, "bhyvectl").stderr
    assert program_in(arm64, "bhyvectl", "--vm=web", "--inject-nmi").returncode == 1


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """An arm64 host with two guests that run, of which `a` has an agent and `b` has none."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    with made_lab() as lab:
        done(lab, "dataset", lab.pool, "install")
        done(lab, "a,b", "create", "64M", "--preset=freebsd")
        done(lab, "a", "set", "agent=yes")
        done(lab, "a,b", "start")
        yield lab
        chyves(lab, "all", "stop", "force")


def test_a_guest_without_a_power_button_is_asked_by_its_agent_or_not_at_all(house: Lab) -> None:
    """SIGTERM kills the bhyve of arm64, which would be to pull the plug."""
    running = (house.root / "var/run/chyves/b.json").read_text()
    assert refused(house, "b", "stop") == (
        "b: has no power button, as no guest on arm64 has; shut it down from inside, have its agent do so "
        "(agent=yes, from the next start on), or pull the plug: chyves b stop force"
    )
    dry = done(house, "a", "stop", "--dry-run")
    assert "guest-shutdown" in dry and "TERM" not in dry
    both = chyves(house, "a,b", "stop")
    assert both.returncode == 1 and "b: has no power button" in both.stderr and "a: is off" in both.stderr
    assert "bhyve ended with status 1: power-off" in log(house, "a")
    assert (house.root / "var/run/chyves/b.json").read_text() == running
    done(house, "a", "start")
    at_the_end_of_the_host = chyves(house, "all", "shutdown")
    assert at_the_end_of_the_host.returncode == 0
    told = at_the_end_of_the_host.stderr
    assert "b: has no power button" in told and "b: pulling the plug" in told and "b: is off" in told
    assert "a: pulling the plug" not in told and "a: is off" in told
    assert log(house, "a").count("bhyve ended with status 1: power-off") == 2
    assert not (house.root / "dev/vmm").exists()


def log(lab: Lab, guest: str) -> str:
    """What is in a guest's log."""
    return next((lab.root / f"chyves/{lab.pool}/guests/{guest}/logs").glob("*.log")).read_text()
