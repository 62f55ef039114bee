"""The sysctls of the lab's kernel, and the hardware that some of them tell of."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import NamedTuple

from chyves.lab import memory
from chyves.lab.place import SETTINGS, Lab
from chyves.lab.releases import MACHINES, release

INTEL_MODEL = "Intel(R) Xeon(R) E-2388G CPU @ 3.20GHz"
AMD_MODEL = "AMD EPYC 3251 8-Core Processor"
ARM_MODEL = "ARM Neoverse-N1 r3p1"


class Machine(NamedTuple):
    """The hardware that a lab plays: 8 processors with all that bhyve wants, and the memory of the real machine.

    `lab.json` may say otherwise under "hardware": `cpu` (intel, amd, or none for no virtualisation; on arm64 arm, or
    none), `ncpu`, `physmem` in bytes, `unrestricted_guest`, `iommu`, and of an AMD machine `amdvi`, which is what
    /boot/loader.conf has said of hw.vmm.amdvi.enable.
    """

    cpu: str
    ncpu: int
    physmem: int
    unrestricted_guest: bool
    iommu: bool
    amdvi: bool

    @classmethod
    def of(cls, lab: Lab) -> Machine:
        """The hardware of a lab, as its settings say."""
        told = json.loads((lab.top / SETTINGS).read_text()).get("hardware", {})
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return cls(
            cpu=told.get("cpu", "arm" if lab.is_arm64 else "intel"),
            ncpu=told.get("ncpu", 8),
            physmem=told.get("physmem", memory),
            unrestricted_guest=told.get("unrestricted_guest", True),
            iommu=told.get("iommu", True),
            amdvi=told.get("amdvi", True),
        )


class Sysctl(NamedTuple):
    """A sysctl's value as text; `writable`: now, or (None) only by /boot/loader.conf; the module that it needs."""

    value: str
    kind: str = "int"
    writable: bool | None = False
    module: str = ""


def table(lab: Lab, machine: Machine) -> dict[str, Sysctl]:
    """Every sysctl that this release has when all modules are loaded, with the value it starts with."""
    return {**dict(_machine(lab, machine)), **dict(_vmm(lab, machine)), **dict(_network(lab)), **dict(_others())}


def model(lab: Lab, machine: Machine) -> str:
    """What the processors call themselves."""
    if lab.is_arm64:
        return ARM_MODEL
    return AMD_MODEL if machine.cpu == "amd" else INTEL_MODEL


def _machine(lab: Lab, machine: Machine) -> Iterator[tuple[str, Sysctl]]:
    facts = release(lab.release)
    running = facts.patched
    yield "kern.ostype", Sysctl("FreeBSD", "string")
    yield "kern.osrelease", Sysctl(running, "string")
    yield "kern.osrevision", Sysctl("199506")
    yield "kern.version", Sysctl(f"FreeBSD {running} GENERIC", "string")
    yield "kern.hostname", Sysctl(os.uname().nodename, "string", True)
    yield "kern.osreldate", Sysctl(str(facts.osreldate))
    yield "kern.vm_guest", Sysctl("none", "string")
    yield "kern.securelevel", Sysctl("-1", writable=True)
    yield "kern.smp.cpus", Sysctl(str(machine.ncpu))
    yield "kern.bootfile", Sysctl("/boot/kernel/kernel", "string", True)
    yield "hw.machine", Sysctl(lab.machine, "string")
    yield "hw.machine_arch", Sysctl(MACHINES[lab.machine], "string")
    yield "hw.model", Sysctl(model(lab, machine), "string")
    yield "hw.ncpu", Sysctl(str(machine.ncpu))
    yield "hw.pagesize", Sysctl("4096")
    yield "hw.physmem", Sysctl(str(machine.physmem), "ulong")
    yield "hw.usermem", Sysctl(str(machine.physmem * 9 // 10), "ulong")
    yield "hw.realmem", Sysctl(str(machine.physmem), "ulong")
    yield "vm.stats.vm.v_page_size", Sysctl("4096")
    for name, number in memory.counts(lab, machine.physmem):
        yield name, Sysctl(str(number), "ulong", module="zfs" * name.startswith("kstat."))
    yield "security.jail.jailed", Sysctl("0")
    yield "security.jail.vmm_allowed", Sysctl("1", module="vmm")


VMX_CAPABILITIES = (
    "halt_exit pause_exit wbinvd_exit rdpid rdtscp monitor_trap invpcid tpr_shadowing "
    "virtual_interrupt_delivery posted_interrupts"
).split()


def _vmm(lab: Lab, machine: Machine) -> Iterator[tuple[str, Sysctl]]:
    if not lab.is_arm64:
        yield from _backends(machine)
        yield "hw.vmm.iommu.initialized", Sysctl("0", module="vmm")
        yield "hw.vmm.iommu.enable", Sysctl("1", writable=None, module="vmm")
        yield "hw.vmm.topology.cores_per_package", Sysctl("1", writable=None, module="vmm")
    if release(lab.release).number >= (13, 2):
        yield "hw.vmm.maxcpu", Sysctl(str(machine.ncpu), writable=None, module="vmm")
    for name in ("create", "destroy"):
        yield f"hw.vmm.{name}", Sysctl("beavis", "string", True, "vmm")


def _backends(machine: Machine) -> Iterator[tuple[str, Sysctl]]:
    """Those of both makers' processors: vmm has both, and only one of them looks at the machine (vmx.c, svm.c)."""
    intel = machine.cpu == "intel"
    yield "hw.vmm.vmx.initialized", Sysctl(str(int(intel)), module="vmm")
    yield "hw.vmm.vmx.cap.unrestricted_guest", Sysctl(str(int(intel and machine.unrestricted_guest)), module="vmm")
    for name in VMX_CAPABILITIES:
        yield f"hw.vmm.vmx.cap.{name}", Sysctl(str(int(intel)), module="vmm")
    yield "hw.vmm.svm.features", Sysctl("4294967295" if intel else "33871", module="vmm")
    yield "hw.vmm.svm.num_asids", Sysctl("0" if intel else "32768", module="vmm")
    yield "hw.vmm.svm.vmcb_clean", Sysctl("959", module="vmm")
    yield "hw.vmm.amdvi.enable", Sysctl(str(int(machine.amdvi)), writable=None, module="vmm")


TAP = {"user_open": 0, "up_on_open": 0, "devfs_cloning": 1, "debug": 0}
BRIDGE = {
    "inherit_mac": 0, "log_mac_flap": 1, "pfil_onlyip": 1, "pfil_local_phys": 0, "ipfw": 0, "ipfw_arp": 0,
    "log_stp": 0, "allow_llz_overlap": 0,
}  # fmt: skip


def _network(lab: Lab) -> Iterator[tuple[str, Sysctl]]:
    number = release(lab.release).number
    for name, value in TAP.items():
        yield f"net.link.tap.{name}", Sysctl(str(value), writable=True, module="if_tap" * (number < (13, 0)))
    filters = int(number < (14, 0))
    bridge = {**BRIDGE, "pfil_member": filters, "pfil_bridge": filters}
    if number >= (15, 0):
        bridge["member_ifaddrs"] = 0
    for name, value in bridge.items():
        yield f"net.link.bridge.{name}", Sysctl(str(value), writable=True, module="if_bridge")
    yield "net.link.vlan.soft_pad", Sysctl("0", writable=True)
    yield "net.link.ether.inet.proxyall", Sysctl("0", writable=True)
    yield "net.inet.ip.forwarding", Sysctl("0", writable=True)
    yield "net.inet6.ip6.forwarding", Sysctl("0", writable=True)
    yield "net.ifdescr_maxlen", Sysctl("1024", writable=True)
    if number >= (14, 0):
        yield "net.link.epair.ether_gen_addr", Sysctl("1", writable=True, module="if_epair")


def _others() -> Iterator[tuple[str, Sysctl]]:
    yield "vfs.zfs.vol.mode", Sysctl("1", writable=True, module="zfs")
    yield "vfs.zfs.vol.recursive", Sysctl("0", writable=True, module="zfs")
    yield "vfs.zfs.arc_max", Sysctl("0", "ulong", True, "zfs")
    yield "vfs.zfs.vdev.min_auto_ashift", Sysctl("12", writable=True, module="zfs")
    yield "kern.geom.debugflags", Sysctl("0", writable=True)
    yield "kern.racct.enable", Sysctl("0", writable=None)
    yield "kern.init_shutdown_timeout", Sysctl("120", writable=True)
    yield "kern.maxfiles", Sysctl("1048576", writable=True)
