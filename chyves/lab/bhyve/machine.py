"""QEMU's words for the machine itself: board, memory, processors, clock, tables."""

from __future__ import annotations

import hashlib
import os
import socket

from chyves.lab.bhyve.board import Board, quoted
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.values import MIB, Topology

QEMU = "qemu-system-x86_64"
PACKAGE = "qemu-system-x86"

# SMBIOS: table of QEMU, and its fields by the variable of bhyve (with what bhyve says where none is set).
SMBIOS = {
    0: {"vendor": ("bios.vendor", "BHYVE"), "version": ("bios.version", "14.0"), "date": ("bios.release_date", "")},
    1: {
        "manufacturer": ("system.manufacturer", "FreeBSD"),
        "product": ("system.product_name", "BHYVE"),
        "version": ("system.version", "1.0"),
        "serial": ("system.serial_number", "None"),
        "sku": ("system.sku", "None"),
        "family": ("system.family_name", "Virtual Machine"),
    },
    2: {
        "manufacturer": ("board.manufacturer", "FreeBSD"),
        "product": ("board.product_name", "BHYVE"),
        "version": ("board.version", "1.0"),
        "serial": ("board.serial_number", "None"),
        "asset": ("board.asset_tag", "None"),
        "location": ("board.location", "None"),
    },
    3: {
        "manufacturer": ("chassis.manufacturer", "FreeBSD"),
        "version": ("chassis.version", "1.0"),
        "serial": ("chassis.serial_number", "None"),
        "asset": ("chassis.asset_tag", "None"),
        "sku": ("chassis.sku", "None"),
    },
}


def qemu_path() -> str | None:
    """Where QEMU is, or None."""
    for folder in os.get_exec_path():
        path = os.path.join(folder, QEMU)
        if os.access(path, os.X_OK):
            return path
    return None


def machine_words(board: Board, memory: int, topology: Topology) -> list[str]:
    """The words before those of the devices: emulation only, and none of the devices that QEMU would add itself."""
    config = board.config
    acpi = "on" if config.flag("acpi_tables") else "off"
    size = f"{memory // MIB}M" if memory % MIB == 0 else f"{memory}B"
    local = config.flag("rtc.use_localtime", True)
    words = ["-name", quoted(board.name), "-display", "none", "-nodefaults", "-no-user-config"]
    words += ["-machine", f"q35,accel=tcg,sata=off,smbus=off,vmport=off,acpi={acpi}", "-m", f"size={size}"]
    words += ["-smp", f"{topology.cpus},sockets={topology.sockets},cores={topology.cores},threads={topology.threads}"]
    words += ["-uuid", config.get("uuid") or default_uuid(board.name)]
    words += ["-rtc", f"base={'localtime' if local else 'utc'}"]
    for table, fields in SMBIOS.items():
        words += ["-smbios", ",".join([f"type={table}", *_fields(config, fields)])]
    return words


def _fields(config: Config, fields: dict[str, tuple[str, str]]) -> list[str]:
    values = ((name, config.get(variable) or default) for name, (variable, default) in fields.items())
    return [f"{name}={quoted(value)}" for name, value in values if value]


def default_uuid(name: str) -> str:
    """The UUID that bhyve makes of the guest's name and the host's where it was given none (version 3)."""
    digest = bytearray(hashlib.md5(f"{name}{socket.gethostname()}".encode()).digest())
    digest[6] = digest[6] & 0x0F | 0x30
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
