"""kldload, kldstat, kldunload and sysctl (reference: freebsd.md section 5)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]


def test_a_module_is_loaded_once(program: Program) -> None:
    assert program("kldload", "vmm").returncode == 0
    again = program("kldload", "vmm")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "kldload: can't load vmm: module already loaded or in kernel\n"
    quiet = program("kldload", "-n", "vmm")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_an_unknown_module_is_refused_and_the_others_are_loaded(program: Program) -> None:
    answer = program("kldload", "nonesuch", "nmdm")
    assert (answer.returncode, answer.stderr) == (1, "kldload: can't load nonesuch: No such file or directory\n")
    assert program("kldstat", "-qm", "nmdm").returncode == 0


@pytest.mark.parametrize("name", ["nmdm", "nmdm.ko", "/boot/kernel/nmdm.ko"])
def test_a_module_may_be_named_as_a_file(program: Program, name: str) -> None:
    assert program("kldload", name).returncode == 0
    assert program("kldstat", "-qn", "nmdm.ko").returncode == 0
    assert program("kldstat", "-qn", "nmdm").returncode == 0


@pytest.mark.parametrize(
    ("release", "there", "missing"),
    [("11.0", "if_tun", "if_tuntap"), ("13.2", "if_tuntap", "if_tap"), ("14.3", "if_tuntap", "if_tap")],
)
def test_tap_is_in_the_kernel_or_a_module(
    new_lab: Callable[..., Lab], program_in: Program, release: str, there: str, missing: str
) -> None:
    lab = new_lab(release)
    assert program_in(lab, "kldstat", "-qm", there).returncode == 0
    assert program_in(lab, "kldstat", "-qm", missing).returncode == 1
    status = program_in(lab, "kldload", "if_tap").returncode
    assert status == (0 if release == "11.0" else 1)
    assert program_in(lab, "kldload", "-n", "if_tap").returncode == 0


def test_a_module_brings_those_that_it_needs_and_takes_them_along(program: Program) -> None:
    program("kldload", "if_bridge")
    assert program("kldstat", "-qm", "bridgestp").returncode == 0
    assert program("kldunload", "if_bridge").returncode == 0
    assert program("kldstat", "-qm", "bridgestp").returncode == 1


def test_the_listing_has_columns(program: Program) -> None:
    program("kldload", "nmdm")
    head, *rows = program("kldstat").stdout.splitlines()
    assert head.split() == ["Id", "Refs", "Address", "Size", "Name"]
    assert [row.split()[4] for row in rows] == ["kernel", "zfs.ko", "nmdm.ko"]
    assert all(row.split()[2].startswith("0xffffffff") for row in rows)


def test_a_file_that_is_not_loaded_is_told_unless_quiet(program: Program) -> None:
    answer = program("kldstat", "-n", "vmm")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("kldstat: can't find file vmm: ")
    assert (program("kldstat", "-q", "-n", "vmm").returncode, program("kldstat", "-q", "-n", "vmm").stderr) == (1, "")


def test_unloading(program: Program, lab: Lab) -> None:
    program("kldload", "vmm")
    (lab.root / "dev/vmm").mkdir()
    busy = program("kldunload", "vmm")
    assert (busy.returncode, busy.stderr) == (1, "kldunload: can't unload file: Device busy\n")
    assert program("kldstat", "-qm", "vmm").returncode == 0
    (lab.root / "dev/vmm").rmdir()
    assert program("kldunload", "vmm").returncode == 0
    gone = program("kldunload", "vmm")
    assert (gone.returncode, gone.stderr) == (1, "kldunload: can't find file vmm\n")


def test_a_bridge_keeps_its_module_busy(program: Program) -> None:
    program("ifconfig", "bridge0", "create")
    assert "Device busy" in program("kldunload", "if_bridge").stderr
    program("ifconfig", "bridge0", "destroy")
    assert program("kldunload", "if_bridge").returncode == 0


def test_vmm_is_refused_by_a_processor_without_virtualisation(new_lab: Callable[..., Lab], program_in: Program) -> None:
    lab = new_lab(cpu="none")
    answer = program_in(lab, "kldload", "vmm")
    assert answer.returncode == 1
    assert answer.stderr == (
        "kldload: an error occurred while loading module vmm. Please check dmesg(8) for more details.\n"
    )
    assert program_in(lab, "kldstat", "-qm", "vmm").returncode == 1


@pytest.mark.parametrize("name", ["kldload", "kldunload", "sysctl"])
def test_nothing_asked_is_a_usage_error(program: Program, name: str) -> None:
    answer = program(name)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"usage: {name} ")


@pytest.mark.parametrize(
    ("release", "number"), [("11.0", "1100122"), ("13.2", "1302001"), ("14.3", "1403000"), ("15.0", "1500068")]
)
def test_sysctl_tells_the_release(new_lab: Callable[..., Lab], program_in: Program, release: str, number: str) -> None:
    lab = new_lab(release)
    assert program_in(lab, "sysctl", "-n", "kern.osreldate").stdout == f"{number}\n"
    assert program_in(lab, "uname", "-K").stdout == f"{number}\n"
    assert program_in(lab, "freebsd-version", "-ku").stdout.split("\n")[0].startswith(f"{release}-RELEASE")


def test_sysctl_of_vmm_needs_the_module(program: Program) -> None:
    answer = program("sysctl", "-n", "hw.vmm.maxcpu")
    assert (answer.returncode, answer.stderr) == (1, "sysctl: unknown oid 'hw.vmm.maxcpu'\n")
    assert (program("sysctl", "-i", "hw.vmm.maxcpu").returncode, program("sysctl", "-i", "hw.vmm.maxcpu").stdout) == (
        0,
        "",
    )
    assert (program("sysctl", "-q", "hw.vmm.maxcpu").returncode, program("sysctl", "-q", "hw.vmm.maxcpu").stderr) == (
        1,
        "",
    )
    program("kldload", "vmm")
    assert program("sysctl", "hw.vmm.maxcpu").stdout == "hw.vmm.maxcpu: 8\n"
    assert program("sysctl", "-n", "hw.vmm.vmx.cap.unrestricted_guest").stdout == "1\n"


@pytest.mark.parametrize(("cpu", "told"), [("amd", "0\n0\n33871\n32768\n"), ("intel", "1\n1\n4294967295\n0\n")])
def test_vmm_has_the_sysctls_of_both_makers(
    new_lab: Callable[..., Lab], program_in: Program, cpu: str, told: str
) -> None:
    """As of a kernel in which only the one of the machine has been used (sys/amd64/vmm/intel/vmx.c, amd/svm.c)."""
    lab = new_lab(cpu=cpu, ncpu=4)
    program_in(lab, "kldload", "vmm")
    names = ("vmx.initialized", "vmx.cap.unrestricted_guest", "svm.features", "svm.num_asids")
    assert program_in(lab, "sysctl", "-n", *(f"hw.vmm.{name}" for name in names)).stdout == told
    assert program_in(lab, "sysctl", "-n", "hw.ncpu", "hw.vmm.maxcpu").stdout == "4\n4\n"


def test_old_releases_have_no_limit_of_processors_to_ask_for(new_lab: Callable[..., Lab], program_in: Program) -> None:
    lab = new_lab("11.0")
    program_in(lab, "kldload", "vmm")
    assert program_in(lab, "sysctl", "hw.vmm.maxcpu").returncode == 1


def test_setting_a_sysctl_shows_both_values_and_lasts(program: Program) -> None:
    assert program("sysctl", "net.link.tap.up_on_open=1").stdout == "net.link.tap.up_on_open: 0 -> 1\n"
    assert program("sysctl", "-n", "net.link.tap.up_on_open").stdout == "1\n"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("hw.ncpu=4", "oid 'hw.ncpu' is read only"),
        ("net.link.tap.up_on_open=yes", "invalid integer 'yes'"),
        ("no.such=1", "unknown oid 'no.such'"),
        ("kern.racct.enable=1", "is a read only tunable"),
    ],
)
def test_a_setting_that_cannot_be(program: Program, word: str, told: str) -> None:
    answer = program("sysctl", word)
    assert answer.returncode == 1
    assert told in answer.stderr


def test_a_tunable_is_read_from_loader_conf(program: Program, lab: Lab) -> None:
    with (lab.root / "boot/loader.conf").open("a") as file:
        file.write('hw.vmm.maxcpu="32"\n')
    program("kldload", "vmm")
    assert program("sysctl", "-n", "hw.vmm.maxcpu").stdout == "32\n"


def test_a_node_shows_what_is_below_it(program: Program) -> None:
    lines = program("sysctl", "net.link.tap").stdout.splitlines()
    assert lines[:2] == ["net.link.tap.user_open: 0", "net.link.tap.up_on_open: 0"]
    assert "kern.ostype: FreeBSD" in program("sysctl", "-a").stdout.splitlines()


def test_many_programs_at_once_lose_nothing(lab: Lab, program: Program) -> None:
    started = [subprocess.Popen([lab.bin / "ifconfig", "tap", "create"], stdout=subprocess.PIPE) for _ in range(8)]
    names = sorted(process.communicate()[0].decode().strip() for process in started)
    assert names == [f"tap{number}" for number in range(8)]
    assert set(names) < set(program("ifconfig", "-l").stdout.split())
