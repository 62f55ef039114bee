"""bhyve's command line against the facts: variables, order, grammars of values, refusals and their statuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
NewLab = Callable[..., Lab]

DUMP = ("-o", "config.dump=1")


def variables(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What `config.dump=1` printed, by name."""
    assert done.returncode == 1, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


WRITES = [
    (("-c", "4"), {"cpus": "4"}),
    (("-c", "cpus=4,sockets=1,cores=2,threads=2"), {"cpus": "4", "sockets": "1", "cores": "2", "threads": "2"}),
    (("-c", ""), {"cpus": "1", "sockets": "1", "cores": "1", "threads": "1"}),
    (("-c2", "-c", "8"), {"cpus": "8"}),
    (("-AHPw",), {"acpi_tables": "true", "x86.vmexit_on_hlt": "true", "x86.strictmsr": "false"}),
    (("-ax",), {"x86.x2apic": "true"}),
    (("-xa",), {"x86.x2apic": "false"}),
    (("-Hm2G", "-u"), {"memory.size": "2G", "rtc.use_localtime": "false"}),
    (("-p", "0:1", "-p", "0:3", "-p", "1:2"), {"vcpu.0.cpuset": "1,3", "vcpu.1.cpuset": "2"}),
    (("-G", "w127.0.0.1:1234"), {"gdb.wait": "true", "gdb.address": "127.0.0.1", "gdb.port": "1234"}),
    (("-s", "0,hostbridge"), {"pci.0.0.0.device": "hostbridge"}),
    (("-s", "0:4:2,hostbridge"), {"pci.0.4.2.device": "hostbridge"}),
    (("-s", "3:1junk,hostbridge"), {"pci.0.3.1.device": "hostbridge"}),
    (
        ("-s", "4,virtio-blk,/dev/zvol/tank/a,nocache,sectorsize=512/4096"),
        {"pci.0.4.0.path": "/dev/zvol/tank/a", "pci.0.4.0.nocache": "true", "pci.0.4.0.sectorsize": "512/4096"},
    ),
    (
        ("-s", "3,ahci-hd,/a,ser=S1"),
        {
            "pci.0.3.0.device": "ahci",
            "pci.0.3.0.port.0.type": "hd",
            "pci.0.3.0.port.0.path": "/a",
            "pci.0.3.0.port.0.ser": "S1",
        },
    ),
    (
        ("-s", "3,ahci,hd:/a,ro,cd:/b"),
        {"pci.0.3.0.port.0.ro": "true", "pci.0.3.0.port.1.type": "cd", "pci.0.3.0.port.1.path": "/b"},
    ),
    (("-s", "5,virtio-net,tap0,mac=00:a0:98:1:2:3"), {"pci.0.5.0.backend": "tap0", "pci.0.5.0.mac": "00:a0:98:1:2:3"}),
    (("-s", "5,virtio-net,mtu=9000"), {"pci.0.5.0.mtu": "9000"}),
    (("-s", "6,fbuf,tcp=0.0.0.0:5901,wait"), {"pci.0.6.0.tcp": "0.0.0.0:5901", "pci.0.6.0.wait": "true"}),
    (("-s", "6,virtio-console,a=/a,b=/b"), {"pci.0.6.0.port.1.name": "b", "pci.0.6.0.port.1.path": "/b"}),
    (("-s", "6,virtio-9p,home=/home,ro"), {"pci.0.6.0.sharename": "home", "pci.0.6.0.ro": "true"}),
    (("-s", "6,virtio-scsi,/dev/cam/ctl1.0,iid=3"), {"pci.0.6.0.dev": "/dev/cam/ctl1.0", "pci.0.6.0.iid": "3"}),
    (("-s", "7,passthru,2/0/1"), {"pci.0.7.0.bus": "2", "pci.0.7.0.slot": "0", "pci.0.7.0.func": "1"}),
    (("-l", "COM1,stdio"), {"lpc.com1.path": "stdio"}),
    (("-l", "bootrom,/rom,/vars,fwcfg=qemu"), {"lpc.bootvars": "/vars", "lpc.fwcfg": "qemu"}),
    (("-l", "bootrom,/rom,fwcfg=qemu"), {"lpc.bootrom": "/rom", "lpc.fwcfg": "qemu"}),
    (("-U", "not checked yet"), {"uuid": "not checked yet"}),
    (("-s", "3,hostbridge", "-o", "pci.0.3.0.x=1"), {"pci.0.3.0.x": "1"}),
]


@pytest.mark.parametrize(("words", "expected"), WRITES, ids=lambda value: " ".join(value) or "none")
def test_options_write_variables(program: Program, words: tuple[str, ...], expected: dict[str, str]) -> None:
    """Reference, sections 1.2 to 1.8."""
    written = variables(program("bhyve", *words, *DUMP, "web1"))
    assert {name: written.get(name) for name in expected} == expected
    assert written["name"] == "web1"


def test_defaults(program: Program, new_lab: NewLab, program_in: Program) -> None:
    """Reference, section 1.2: memory; ACPI is off until asked for, and always on from 15.0."""
    assert variables(program("bhyve", *DUMP, "a"))["memory.size"] == "256M"
    assert variables(program("bhyve", *DUMP, "a"))["acpi_tables"] == "false"
    assert variables(program_in(new_lab("15.0"), "bhyve", *DUMP, "a"))["acpi_tables"] == "true"


def test_boot_rom_is_a_variable_of_its_own_in_15(new_lab: NewLab, program_in: Program) -> None:
    """Reference, section 1.4."""
    written = variables(program_in(new_lab("15.0"), "bhyve", "-l", "bootrom,/r,/v", *DUMP, "a"))
    assert (written["bootrom"], written["bootvars"]) == ("/r", "/v")


def test_options_end_at_the_name(program: Program) -> None:
    """getopt(3) of FreeBSD does not permute: what follows the name is not an option, and one name is all."""
    late = program("bhyve", *DUMP, "web1", "-c", "2")
    assert (late.returncode, late.stdout) == (1, "")
    assert late.stderr.startswith("Usage: bhyve")
    assert variables(program("bhyve", *DUMP, "--", "-web1"))["name"] == "-web1"


def test_name_may_come_from_a_variable(program: Program) -> None:
    """Reference, section 1.1."""
    assert variables(program("bhyve", "-o", "name=db", *DUMP))["name"] == "db"
    assert program("bhyve", "-c", "2").returncode == 1


def test_config_file_and_order(program: Program, tmp_path: Path) -> None:
    """Reference, sections 1.1 and 1.4: the last write wins, wherever it stands."""
    file = tmp_path / "base.conf"
    file.write_text("# base\n\nmemory.size=1G\ncpus=2\npci.0.3.0.device=ahci\npci.0.3.0.port.0.path= a b\n")
    written = variables(program("bhyve", "-m", "512M", "-k", str(file), "-c", "4", *DUMP, "web1"))
    assert (written["memory.size"], written["cpus"]) == ("1G", "4")
    assert written["pci.0.3.0.port.0.path"] == " a b"
    assert "already occupied" in program("bhyve", "-k", str(file), "-s", "3,lpc", "a").stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("memory.size\n", "line 1: invalid config option 'memory.size'"),
        ("# x\ncpus=\n", "line 2: invalid config option 'cpus='"),
        ("a=1\na.b=2\n", "Failed to create configuration node a"),
        ("a.b=1\na=2\n", "Attempting to add value 2 to existing node a"),
    ],
)
def test_config_file_mistakes(program: Program, tmp_path: Path, text: str, said: str) -> None:
    """Reference, section 1.4."""
    file = tmp_path / "bad.conf"
    file.write_text(text)
    done = program("bhyve", "-k", str(file), *DUMP, "web1")
    assert done.returncode == 4
    assert said in done.stderr


def test_missing_config_file(program: Program) -> None:
    """Reference, section 1.4."""
    done = program("bhyve", "-k", "/no/such.conf", "web1")
    assert done.returncode == 4
    assert "Failed to open configuration file /no/such.conf: No such file or directory" in done.stderr


MISTAKES = [
    (("-c", "cups=2"), 64, "invalid cpu topology 'cups=2'"),
    (("-c", "0"), 4, "Invalid value for cpus: '0'"),
    (("-c", "two"), 4, "Invalid value for cpus: 'two'"),
    (("-c", "65536"), 4, "Invalid value for cpus: '65536'"),
    (("-c", "4,cores=3"), 4, "Topology (4 sockets, 3 cores, 1 threads) does not match 4 vCPUs"),
    (("-m", "1GiB"), 64, "invalid memsize '1GiB'"),
    (("-m", "lots"), 64, "invalid memsize 'lots'"),
    (("-p", "1"), 64, "invalid vcpu pinning configuration '1'"),
    (("-p", "-1:0"), 64, "invalid vcpu pinning configuration '-1:0'"),
    (("-o", "cpus"), 64, "invalid configuration option 'cpus'"),
    (("-o", "cpus="), 64, "invalid configuration option 'cpus='"),
    (("-l", "com9,stdio"), 64, "invalid lpc device configuration 'com9,stdio'"),
    (("-l", "fwcfg,qemu"), 64, "invalid lpc device configuration 'fwcfg,qemu'"),
    (("-f", "opt/x"), 64, "invalid fwcfg item 'opt/x'"),
    (("-s", "3"), 4, 'Invalid PCI slot info field "3"'),
    (("-s", "32,lpc"), 4, 'Invalid PCI slot info field "32,lpc"'),
    (("-s", "3:8,lpc"), 4, 'Invalid PCI slot info field "3:8,lpc"'),
    (("-s", "256:0:0,lpc"), 4, 'Invalid PCI slot info field "256:0:0,lpc"'),
    (("-s", "x,lpc"), 4, 'Invalid PCI slot info field "x,lpc"'),
    (("-s", "3,floppy"), 4, 'pci slot 0:3:0: unknown device "floppy"'),
    (("-s", "3,LPC"), 4, 'pci slot 0:3:0: unknown device "LPC"'),
    (("-s", "3,lpc", "-s", "0:3:0,hostbridge"), 4, "pci slot 0:3:0 already occupied!"),
    (("-o", "pci.0.3.0.x=1", "-s", "3,lpc"), 4, "pci slot 0:3:0 already occupied!"),
    (("-s", "3,ahci,/a"), 4, 'Missing or invalid type for port 0: "/a"'),
    (("-s", "3,passthru,2-0-0"), 4, 'passthru: invalid options "2-0-0"'),
    (("-o", "config.dump=maybe"), 4, "Invalid value maybe for boolean variable config.dump"),
    (("-Z",), 1, "illegal option -- Z"),
    (("-c",), 1, "option requires an argument -- c"),
    (("-g", "1234"), 1, "illegal option -- g"),
    (("-n", "id=0,size=1G"), 1, "illegal option -- n"),
]


@pytest.mark.parametrize(("words", "status", "said"), MISTAKES, ids=lambda value: str(value))
def test_mistakes(program: Program, lab: Lab, words: tuple[str, ...], status: int, said: str) -> None:
    """Reference, sections 1.3, 1.5, 1.8 and 1.9; nothing is left of any of them."""
    done = program("bhyve", *words, *(("web1",) if words != ("-c",) else ()))
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert not (lab.root / "dev/vmm").exists()


@pytest.mark.parametrize(
    ("release", "has", "has_not"),
    [("11.0", "g", "kofMn"), ("13.2", "koD", "fMng"), ("14.3", "kof", "Mng"), ("15.0", "kofMn", "g")],
)
def test_usage_lists_the_letters_of_the_release(
    new_lab: NewLab, program_in: Program, release: str, has: str, has_not: str
) -> None:
    """Reference, section 0: a manager probes `bhyve -h`, which ends with 0."""
    done = program_in(new_lab(release), "bhyve", "-h")
    assert (done.returncode, done.stdout) == (0, "")
    letters = {line.split()[0] for line in done.stderr.splitlines() if line.strip().startswith("-")}
    assert {f"-{letter}:" for letter in has} <= letters
    assert not {f"-{letter}:" for letter in has_not} & letters


def test_device_lists(new_lab: NewLab, program_in: Program) -> None:
    """Reference, section 0: names on stdout, status 0, by release."""
    old, new = new_lab("11.0"), new_lab("14.3")
    listed = program_in(new, "bhyve", "-s", "help")
    assert listed.returncode == 0
    assert {"nvme", "virtio-9p", "fbuf", "virtio-input"} <= set(listed.stdout.split())
    assert not {"nvme", "virtio-9p", "hda"} & set(program_in(old, "bhyve", "-s", "help").stdout.split())
    assert {"com4", "tpm", "bootrom"} <= set(program_in(new, "bhyve", "-l", "help").stdout.split())
    assert not {"com3", "tpm"} & set(program_in(old, "bhyve", "-l", "help").stdout.split())
