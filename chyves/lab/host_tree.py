"""The file tree of a lab's host: what FreeBSD has before anything is done with it."""

from __future__ import annotations

import shutil
from pathlib import Path

from chyves.lab import rc_subr
from chyves.lab.modules import loadable
from chyves.lab.place import Lab
from chyves.lab.releases import release
from chyves.lab.sysctls import Machine, model

DIRECTORIES = """
    boot/kernel boot/loader.conf.d dev dev/zvol etc/rc.d etc/rc.conf.d tmp root
    usr/local/etc/rc.d usr/local/lib usr/local/sbin usr/local/share/uefi-firmware
    var/backups var/db var/log var/run var/spool/lock
""".split()

LOADER_CONF = """\
zfs_load="YES"
kern.geom.label.disk_ident.enable="0"
"""

RC_CONF = """\
hostname="lab"
ifconfig_em0="DHCP"
zfs_enable="YES"
"""

LIBSLIRP, SLIRP_SINCE = "usr/local/lib/libslirp.so.0", (15, 0)
"""The port net/libslirp, on a host whose bhyve has a use for it."""
FIRMWARE = Path("usr/local/share/uefi-firmware")
# Where Linux distributions put OVMF, the firmware that bhyve's was made from; the first that is there is taken. All
# three are of one layout (2 MB), so that the whole firmware goes with the VARS file too, as bhyve's does.
OVMF = {
    "BHYVE_UEFI.fd": ("ovmf/OVMF.fd", "qemu/OVMF.fd", "edk2/ovmf/OVMF.fd", "edk2-ovmf/x64/OVMF.4m.fd"),
    "BHYVE_UEFI_CODE.fd": ("OVMF/OVMF_CODE.fd", "OVMF/OVMF_CODE_4M.fd", "edk2/ovmf/OVMF_CODE.fd"),
    "BHYVE_UEFI_VARS.fd": ("OVMF/OVMF_VARS.fd", "OVMF/OVMF_VARS_4M.fd", "edk2/ovmf/OVMF_VARS.fd"),
}

U_BOOT = Path("usr/local/share/u-boot/u-boot-bhyve-arm64/u-boot.bin")
# Where the packages with U-Boot for QEMU's arm64 machine have it, on Debian and on FreeBSD.
U_BOOT_OF_QEMU = (
    Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin"),
    Path("/usr/local/share/u-boot/u-boot-qemu-arm64/u-boot.bin"),
)

KEYBOARDS = Path("usr/share/bhyve/kbdlayout")
# Some of the layouts that FreeBSD has; their content is not read here.
LAYOUTS = "default de de_acc de_noacc es fr fr_acc it jp se uk us_dvorak us_unix".split()

DMESG = """\
---<<BOOT>>---
FreeBSD is a registered trademark of The FreeBSD Foundation.
{model}
{features}real memory  = {memory} ({megabytes} MB)
FreeBSD/SMP: Multiprocessor System Detected: {ncpu} CPUs
em0: <Intel(R) PRO/1000 Network Connection> port 0x3000-0x301f at device 25.0 on pci0
em1: <Intel(R) PRO/1000 Network Connection> port 0x4000-0x401f at device 0.0 on pci1
"""
INTEL_FEATURES = """\
  Features2=0x7ffafbff<SSE3,PCLMULQDQ,DTES64,MON,DS_CPL,VMX,SMX,EST,TM2,SSSE3,FMA,CX16,SSE4.1,SSE4.2,x2APIC,POPCNT,AESNI>
  VT-x: PAT,HLT,MTF,PAUSE,EPT,{unrestricted}VPID,VID,PostIntr
"""
AMD_FEATURES = """\
  Features2=0x7ed8320b<SSE3,PCLMULQDQ,MON,SSSE3,FMA,CX16,SSE4.1,SSE4.2,MOVBE,POPCNT,AESNI,XSAVE,OSXSAVE,AVX,F16C,RDRAND>
  AMD Features2=0x35c233ff<LAHF,CMP,SVM,ExtAPIC,CR8,ABM,SSE4A,MAS,Prefetch,OSVW,SKINIT,WDT,TCE,Topology,PCXC,PNXC,DBE>
  SVM: NP,NRIP,VClean,AFlush,DAssist,NAsids=32768
"""


def write(lab: Lab) -> None:
    """Make the tree: directories, configuration, kernel modules, the pool's disk, firmware where the machine has it."""
    for name in DIRECTORIES:
        (lab.root / name).mkdir(parents=True, exist_ok=True)
    (lab.root / "boot/loader.conf").write_text(LOADER_CONF)
    (lab.root / "etc/rc.conf").write_text(RC_CONF)
    (lab.root / "etc/rc.subr").write_text(rc_subr.TEXT)
    (lab.root / "boot/kernel/kernel").touch()
    for name in loadable(lab.release):
        (lab.root / f"boot/kernel/{name}.ko").touch()
    for name in ("dev/ada0p3", "dev/dsp0"):
        (lab.root / name).touch()
    if release(lab.release).number >= SLIRP_SINCE:
        (lab.root / LIBSLIRP).touch()
    if release(lab.release).number >= (13, 0) and not lab.is_arm64:
        (lab.root / KEYBOARDS).mkdir(parents=True)
        for name in LAYOUTS:
            (lab.root / KEYBOARDS / name).touch()
    _write_firmware(lab)


def _write_firmware(lab: Lab) -> None:
    if lab.is_arm64:
        found = next((place for place in U_BOOT_OF_QEMU if place.exists()), None)
        if found:
            (lab.root / U_BOOT).parent.mkdir(parents=True)
            shutil.copyfile(found, lab.root / U_BOOT)
        return
    for name, places in OVMF.items():
        found = next((Path("/usr/share", place) for place in places if Path("/usr/share", place).exists()), None)
        if found:
            shutil.copyfile(found, lab.root / FIRMWARE / name)


def write_dmesg(lab: Lab) -> None:
    """Write /var/run/dmesg.boot: the kernel's words about the hardware, which tell whether bhyve can run."""
    machine = Machine.of(lab)
    unrestricted = "UG," if machine.unrestricted_guest else ""
    features = {"intel": INTEL_FEATURES.format(unrestricted=unrestricted), "amd": AMD_FEATURES}.get(machine.cpu, "")
    text = DMESG.format(
        model=f"CPU  0: {model(lab, machine)} affinity:  0  0" if lab.is_arm64 else f"CPU: {model(lab, machine)}",
        features=features,
        memory=machine.physmem,
        megabytes=machine.physmem >> 20,
        ncpu=machine.ncpu,
    )
    (lab.root / "var/run/dmesg.boot").write_text(text)
