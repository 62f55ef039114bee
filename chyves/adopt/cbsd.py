"""Virtual machines of CBSD: a directory each below jails-system, with their settings in local.sqlite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from chyves.adopt.foreign import SCREEN, Card, Foreign, ForeignDisk
from chyves.errors import ChyvesError
from chyves.host.machine import Host

if TYPE_CHECKING:
    from sqlite3 import Cursor

Row = Mapping[str, str]

SYSTEM, DATA = "jails-system", "jails-data"
NEVER_SET = ("", "0")
"""What a column has that nobody set."""

BARGS = {
    "bhyve_generate_acpi": ("1", "-A"),
    "bhyve_rts_keeps_utc": ("1", "-u"),
    "bhyve_force_msi_irq": ("1", "-W"),
    "bhyve_x2apic_mode": ("1", "-x"),
    "bhyve_mptable_gen": ("0", "-Y"),
    "bhyve_ignore_msr_acc": ("1", "-w"),
    "bhyve_wire_memory": ("1", "-S"),
}
"""Which value of a column stands for which option of bhyve(8)."""

USUAL = {
    "bhyve_cmd": "/usr/sbin/bhyve",
    "bhyve_vnc_kbdlayout": "default",
    "bhyve_vnc_vgaconf": "io",
    "chrooted": "0",
    "cpuset": "0",
    "debug_engine": "none",
    "jailed": "0",
    "mnt_start": "0",
    "mnt_stop": "0",
    "soundhw": "none",
    "tpm": "0",
    "vm_cpu_topology": "default",
    "vm_hostbridge": "hostbridge",
}
"""Columns that chyves does not take over, and what is in them where nobody set them; else they are told of."""

FURTHER = ("bhyveppt", "p9shares", "virtio_console")
"""Tables of further devices, which are told of."""

CARDS = {"vtnet": "virtio-net"}
"""Kinds of network cards that bhyve calls otherwise."""

DISK_SETTINGS = {
    "dsk_nocache": ("cache", "nocache"),
    "dsk_direct": ("cache", "direct"),
    "dsk_ro": ("readonly", "yes"),
}
"""Columns of a disk that are 1 or true, and what that is to chyves."""


def guests(host: Host, where: str) -> dict[str, Foreign]:
    """The virtual machines below CBSD's workdir (`/usr/jails`); raises ChyvesError."""
    top = Path(where)
    found = {}
    for file in sorted((top / SYSTEM).glob("*/local.sqlite")):
        name = file.parent.name
        try:
            tables = _tables(file)
            if "bhyvedsk" in tables and tables.get("settings"):
                found[name] = _guest(top, name, tables)
        except (KeyError, ValueError) as error:
            found[name] = Foreign(name, vmm=name, stop="", refusal=f"{file}: cannot be read: {error}; see: cbsd bls")
    if not found:
        raise ChyvesError(f"{where}: has no virtual machines of CBSD; give its workdir: sysrc -n cbsd_workdir")
    return found


def _tables(file: Path) -> dict[str, list[Row]]:
    """The rows of each table that matters, their values as text; raises ValueError for a file that is none."""
    try:
        import sqlite3
    except ImportError:
        raise ChyvesError(
            f"{file}: Python cannot read it; install its module, such as: pkg install py311-sqlite3"
        ) from None
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as base:
            present = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            wanted = [table for table in ("settings", "bhyvedsk", "bhyvenic", *FURTHER) if table in present]
            return {table: list(_rows(base.execute(f"SELECT * FROM {table}"))) for table in wanted}
    except sqlite3.Error as error:
        raise ValueError(error) from None


def _rows(answer: Cursor) -> Iterator[Row]:
    columns = [column[0] for column in answer.description]
    for row in answer:
        yield {column: "" if value is None else str(value) for column, value in zip(columns, row, strict=True)}


def _guest(top: Path, name: str, tables: Mapping[str, list[Row]]) -> Foreign:
    told = tables["settings"][0]
    guest = Foreign(name, vmm=name, stop=f"cbsd bstop {name}")
    guest.take("cpu", told.get("vm_cpus", ""))
    guest.take("ram", _memory(told.get("vm_ram", "")))
    guest.take("uuid", _set(told, "uuid"))
    guest.take("rcboot", "1" if told.get("astart") == "1" else "")
    guest.take("rcboot_delay", _set(told, "boot_delay") if guest.properties.get("rcboot") else "")
    options = ["-H", "-P", *(option for key, (on, option) in BARGS.items() if told.get(key) == on)]
    guest.take("bargs", " ".join([*options, *filter(None, (_set(told, "bhyve_flags"),))]))
    guest.take("virtio_rnd", "yes" if _set(told, "virtio_rnd") else "")
    for turn in ("on_reboot", "on_poweroff", "on_crash"):
        guest.after(turn, told.get(turn, ""))
    if told.get("vm_efi", "none") == "none":
        guest.take("loader", "bhyveload" if told.get("vm_os_type", "freebsd") == "freebsd" else "grub-bhyve")
    else:
        guest.properties |= {"loader": "uefi", "uefi_firmware": "BHYVE_UEFI.fd"}
        _screen(guest, told)
    data = top / DATA / f"{name}-data"
    for row in sorted(tables["bhyvedsk"], key=lambda row: int(row.get("dsk_lun") or 0)):
        kind = row.get("dsk_controller", "virtio-blk")
        guest.disks.append(ForeignDisk(str(data / row["dsk_path"]), kind, settings=tuple(_disk_settings(row))))
    for row in sorted(tables.get("bhyvenic", ()), key=lambda row: int(row.get("nic_order") or 0)):
        parent, kind = row.get("nic_parent", "auto"), row.get("nic_driver", "vtnet")
        settings = (("type", CARDS.get(kind, kind)), ("mtu", _set(row, "nic_mtu")))
        guest.cards.append(Card(_set(row, "nic_hwaddr"), "" if parent == "auto" else parent, settings=settings))
    guest.left += [f"{key}={told[key]}" for key, usual in USUAL.items() if _set(told, key) not in ("", usual, "none")]
    guest.left += [f"{table} of {name}" for table in FURTHER if tables.get(table)]
    return guest


def _disk_settings(row: Row) -> Iterator[tuple[str, str]]:
    """What was set of a disk, by the words of chyves."""
    for column, setting in DISK_SETTINGS.items():
        if row.get(column) in ("1", "true"):
            yield setting
    if (size := _set(row, "dsk_sectorsize")) not in ("", "512"):
        yield "sectorsize", size


def _set(row: Row, key: str) -> str:
    value = row.get(key, "")
    return "" if value in NEVER_SET else value


def _memory(text: str) -> str:
    """CBSD counts bytes, where it is a number alone."""
    return f"{int(text) >> 20}M" if text.isdecimal() and int(text) >= 1 << 20 else text


def _screen(guest: Foreign, told: Row) -> None:
    if told.get("fbuf", "1") != "1":
        return
    guest.properties |= SCREEN
    guest.take("uefi_vnc_ip", told.get("bhyve_vnc_tcp_bind", ""))
    guest.take("uefi_vnc_port", _set(told, "vm_vnc_port"))
    guest.take("uefi_vnc_res", told.get("bhyve_vnc_resolution", ""))
    guest.take("uefi_vnc_password", _set(told, "vnc_password"))
    guest.take("uefi_vnc_mouse_type", "usb3" if told.get("tablet", "1") == "1" else "")
