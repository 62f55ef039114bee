"""Small devices (section 1.6): shared directories, random numbers, sound, the mouse."""

from __future__ import annotations

import os

from chyves.lab.bhyve.board import Board, Broken, Spot, quoted
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import strerror

INVALID = strerror(22)


def virtio_9p(board: Board, node: Config, spot: Spot) -> None:
    """A directory that the guest mounts by the name of the share; whoever runs bhyve is who reads and writes there."""
    name, path = node.get("sharename"), node.get("path")
    if name is None:
        raise Broken("virtio-9p: share name required", INVALID)
    if path is None:
        raise Broken("virtio-9p: path required", INVALID)
    directory = board.lab.inside(path)
    try:
        os.close(os.open(directory, os.O_DIRECTORY))
    except OSError as error:
        raise Broken("", strerror(error.errno)) from None
    share = f"share{board.number}"
    words = f"local,id={share},path={quoted(directory)},security_model=none,multidevs=remap"
    board.add("-fsdev", words + (",readonly=on" if node.flag("ro") else ""))
    board.device("virtio-9p-pci", spot, f"fsdev={share}", f"mount_tag={quoted(name)}")


def virtio_rnd(board: Board, _: Config, spot: Spot) -> None:
    """Random numbers of the host."""
    board.device("virtio-rng-pci", spot)


def hda(board: Board, node: Config, spot: Spot) -> None:
    """A sound card whose sound goes nowhere."""
    ends = {name: path for name in ("play", "rec") if (path := node.get(name)) is not None}
    for path in ends.values():
        if not board.lab.inside(path).exists():
            raise Broken(f"Failed to open dev: {path}, errno: 2", strerror(2))
    name = f"hda{board.number}"
    board.add("-audiodev", f"none,id={name}-sound")
    board.device("intel-hda", spot, f"id={name}")
    codec = "hda-output" if list(ends) == ["play"] else "hda-duplex"
    board.add("-device", f"{codec},bus={name}.0,audiodev={name}-sound")


def xhci(board: Board, node: Config, spot: Spot) -> None:
    """A USB controller, to which a tablet may be connected."""
    name = f"xhci{board.number}"
    board.device("qemu-xhci", spot, f"id={name}")
    slots = node.node("slot")
    for slot in slots.names() if slots else ():
        kind = node.get(f"slot.{slot}.device")
        if kind != "tablet":
            raise Broken(f'xhci: slot {slot}: unknown device "{kind}"', INVALID)
        board.add("-device", f"usb-tablet,bus={name}.0")
