"""Devices of the host for a guest (section 1.6, passthru): those that QEMU has too really reach it."""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENXIO

from chyves.lab import pci
from chyves.lab.bhyve.board import Board, Broken, Spot, quoted
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import fatal, strerror
from chyves.lab.bhyve.hollow import is_hollow
from chyves.lab.kernel import Kernel


def passthru(board: Board, node: Config, spot: Spot) -> None:
    """A device that ppt has; raises Broken where it has not, or the ROM is not there."""
    if not board.config.flag("memory.wired"):
        raise Broken("passthru requires guest memory to be wired", strerror(EINVAL))
    with Kernel(board.lab) as kernel:
        place = node.get("pptdev") or ":".join(node.get(name) or "" for name in ("bus", "slot", "func"))
        device = pci.find(kernel, place if place.startswith(pci.PASSTHROUGH) else f"pci0:{place}")
        if device is None or pci.drivers(kernel)[device.place] != pci.PASSTHROUGH:
            shown = place.replace(":", "/")
            raise Broken(f"PCI device at {shown} is not using the ppt(4) driver", strerror(ENXIO))
    rom = node.get("rom")
    if rom is not None and not board.lab.inside(rom).is_file():
        raise Broken(f'passthru_init_rom: can\'t open romfile "{rom}"', strerror(ENOENT))
    stand_in = pci.STAND_INS.get(device.place)
    if stand_in is not None:
        board.device(stand_in, spot, *([] if rom is None else [f"romfile={quoted(board.lab.inside(rom))}"]))
    elif not is_hollow():
        fatal(f"passthru at {':'.join(map(str, spot))}: the lab has no such device but in its lists; take it away")
