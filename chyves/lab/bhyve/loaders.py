"""What bhyveload and grub-bhyve leave for bhyve: a machine with memory, and what it is to boot (section 2)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from chyves.lab import nmdm, vmm
from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.ends import Stop, perror
from chyves.lab.bhyve.grub import grub_image
from chyves.lab.bhyve.module import load_vmm
from chyves.lab.place import Lab

FAILED = 1


def fill(lab: Lab, name: str, memory: int, loaded: dict[str, Any], *, anew: bool) -> None:
    """Make a machine, give it memory and note what was loaded; raises Stop (1).

    A machine that is there is filled again with `anew`, else refused; never while a bhyve runs it, nor with another
    size of memory.
    """
    load_vmm(lab, FAILED)
    try:
        vmm.create(lab, name)
    except OSError as error:
        if not (anew and isinstance(error, FileExistsError)):
            perror("vm_create", error.errno or 0, FAILED)
    try:
        machine = vmm.Open(lab, name)
    except OSError as error:
        perror("vm_reinit" if isinstance(error, BlockingIOError) else "vm_open", error.errno or 0, FAILED)
    if machine.known.memory not in (None, memory):
        perror("vm_setup_memory", 22, FAILED)
    machine.known.memory, machine.known.loaded = memory, loaded
    machine.keep()
    machine.close()


def console(lab: Lab, device: str) -> int | None:
    """Open a loader's console; None for stdio. Raises OSError where it cannot be opened or is no terminal."""
    if device == "stdio":
        return None
    if nmdm.end_named(device):
        return nmdm.open_end(lab, device)
    terminal = os.open(lab.inside(device), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    if not os.isatty(terminal):
        os.close(terminal)
        raise OSError(25, "Inappropriate ioctl for device")
    return terminal


def boot_order(loaded: dict[str, Any]) -> dict[Path, int]:
    """The places of media in the BIOS's boot order, by what a loader decided: GRUB's hd0 is the first of them."""
    if loaded.get("program") == "bhyveload":
        return {Path(path): place for place, path in enumerate(loaded["disks"], 1)}
    drives = sorted((int(name[2:] or 0), path) for name, path in loaded.get("map", {}).items() if name[:2] == "hd")
    return {Path(path): place for place, (_, path) in enumerate(drives, 1)}


def loader_words(board: Board, loaded: dict[str, Any]) -> list[str]:
    """QEMU's words for a loader's work: nothing for bhyveload, whose disk boots itself; GRUB for grub-bhyve.

    Raises Stop (4) where the disk that bhyveload read is not one of the guest's.
    """
    if loaded.get("program") == "grub-bhyve":
        image = grub_image(board, loaded)
        board.passed.append(image)
        return ["-kernel", f"/proc/self/fd/{image}"]
    first = next(iter(loaded.get("disks", [])), None)
    if first is not None and Path(first) not in [disk.path for disk in board.disks]:
        raise Stop(4, f"bhyve: {first}: bhyveload read it, but the guest does not have it; add it with -s")
    return []
