"""Block backends (section 1.6): the file or volume behind a disk or CD, as a drive of QEMU."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from errno import EACCES, ENOENT
from pathlib import Path

from chyves.lab.bhyve.board import Board, Broken, Disk, Spot, quoted
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import strerror
from chyves.lab.bhyve.values import c_integer
from chyves.lab.releases import release

SERIAL_LENGTH = 20
NVME_BLOCK, CRC16 = 0x589CFC200000, 0xA001
AHCI_PORTS = 6
"""Ports of one AHCI controller in QEMU; bhyve has up to 32, so more controllers follow."""


@dataclass(frozen=True)
class Drive:
    """A drive of QEMU: `properties` go to its device. An empty CD drive has none of either."""

    id: str
    properties: tuple[str, ...]
    read_only: bool


def open_drive(board: Board, node: Config, kind: str) -> Drive:
    """Open a medium as bhyve does: for writing, else read-only without a word; raises Broken where it cannot be."""
    given = node.get("path")
    if given is None:
        raise Broken(f"bhyve: {node.name}: no backing file was given", strerror(22))
    path = board.lab.inside(given)
    read_only = _read_only(path, given, kind == "cd" or node.flag("ro"))
    properties = (*_sector_sizes(node), *_boot_place(board, node, path))
    if kind == "cd" and path.is_file() and path.stat().st_size == 0:
        return Drive("", (), True)
    name = f"disk{len(board.disks)}"
    board.disks.append(Disk(kind, path, name))
    words = f"if=none,id={name},format=raw,file={quoted(path)},cache=unsafe,file.locking=off"
    words += ",discard=ignore" if node.flag("nodelete") else ",discard=unmap"
    board.add("-drive", words + (",readonly=on" if read_only else ""))
    return Drive(name, (f"drive={name}", *properties), read_only)


def _read_only(path: Path, given: str, asked: bool) -> bool:
    if not asked:
        try:
            os.close(os.open(path, os.O_RDWR))
            return False
        except OSError:
            pass  # bhyve tries again read-only
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise Broken(
            f"bhyve: Could not open backing file: {given}: {strerror(error.errno)}", strerror(error.errno)
        ) from None
    return True


def _sector_sizes(node: Config) -> tuple[str, ...]:
    given = node.get("sectorsize")
    if given is None:
        return ()
    found = re.fullmatch(r"(\d+)(?:/(\d+))?", given)
    logical = int(found[1]) if found else 0
    physical = int(found[2] or logical) if found else 0
    if not (512 <= logical <= physical and all(size & (size - 1) == 0 for size in (logical, physical))):
        raise Broken(f"Invalid sector size {given}", strerror(22))
    return (f"logical_block_size={logical}", f"physical_block_size={physical}")


def _boot_place(board: Board, node: Config, path: Path) -> tuple[str, ...]:
    """A place in the boot order: the one that a loader chose, for the first disk of this medium; else `bootindex=`."""
    place = _boot_index(board, node) if board.boot is None else board.boot.pop(path, None)
    return () if place is None else (f"bootindex={place}",)


def _boot_index(board: Board, node: Config) -> int | None:
    """`bootindex=` (14.0), of which the firmware is told by fw_cfg of QEMU's kind alone."""
    if release(board.lab.release).number < (14, 0) or board.config.get("lpc.fwcfg") != "qemu":
        return None
    return c_integer(node.get("bootindex") or "")


def virtio_blk(board: Board, node: Config, spot: Spot) -> None:
    """A paravirtual disk."""
    drive = open_drive(board, node, "hd")
    board.device("virtio-blk-pci", spot, *drive.properties, _serial(node))


def nvme(board: Board, node: Config, spot: Spot) -> None:
    """An NVMe disk, of a file or of memory (`ram=MIB`)."""
    for name in ("qsz", "ioslots"):
        value = node.get(name)
        if value is not None and (c_integer(value) or 0) <= 0:
            raise Broken(f"nvme: Invalid {name} option {value}", strerror(22))
    controller = f"nvme{board.number}"
    given = node.get("ser")
    serial = f"NVME-{spot[1]}-{spot[2]}" if given is None else given[:SERIAL_LENGTH]
    board.device("nvme", spot, f"id={controller}", f"serial={quoted(serial)}")
    drive = _nvme_drive(board, node)
    words = ("nvme-ns", f"bus={controller}", "nsid=1", *drive, f"eui64=0x{_eui64(board, node, spot):016x}")
    board.add("-device", ",".join(words))


def _nvme_drive(board: Board, node: Config) -> tuple[str, ...]:
    """The disk behind a namespace, or so much memory that is empty."""
    ram = node.get("ram")
    if ram is None:
        return open_drive(board, node, "hd").properties
    size = c_integer(ram) or 0
    if size <= 0:
        raise Broken("nvme: Unable to allocate RAM", strerror(22))
    name = f"ram{board.number}"
    board.add("-drive", f"if=none,id={name},driver=null-co,size={size}M,read-zeroes=on")
    return (f"drive={name}",)


def _eui64(board: Board, node: Config, spot: Spot) -> int:
    """The number of a namespace: what is given with its bytes turned round, else one made of the guest's name.

    pci_nvme.c: htobe64() of the option is encoded as big-endian once more; without one the FreeBSD Foundation's block
    for NVMe, the CRC-16 of name, bus, slot and function, and the namespace's number.
    """
    given = node.get("eui64")
    number = None if given is None else c_integer(given)
    if number:
        return int.from_bytes((number % (1 << 64)).to_bytes(8, "little"), "big")
    return (NVME_BLOCK | checksum(board.name + "".join(map(str, spot)))) << 16 | 1


def checksum(text: str) -> int:
    """The CRC-16 (ARC) of a text."""
    found = 0
    for byte in text.encode():
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ CRC16 * (found & 1)
    return found


def virtio_scsi(board: Board, node: Config, spot: Spot) -> None:
    """A SCSI controller, behind which is what a port of ctl(4) shows (up to 15; main has several by `target=`).

    The lab has no ctl(4): what /dev/cam/ctlPP.VP leads to, such as a volume, is LUN 0 of the port.
    """
    given = node.get("dev") or "/dev/cam/ctl"
    path = board.lab.inside(given)
    if not os.access(path, os.R_OK | os.W_OK):
        why = strerror(EACCES if path.exists() else ENOENT)
        raise Broken(f"bhyve: cannot open {given}: {why}", why)
    controller = f"scsi{board.number}"
    board.device("virtio-scsi-pci", spot, f"id={controller}")
    node.set("path", given)
    board.add("-device", ",".join(("scsi-hd", f"bus={controller}.0", *open_drive(board, node, "hd").properties)))


def ahci(board: Board, node: Config, spot: Spot) -> None:
    """A SATA controller with its disks and CDs; those after the sixth are on further controllers of their own."""
    ports = node.node("port")
    numbers = sorted((c_integer(name) or 0, name) for name in ports.names()) if ports else []
    controller = ""
    for place, (_, name) in enumerate(numbers or [(0, "")]):
        if place % AHCI_PORTS == 0:
            controller = f"ahci{board.number}"
            board.device("ahci", spot if place == 0 else None, f"id={controller}")
        port = ports.node(name) if ports and name else None
        if port is not None:
            _port(board, port, f"bus={controller}.{place % AHCI_PORTS}")


def _port(board: Board, node: Config, bus: str) -> None:
    kind = node.get("type")
    if kind not in ("hd", "cd"):
        raise Broken(f"bhyve: {node.name}: missing or invalid type", strerror(22))
    drive = open_drive(board, node, kind)
    properties = [word for word in drive.properties if "block_size" not in word]
    if kind == "hd" and drive.read_only:
        # QEMU has no read-only ATA disk: what the guest writes goes into a file of its own that is then forgotten.
        board.words[-1] = board.words[-1].replace(",readonly=on", ",snapshot=on")
    board.sata.append(board.disks[-1].path if drive.id else None)
    words = (f"ide-{kind}", bus, *properties, _serial(node), *_model(node))
    board.add("-device", ",".join(words))


def _serial(node: Config) -> str:
    """The serial number given (`ser=`); else the one that bhyve makes of the path."""
    digest = hashlib.md5((node.get("path") or "").encode(), usedforsecurity=False).hexdigest().upper()
    made = "-".join(("BHYVE", digest[:4], digest[4:8], digest[8:12]))
    return f"serial={quoted((node.get('ser') or made)[:SERIAL_LENGTH])}"


def _model(node: Config) -> tuple[str, ...]:
    pairs = (("model", "model", 40), ("rev", "ver", 8))
    values = ((word, node.get(name), longest) for name, word, longest in pairs)
    return tuple(f"{word}={quoted(value[:longest])}" for word, value, longest in values if value)
