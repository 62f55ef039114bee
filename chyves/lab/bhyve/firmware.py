"""The boot ROM: OVMF under bhyve's names, with or without a VARS file of the guest's own (section 1.8)."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from chyves.lab.bhyve.board import Board, quoted
from chyves.lab.bhyve.ends import fatal, strerror
from chyves.lab.bhyve.lpc import rom_variables

PAGE, LARGEST = 4096, 16 << 20
# The GUID, at offset 16, of a firmware volume that holds variables; its length follows (UEFI PI specification, vol. 3).
VARIABLE_STORE = bytes.fromhex("8d2bf1ff96768b4ca9852747075b4f50")


def rom_of(board: Board) -> str | None:
    """The boot ROM that the configuration names, or None."""
    new, old = rom_variables("15.0")[0], rom_variables("14.3")[0]
    return board.config.get(new) or board.config.get(old)


def load_rom(board: Board) -> None:
    """Give QEMU the ROM: alone by -bios, with VARS as two flash devices of which the second can be written."""
    rom = rom_of(board)
    if rom is None:
        return
    path = board.lab.inside(rom)
    size = _size(path, f'Error opening bootrom "{rom}"', os.O_RDONLY)
    if size % PAGE or not 0 < size <= LARGEST:
        fatal(f"Invalid bootrom size {size}")
    variables = board.config.get("bootvars") or board.config.get("lpc.bootvars")
    if variables is None:
        board.add("-bios", str(path))
        return
    own = board.lab.inside(variables)
    if _size(own, f'Error opening bootrom variables file "{variables}"', os.O_RDWR) < PAGE:
        fatal("Invalid bootrom variables size")
    for place, words in ((_code(board, path, own), ",readonly=on"), (own, "")):
        board.add("-drive", f"if=pflash,format=raw,file.locking=off,file={quoted(place)}{words}")


def _code(board: Board, rom: Path, variables: Path) -> Path:
    """A ROM without the variables that it may begin with: the guest's VARS file takes their place.

    QEMU wants the code alone in its first flash device, where bhyve takes a whole ROM with VARS as well. Such a
    firmware crashes on VARS of another size, which the real one does not have.
    """
    length = _variables_at_the_beginning(rom)
    if not length:
        return rom
    if variables.stat().st_size != length:
        fatal(f"{variables}: is no VARS file for {rom}, whose variables take {length} bytes; use the one made for it")
    code = os.memfd_create("code", 0)
    os.write(code, rom.read_bytes()[length:])
    board.passed.append(code)
    return Path(f"/proc/self/fd/{code}")


def _variables_at_the_beginning(rom: Path) -> int:
    """Bytes of the volume of variables that a ROM begins with, 0 where it begins with code."""
    with rom.open("rb") as file:
        begin = file.read(40)
    if begin[16:32] != VARIABLE_STORE:
        return 0
    (length,) = struct.unpack("<Q", begin[32:40])
    return int(length)


def _size(path: Path, complaint: str, flags: int) -> int:
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        fatal(f"{complaint}: {strerror(error.errno)}")
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
