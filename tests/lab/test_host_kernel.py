"""Modules, sysctls and the facts of a host, asked in labs of several releases and machines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chyves.bhyve.pcidevs import no_iommu
from chyves.errors import ChyvesError
from chyves.host.facts import host_facts, options
from chyves.host.machine import Host
from chyves.lab.place import Lab

MODULES = ("vmm", "nmdm", "if_bridge", "if_tuntap")

NewLab = Callable[..., Lab]


def opened(lab: Lab, dry: bool = False) -> Host:
    return Host.open({"CHYVES_LAB": str(lab.top)}, dry)


@pytest.mark.parametrize(
    ("release", "number"), [("11.0", 1100122), ("13.2", 1302001), ("14.3", 1403000), ("15.0", 1500068)]
)
def test_the_missing_modules_are_loaded_in_any_release(new_lab: NewLab, release: str, number: int) -> None:
    kernel = opened(new_lab(release)).kernel
    assert kernel.release() == number
    assert [kernel.loaded(module) for module in MODULES[:3]] == [False, False, False]
    kernel.load(MODULES)
    assert all(kernel.loaded(module) for module in MODULES)
    kernel.load(MODULES)


@pytest.mark.parametrize("release", ["11.0", "14.3"])
def test_the_module_of_taps_goes_by_both_its_names(
    new_lab: NewLab, release: str, capfd: pytest.CaptureFixture[str]
) -> None:
    lab = new_lab(release)
    opened(lab).kernel.load(["if_tap"])
    dry = opened(lab, dry=True).kernel
    assert dry.loaded("if_tap")
    assert dry.loaded("if_tuntap")
    dry.load(["if_tap", "if_tuntap"])
    assert capfd.readouterr().out == ""


def test_only_what_is_missing_is_loaded(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    opened(lab).kernel.load(["nmdm"])
    opened(lab, dry=True).kernel.load(MODULES)
    assert capfd.readouterr().out == "kldload -n vmm if_bridge\n"
    assert not opened(lab).kernel.loaded("vmm")


def test_what_kldload_says_is_told(lab: Lab) -> None:
    with pytest.raises(ChyvesError) as caught:
        opened(lab).kernel.load(["nonesuch"])
    assert str(caught.value) == (
        "nonesuch: cannot be loaded: kldload: can't load nonesuch: No such file or directory; "
        "see dmesg(8), and whether it is in /boot/kernel"
    )


def test_a_machine_that_cannot_run_bhyve_is_told_so(new_lab: NewLab) -> None:
    kernel = opened(new_lab(cpu="none")).kernel
    with pytest.raises(ChyvesError, match=r"^vmm: cannot be loaded: .*; this CPU cannot run bhyve, or "):
        kernel.load(["vmm"])


def test_a_module_that_is_loaded_and_does_not_work_is_told(lab: Lab) -> None:
    """What kldstat(8) says where the file of vmm is loaded and its module refused to start."""
    (lab.bin / "kldstat").write_text('#!/bin/sh\n[ "$*" = "-q -n vmm" ]\n')
    with pytest.raises(ChyvesError, match=r"^vmm: is loaded but does not work: this CPU cannot run bhyve, or "):
        opened(lab).kernel.load(["vmm"])


def test_sysctls_that_are_not_there_are_left_out(lab: Lab) -> None:
    kernel = opened(lab).kernel
    assert kernel.sysctl("hw.vmm.maxcpu") == {}
    kernel.load(["vmm"])
    found = kernel.sysctl("hw.vmm.maxcpu", "hw.nonesuch", "kern.osreldate")
    assert found == {"hw.vmm.maxcpu": "8", "kern.osreldate": "1403000"}


def test_a_node_is_not_taken_for_the_values_below_it(lab: Lab) -> None:
    assert opened(lab).kernel.sysctl("net.inet", "kern.ostype") == {"kern.ostype": "FreeBSD"}


def test_values_may_have_several_lines_and_colons(lab: Lab) -> None:
    lines = "printf 'kern.version: FreeBSD 14.3: GENERIC\\n  second: line\\nkern.ostype: FreeBSD\\nkern.empty: \\n'"
    (lab.bin / "sysctl").write_text(f"#!/bin/sh\n{lines}\n")
    assert opened(lab).kernel.sysctl("kern.version", "kern.ostype", "kern.empty") == {
        "kern.version": "FreeBSD 14.3: GENERIC\n  second: line",
        "kern.ostype": "FreeBSD",
        "kern.empty": "",
    }


def test_a_sysctl_is_set(lab: Lab) -> None:
    kernel = opened(lab).kernel
    kernel.set_sysctl("net.inet.ip.forwarding", "1")
    assert kernel.sysctl("net.inet.ip.forwarding") == {"net.inet.ip.forwarding": "1"}


@pytest.mark.parametrize(
    ("release", "hardware", "cpus", "unrestricted", "iommu"),
    [
        ("14.3", {}, 8, True, True),
        ("14.3", {"ncpu": 32}, 32, True, True),
        ("14.3", {"cpu": "amd", "ncpu": 4}, 4, True, True),
        ("14.3", {"unrestricted_guest": False}, 1, False, True),
        ("14.3", {"iommu": False}, 8, True, False),
        ("11.0", {"ncpu": 32}, 16, True, True),
        ("13.2", {"ncpu": 32}, 32, True, True),
        ("15.0", {"cpu": "amd", "iommu": False}, 8, True, False),
    ],
)
def test_facts_of_a_host(
    new_lab: NewLab, release: str, hardware: dict[str, object], cpus: int, unrestricted: bool, iommu: bool
) -> None:
    host = opened(new_lab(release, physmem=8 << 30, **hardware))
    host.kernel.load(["vmm"])
    facts = host_facts(host)
    assert (facts.cpus, facts.unrestricted, facts.iommu, facts.memory) == (cpus, unrestricted, iommu, 8 << 30)
    assert facts.release == host.kernel.release()


def test_what_bhyve_can_do_is_asked_of_it(new_lab: NewLab) -> None:
    old, new = (host_facts(opened(new_lab(release)), passthrough=False) for release in ("13.2", "15.0"))
    assert {"c", "s", "l", "k", "A", "H", "w", "u"} <= old.options
    assert "M" not in old.options
    assert {"f", "n"} <= new.options
    assert {"virtio-blk", "ahci-cd", "fbuf", "lpc"} <= old.devices & new.devices
    assert {"com1", "com2", "bootrom"} <= old.lpc & new.lpc
    assert all(word.isascii() and " " not in word for word in new.devices | new.lpc)


def test_a_bhyve_too_old_to_be_asked_tells_nothing(lab: Lab) -> None:
    refuse = 'case "$2" in help) echo "invalid device emulation help" >&2; exit 1;; esac; echo "[-c vcpus]"'
    (lab.bin / "bhyve").write_text(f"#!/bin/sh\n{refuse}\n")
    facts = host_facts(opened(lab), passthrough=False)
    assert (facts.devices, facts.lpc) == (frozenset(), frozenset())
    assert "c" in facts.options


def test_four_processes_tell_all_but_the_iommu(lab: Lab) -> None:
    real = lab.top / "real"
    lab.bin.rename(real)
    lab.bin.mkdir()
    for program in real.iterdir():
        wrapper = lab.bin / program.name
        wrapper.write_text(
            f'#!/bin/sh\necho "${{0##*/}} $*" >> {lab.top}/calls\nPATH={real}:$PATH exec {program} "$@"\n'
        )
        wrapper.chmod(0o755)
    host_facts(opened(lab), passthrough=False)
    calls = [line.split()[0] for line in (lab.top / "calls").read_text().splitlines()]
    assert sorted(calls) == ["bhyve", "bhyve", "bhyve", "sysctl"]


INTEL = "CPU: Intel\n  Features2=0x1<SSE3,VMX,POPCNT>\n  VT-x: PAT,HLT,MTF,PAUSE,EPT{},VPID,VID\nreal memory = 8\n"
AMD = "CPU: AMD\n  SVM: {}NRIP,VClean,AFlush,DAssist,NAsids=32768\n"


@pytest.mark.parametrize(
    ("messages", "unrestricted"),
    [
        (INTEL.format(",UG"), True),
        (INTEL.format(""), False),
        (AMD.format("NP,"), True),
        (AMD.format(""), False),
        ("the head is lost\n", True),
        (None, True),
    ],
)
def test_without_vmm_the_first_messages_of_the_kernel_tell(lab: Lab, messages: str | None, unrestricted: bool) -> None:
    host = opened(lab)
    where = host.path("/var/run/dmesg.boot")
    where.unlink(missing_ok=True)
    if messages is not None:
        where.write_text(messages)
    facts = host_facts(host, passthrough=False)
    assert (facts.unrestricted, facts.cpus) == (unrestricted, 8 if unrestricted else 1)


@pytest.mark.parametrize("messages", [INTEL.format(""), "CPU: verbose\n" * 5000 + AMD.format(""), "nothing\n"])
def test_complaint_29_where_vmm_is_loaded_it_tells_and_no_message_of_the_kernel(lab: Lab, messages: str) -> None:
    """Complaint 29: what a verbose boot, or a hypervisor below, wrote of the processor is not asked."""
    host = opened(lab)
    host.path("/var/run/dmesg.boot").write_text(messages)
    host.kernel.load(["vmm"])
    facts = host_facts(host, passthrough=False)
    assert (facts.unrestricted, facts.cpus, facts.processors) == (True, 8, 8)


def test_a_host_without_acpidump_has_no_known_iommu(lab: Lab) -> None:
    (lab.bin / "acpidump").unlink()
    assert not host_facts(opened(lab)).iommu


def test_option_letters_are_read_from_any_form_of_the_usage() -> None:
    usage = """\
Usage: bhyve [-AaCDeHhPSuWwxY]
       %*s [-c [[cpus=]numcpus][,sockets=n][,cores=n][,threads=n]]
             [-G port] [-k config_file] [-U uuid] vmname
       -A: create ACPI tables
       -c: number of CPUs and/or topology specification
       -M: monitor mode
"""
    assert options(usage) == frozenset("AaCDeHhPSuWwxYcGkUM")
    assert options("bhyve: illegal option\n") == frozenset()


@pytest.mark.parametrize("on", [True, False])
def test_devices_of_an_amd_host_are_passed_through_where_its_loader_says_so(new_lab: NewLab, on: bool) -> None:
    """Complaint 25: the table of AMD's IOMMU is there all the same, and bhyve would fail."""
    host = opened(new_lab(cpu="amd", amdvi=on))
    host.kernel.load(["vmm"])
    facts = host_facts(host)
    assert (facts.iommu, facts.amdvi_off) == (on, not on)
    if not on:
        assert 'hw.vmm.amdvi.enable="1" in /boot/loader.conf' in no_iommu(facts)
