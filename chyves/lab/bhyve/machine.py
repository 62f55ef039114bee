"""QEMU's words for the machine itself: board, memory, processors, clock, tables."""

from __future__ import annotations

import hashlib
import os
import socket

from chyves.lab.bhyve import arm64
from chyves.lab.bhyve.board import Board, quoted
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.layout import domain_words, domains, item_words, keyboard_words
from chyves.lab.bhyve.values import MIB, Topology

QEMU = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}
PACKAGE = {"amd64": "qemu-system-x86", "arm64": "qemu-system-arm"}
"""The program that plays a machine, and Debian's package that has it."""

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


def qemu_path(machine: str) -> str | None:
    """Where the QEMU for a machine is, or None."""
    for folder in os.get_exec_path():
        path = os.path.join(folder, QEMU[machine])
        if os.access(path, os.X_OK):
            return path
    return None


def machine_words(board: Board, memory: int, topology: Topology) -> list[str]:
    """The words before those of the devices: emulation only, and none of the devices that QEMU would add itself."""
    parts = [] if board.lab.is_arm64 else domains(board, memory)
    memory = sum(size for size, _ in parts) or memory
    size = f"{memory // MIB}M" if memory % MIB == 0 else f"{memory}B"
    # The clock of amd64 counts local time unless told otherwise, that of arm64 UTC (rtc_pl031.c).
    local = board.config.flag("rtc.use_localtime", not board.lab.is_arm64)
    words = ["-name", quoted(board.name), "-display", "none", "-nodefaults", "-no-user-config", "-m", f"size={size}"]
    words += ["-smp", f"{topology.cpus},sockets={topology.sockets},cores={topology.cores},threads={topology.threads}"]
    words += ["-rtc", f"base={'localtime' if local else 'utc'}"]
    return words + (arm64.MACHINE if board.lab.is_arm64 else _pc_words(board, parts))


def _pc_words(board: Board, parts: list[tuple[int, str]]) -> list[str]:
    """What makes the machine a PC, with its tables and what its firmware and keyboard have."""
    config = board.config
    acpi = "on" if config.flag("acpi_tables") else "off"
    words = ["-machine", f"q35,accel=tcg,sata=off,smbus=off,vmport=off,acpi={acpi}"]
    words += [*domain_words(parts), *item_words(board), *keyboard_words(board)]
    words += ["-uuid", config.get("uuid") or default_uuid(board.name)]
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
