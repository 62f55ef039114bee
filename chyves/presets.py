"""What the guests of some systems need, in a word that is expanded into ordinary properties when it is given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chyves.errors import ChyvesError
from chyves.names import shown

if TYPE_CHECKING:
    from chyves.properties import Guest


@dataclass(frozen=True)
class Preset:
    """A row: what is set, what there is at least of numbers and sizes, and options that bargs has too, or has not."""

    doc: str
    values: Mapping[str, str]
    least: Mapping[str, str] = field(default_factory=dict)
    bargs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


VIRTIO = {"bhyve_disk_type": "virtio-blk", "bhyve_net_type": "virtio-net", "virtio_rnd": "yes", "tpm": "off"}
SERIAL = {"loader": "uefi", "uefi_console_output": "serial"}
UNKNOWN_REGISTERS = "-w"
"""bhyve's option by which registers that it does not know are passed over, where the guest would get a fault."""
UTC = "-u"
"""bhyve's option by which the guest's clock counts UTC: only Windows takes what a clock says for its local time."""

PRESETS = {
    "freebsd": Preset(
        "bhyveload, virtio devices, -u in bargs", {"loader": "bhyveload", **VIRTIO}, {"ram": "512M"}, (UTC,)
    ),
    "linux": Preset(
        "UEFI with variables of its own and a serial console, virtio devices, -u and -w in bargs",
        {**SERIAL, "uefi_vars": "yes", **VIRTIO},
        {"ram": "1G"},
        (UTC, UNKNOWN_REGISTERS),
    ),
    "openbsd": Preset(
        "UEFI with a serial console (type at its boot prompt: set tty com0), virtio devices, -u and -w in bargs",
        {**SERIAL, **VIRTIO},
        {"ram": "512M"},
        (UTC, UNKNOWN_REGISTERS),
    ),
    "windows11": Preset(
        "UEFI with variables of its own, a TPM that swtpm plays, a screen with a tablet, devices that Windows has "
        "drivers for (ahci-hd, e1000), sectors that it can use on disk0, 2 processors and 4G at least, -w and no -u in "
        "bargs",
        {
            "loader": "uefi",
            "uefi_vars": "yes",
            "tpm": "swtpm",
            "uefi_console_output": "vnc",
            "uefi_vnc_mouse_type": "usb3",
            "uefi_vnc_res": "1280x1024",
            "bhyve_disk_type": "ahci-hd",
            # Volumes have blocks of 16K, which bhyve would tell as physical sectors, and Windows knows none above 4K.
            "disk0_sectorsize": "512/4096",
            "bhyve_net_type": "e1000",
        },
        {"cpu": "2", "ram": "4G"},
        (UNKNOWN_REGISTERS,),
        without=(UTC,),
    ),
}
ARM64 = {"loader": "u-boot", "uefi_vars": "no", "uefi_console_output": "serial"}
"""What a preset has otherwise on an arm64 host, where U-Boot loads every guest, no option of amd64 is taken, and clocks
count UTC (rtc_pl031.c)."""
NOT_ON_ARM64 = ("windows11",)
FIRMWARE = ("BHYVE_UEFI_CODE.fd", "BHYVE_UEFI.fd")
"""What a guest boots with that names no firmware, the first that is there (freebsd.md 7.4)."""


def preset(name: str) -> Preset:
    """The preset of a name; raises ChyvesError for one that there is not."""
    if name not in PRESETS:
        raise ChyvesError(f"{shown(name)}: there is no such preset; give one of {', '.join(PRESETS)}")
    return PRESETS[name]


def expanded(
    name: str, guest: Guest, firmware: Collection[str], default: str | None, machine: str = "amd64"
) -> dict[str, str | None]:
    """The properties that a preset is for a guest, on a host with these firmwares; `default` is that of new guests.

    What a guest has more of than it needs at least stays; `machine` is hw.machine. Raises ChyvesError for a preset
    that there is not, or not on this machine, and where no firmware is there.
    """
    row = _on_arm64(name, guest.owner) if machine == "arm64" else preset(name)
    changes: dict[str, str | None] = dict(row.values)
    for property, least in row.least.items():
        kind = guest.table[property].type
        if kind.parse(guest.get(property)) < kind.parse(least):
            changes[property] = least
    kept = [option for option in guest.bargs if option not in row.without]
    bargs = (*kept, *(option for option in row.bargs if option not in kept))
    if bargs != guest.bargs:
        changes["bargs"] = " ".join(bargs)
    if row.values["loader"] == "uefi" and guest.uefi_firmware is None:
        changes["uefi_firmware"] = _firmware(guest.owner, firmware, default)
    return changes


def _on_arm64(name: str, owner: str) -> Preset:
    row = preset(name)
    if name in NOT_ON_ARM64:
        raise ChyvesError(f"{owner}: preset: {name} is for amd64 hosts, and this is an arm64 one; give another")
    return replace(row, values={**row.values, **ARM64}, bargs=(), without=(UTC, UNKNOWN_REGISTERS))


def _firmware(owner: str, there: Collection[str], default: str | None) -> str:
    found = default or next((name for name in FIRMWARE if name in there), None)
    if found is None:
        place = f"/usr/local/share/uefi-firmware/{FIRMWARE[0]}"
        raise ChyvesError(
            f"{owner}: uefi_firmware: none of {', '.join(FIRMWARE)} is there; "
            f"bring one with: chyves firmware import {place}"
        )
    return found
