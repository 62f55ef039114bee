"""What the command lines of a guest depend on besides its properties."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostFacts:
    """What this host can do, found by asking its programs and its kernel.

    `release` is kern.osreldate, `cpus` the most virtual processors that a guest may have, `memory` is in bytes.
    `options`, `devices` and `lpc` are what `bhyve -h`, `bhyve -s help` and `bhyve -l help` list; an empty set means
    that it is not known, and refuses nothing.
    """

    release: int
    cpus: int
    memory: int
    unrestricted: bool
    iommu: bool
    options: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    lpc: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Disk:
    """A disk of a guest: `disk0` for a volume, the file's name for a raw image below img/, and where it is."""

    name: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Chassis:
    """What decides where a guest's devices sit: its name, its disks, and consolidate_bhyve_pci_devices."""

    name: str
    disks: tuple[Disk, ...]
    consolidate: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts(Chassis):
    """One guest's place on its host.

    `console` is the null-modem pair without its end (`/dev/nmdm50`), empty for none; `firmware` and `null_iso` are
    paths, None where there is no such resource; `directory` is the guest's own, with grub.cfg and device.map for
    os=custom; `scratch` is where files that a loader reads are written before the start.
    """

    host: HostFacts
    console: str
    firmware: str | None
    null_iso: str | None
    directory: str
    scratch: str
