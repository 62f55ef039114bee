"""What the command lines of a guest depend on besides its properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HostFacts:
    """What this host can do, found by asking its programs and its kernel.

    `machine` is hw.machine (amd64, arm64), `release` is kern.osreldate, `cpus` the most virtual processors that a
    guest may have, `memory` is in bytes, `processors` are those of the host itself (0: not known).
    `accounting` says whether it keeps account of resources for rctl(8), None for a kernel that cannot.
    `options`, `devices` and `lpc` are what `bhyve -h`, `bhyve -s help` and `bhyve -l help` list; an empty set means
    that it is not known, and refuses nothing. `libslirp` is whether that library is there.
    `iommu` is whether devices can be passed through; `amdvi_off`, that they could if the loader's file said so.
    """

    release: int
    cpus: int
    memory: int
    unrestricted: bool
    iommu: bool
    options: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    lpc: frozenset[str] = frozenset()
    libslirp: bool = True
    accounting: bool | None = None
    processors: int = 0
    machine: str = "amd64"
    amdvi_off: bool = False


@dataclass(frozen=True)
class Disk:
    """A disk of a guest: `disk0` for a volume, the file's name for a raw image below img/, and where it is."""

    name: str
    path: str


@dataclass(frozen=True)
class Variables:
    """A UEFI guest's own file of variables: its path, its bytes, and those of the empty one; None: it is not there."""

    path: str
    size: int | None
    template: int | None


@dataclass(frozen=True, kw_only=True)
class Chassis:
    """What decides where a guest's devices sit: its name, its disks, and consolidate_bhyve_pci_devices.

    `scratch` is the directory of what a running guest has beside its datasets.
    """

    name: str
    disks: tuple[Disk, ...]
    consolidate: bool = False
    scratch: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts(Chassis):
    """One guest's place on its host.

    `console` is the null-modem pair without its end (`/dev/nmdm50`), empty for none; `firmware` and `null_iso` are
    paths, None where there is no such resource; `directory` is the guest's own, with grub.cfg and device.map for
    os=custom; `scratch` is also where files that a loader reads are written before the start; `variables` are those of
    its UEFI firmware, None where it keeps none; `dev` is where devices are; `seed` are the files that the administrator
    has written for its cloud-init, by name, None where nobody looked.
    """

    host: HostFacts
    console: str
    firmware: str | None
    null_iso: str | None
    directory: str
    variables: Variables | None = None
    dev: str = "/dev"
    seed: Mapping[str, str] | None = None
