"""The boot ROM: OVMF under bhyve's names, with or without a VARS file of the guest's own (section 1.8)."""

from __future__ import annotations

import os
from pathlib import Path

from chyves.lab.bhyve.board import Board, quoted
from chyves.lab.bhyve.ends import fatal, strerror
from chyves.lab.bhyve.lpc import rom_variables

PAGE, LARGEST = 4096, 16 << 20


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
    for place, words in ((path, ",readonly=on"), (own, "")):
        board.add("-drive", f"if=pflash,format=raw,file.locking=off,file={quoted(place)}{words}")


def _size(path: Path, complaint: str, flags: int) -> int:
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        fatal(f"{complaint}: {strerror(error.errno)}")
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
