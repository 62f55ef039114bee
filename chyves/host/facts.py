"""What this host can do, found by asking it: its kernel and its bhyve, not lists of releases."""

from __future__ import annotations

import re

from chyves.bhyve.facts import HostFacts
from chyves.errors import ChyvesError
from chyves.host.machine import Host

AMDVI = "hw.vmm.amdvi.enable"
"""Whether vmm uses the IOMMU of AMD's processors: not, unless /boot/loader.conf has it so (amdvi_hw.c)."""
NO_SVM = str(2**32 - 1)
"""The features of AMD's virtualization before vmm has used that: vmm has the sysctls of both makers (svm.c, vmx.c)."""

MACHINE = "hw.machine"
SYSCTLS = (
    MACHINE,
    "kern.osreldate",
    "hw.physmem",
    "hw.ncpu",
    "hw.vmm.maxcpu",
    "hw.vmm.vmx.initialized",
    "hw.vmm.vmx.cap.unrestricted_guest",
    "hw.vmm.svm.features",
    "hw.vmm.iommu.initialized",
    "hw.vmm.iommu.enable",
    AMDVI,
    "kern.racct.enable",
)
OLD_CPUS = 16
"""The most processors of a guest before hw.vmm.maxcpu (13.2)."""

MAXCPU_SINCE = 1302000
DMESG = "/var/run/dmesg.boot"
LIBSLIRP = "/usr/local/lib/libslirp.so.0"
"""What bhyve loads for slirp: the port net/libslirp."""


def host_facts(host: Host, passthrough: bool = True) -> HostFacts:
    """What this host can do, from four processes; one more where `passthrough` and only ACPI tells of an IOMMU.

    What only a loaded vmm tells is taken from the kernel's first messages where it is not loaded (as in a dry run), and
    where these do not tell either, for granted.
    """
    told = host.kernel.sysctl(*SYSCTLS)
    unrestricted, table = _unrestricted(host, told), _iommu(host, told) if passthrough else ""
    amdvi_off = table == "IVRS" and told.get(AMDVI) == "0"
    return HostFacts(
        machine=told.get(MACHINE, "amd64"),
        release=_number(told, "kern.osreldate"),
        cpus=_cpus(told) if unrestricted else 1,
        memory=_number(told, "hw.physmem"),
        unrestricted=unrestricted,
        iommu=table != "" and not amdvi_off,
        options=options(_bhyve(host, "-h")),
        devices=frozenset(_bhyve(host, "-s", "help").split()),
        lpc=frozenset(_bhyve(host, "-l", "help").split()),
        libslirp=host.path(LIBSLIRP).exists(),
        accounting=told["kern.racct.enable"] == "1" if "kern.racct.enable" in told else None,
        processors=_number(told, "hw.ncpu"),
        amdvi_off=amdvi_off,
    )


def machine(host: Host) -> str:
    """The host's machine alone: amd64 or arm64."""
    return host.kernel.sysctl(MACHINE).get(MACHINE, "amd64")


def options(usage: str) -> frozenset[str]:
    """The option letters in what `bhyve -h` prints: groups in brackets, and a line for each with its meaning."""
    groups = re.findall(r"\[-([A-Za-z]+)", usage)
    lines = re.findall(r"^\s+-([A-Za-z]):", usage, re.MULTILINE)
    return frozenset("".join([*groups, *lines]))


def _bhyve(host: Host, *words: str) -> str:
    """What bhyve says of itself; nothing where it is too old for the question (`-s help` and `-l help` are of 12.0)."""
    status, said = host.run.probe("bhyve", *words)
    return said if status == 0 else ""


def _number(told: dict[str, str], name: str) -> int:
    value = told.get(name, "")
    if not value.isdecimal():
        raise ChyvesError(f"sysctl: says that {name} is {value!a}; run it by hand and look")
    return int(value)


def _cpus(told: dict[str, str]) -> int:
    """The most processors of a guest; without the vmm module it is what that begins with."""
    if "hw.vmm.maxcpu" in told:
        return _number(told, "hw.vmm.maxcpu")
    return OLD_CPUS if _number(told, "kern.osreldate") < MAXCPU_SINCE else _number(told, "hw.ncpu")


def _unrestricted(host: Host, told: dict[str, str]) -> bool:
    """Whether a guest may begin in real mode: needed for UEFI, GRUB and a second processor."""
    if told.get("hw.vmm.vmx.initialized") == "1":
        return told.get("hw.vmm.vmx.cap.unrestricted_guest") == "1"
    if told.get("hw.vmm.svm.features", NO_SVM) != NO_SVM:
        return True
    messages = host.path(DMESG)
    if not messages.is_file():
        return True
    found = re.findall(r"^ +(VT-x|SVM): (.*)", messages.read_text(errors="replace"), re.MULTILINE)
    return not found or any(("UG" if kind == "VT-x" else "NP") in words.split(",") for kind, words in found)


def _iommu(host: Host, told: dict[str, str]) -> str:
    """What tells that there is an IOMMU, empty for none: vmm, which knows once it has used one, or an ACPI table."""
    if told.get("hw.vmm.iommu.initialized") == "1":
        return "vmm"
    if told.get("hw.vmm.iommu.enable") == "0":
        return ""
    try:
        status, tables = host.run.probe("acpidump", "-t")
    except ChyvesError:
        # It is a package of its own of the base system, which need not be there.
        return ""
    found = re.search(r"\b(DMAR|IVRS)\b", tables) if status == 0 else None
    return found[1] if found else ""
