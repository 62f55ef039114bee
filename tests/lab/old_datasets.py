"""Datasets as each version of chyves up to 0.2.0 made them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from chyves.lab.place import Lab
from tests.host_commands import zfs

DATASET_VERSIONS = ("0001", "0002", "0003", "0004", "0005")
GUEST_VERSIONS = ("0100", "0101", "0102", "0200", "0201", "0202", "0300")
CREATION = "Created on Sat Jul  9 21:27:00 UTC 2016 by chyves v0.1.0 2016/07/09"


def properties(version: str, number: int) -> dict[str, str]:
    """Those of a guest that was made by the chyves of a guest version; `number` sets it apart from others."""
    found = {
        "bargs": "-A -H -P" if version < "0102" else "-A -H -P -S",
        "chyves_guest_version": version,
        "cpu": "1",
        "creation": CREATION,
        "description": "-",
        "loader": "bhyveload",
        "net_ifaces": f"tap{50 + number}",
        "notes": "-",
        "os": "default",
        "ram": "256M",
        "rcboot": "0",
        "serial": f"nmdm{50 + number}",
        "template": "no",
        "uuid": f"0b1c5ec0-7b8e-11f0-9c6e-589cfc0000{number:02}",
    }
    if version >= "0101":
        found["bhyve_net_type"] = "virtio-net"
    if version >= "0102":
        found |= {"revert_to_snapshot": "", "revert_to_snapshot_method": "off"}
    if version >= "0202":
        found["bhyveload_flags"] = ""
    if version >= "0300":
        found["bhyve_disk_type"] = "ahci-hd"
    return found


def defaults(version: str) -> dict[str, str]:
    """What new guests began with, by dataset version."""
    found = {
        "bargs": "-A -H -P" if version < "0003" else "-A -H -P -S",
        "bridge": "bridge0",
        "cpu": "1",
        "disk_compression": "inherit",
        "disk_dedup": "inherit",
        "disk_primarycache": "inherit",
        "disk_secondarycache": "inherit",
        "disk_volblocksize": "512",
        "disk_volmode": "dev",
        "loader": "bhyveload",
        "os": "default",
        "ram": "256M",
        "rcboot": "0",
        "size": "8G",
        "uefi_console_output": "serial",
        "uefi_firmware": "-",
        "uefi_vnc_ip": "0.0.0.0",
    }
    if version >= "0002":
        found["bhyve_net_type"] = "virtio-net"
    if version >= "0003":
        found |= {"revert_to_snapshot": "", "revert_to_snapshot_method": "off"}
    if version >= "0005":
        found |= {"bhyveload_flags": "", "bhyve_disk_type": "ahci-hd"}
    return found


def settings(version: str, taps: Sequence[str]) -> dict[str, str]:
    """The properties of the host, by dataset version."""
    found = {
        "auto_load_kernel_mods": "yes",
        "bridge0_phy_attach": "private",
        "bridge0_tap_members": ",".join(taps) or "-",
        "check_for_updates_unique_id": "0b1c5ec0-7b8e-11f0-9c6e-589cfc000099",
        "console_start_offset": "50",
        "default_clone_flag": "-iu",
        "dev_mode": "off",
        "log_mode": "dual",
        "log_to_file": "on",
        "network_design_mode": "auto",
        "stdout_level": "2",
        "tap_start_offset": "50",
    }
    return found | ({"eject_iso_on_n_reboot": "1"} if version >= "0004" else {})


def make(
    lab: Lab, version: str, guests: Mapping[str, str], pool: str = "", role: str = "primary", place: str = ""
) -> Path:
    """Make the datasets of a version with guests of versions, by name; where the pool's own dataset is mounted."""
    pool = pool or lab.pool
    top, mountpoint = f"{pool}/chyves", place or f"/chyves/{pool}"
    zfs(lab, "create", "-o", f"mountpoint={mountpoint}", top)
    directory = lab.root / mountpoint.lstrip("/")
    for name in ("/.config", "/guests"):
        zfs(lab, "create", top + name)
    zfs(lab, "create", "-o", "compression=on", f"{top}/logs")
    pool_file = {"creation": CREATION, "dataset_version": version, "dataset_role": role}
    _write(directory / ".config/pool.cfg", pool_file)
    own = {
        name: properties(guest_version, number) for number, (name, guest_version) in enumerate(sorted(guests.items()))
    }
    if role == "primary":
        zfs(lab, "create", f"{top}/ISO")
        zfs(lab, "create", f"{top}/Firmware")
        (directory / "ISO/null.iso").touch()
        taps = [text["net_ifaces"] for text in own.values()]
        _write(directory / ".config/global.cfg", settings(version, taps))
        _write(directory / "guests/.defaults", defaults(version))
    for name, text in own.items():
        _make_guest(lab, f"{top}/guests/{name}", text)
        _write(directory / f"guests/{name}/.config/.cfg", text)
    return directory


def _make_guest(lab: Lab, dataset: str, text: Mapping[str, str]) -> None:
    snapdir = ["-o", "snapdir=visible"] if text["chyves_guest_version"] >= "0200" else []
    zfs(lab, "create", dataset)
    zfs(lab, "create", *snapdir, f"{dataset}/.config")
    zfs(lab, "create", "-o", "compression=on", f"{dataset}/logs")
    zfs(lab, "create", f"{dataset}/img")
    zfs(lab, "create", "-V", "64M", "-o", "volblocksize=512", "-o", "volmode=dev", f"{dataset}/disk0")


def _write(file: Path, text: Mapping[str, str]) -> None:
    """As 0.2.0 did: in no order but that of the last writes."""
    file.write_text("".join(f"{name}={value}\n" for name, value in reversed(list(text.items()))))


def traces(lab: Lab) -> dict[str, str]:
    """Everything that reading must leave as it is: every file with its time and bytes, every ZFS property."""
    found = {}
    for path in [*lab.root.glob("chyves/**/*"), *lab.root.glob("mnt/**/*")]:
        status = path.lstat()
        found[str(path)] = f"{status.st_mode:o} {status.st_mtime_ns} {status.st_size}"
        if path.is_file():
            found[str(path)] += f" {path.read_bytes()!r}"
    said = subprocess.run([lab.bin / "zfs", "get", "-Hp", "all"], capture_output=True, text=True, check=True).stdout
    return found | {line: "" for line in said.splitlines()}


def traces_but_logs(lab: Lab) -> dict[str, str]:
    """The same without the logs, in which a line that changes nothing is told too, and the room that they take."""
    room = re.compile(r"\t(available|(logical)?used(by\w+)?|(logical)?referenced|written|usedds)\t")
    return {what: found for what, found in traces(lab).items() if "/logs" not in what and not room.search(what)}
