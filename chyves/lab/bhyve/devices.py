"""The emulations of bhyve as devices of QEMU, in the order in which bhyve initialises them (sections 1.5 and 1.6)."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from errno import EBUSY, EINVAL

from chyves.errors import ChyvesError
from chyves.lab.bhyve import arm64, consoles, disks, peripherals
from chyves.lab.bhyve.board import Board, Broken, Spot
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import End, Stop, fatal, strerror
from chyves.lab.bhyve.firmware import load_rom
from chyves.lab.bhyve.passthru import passthru
from chyves.lab.bhyve.ports import virtio_console
from chyves.lab.bhyve.screen import fbuf
from chyves.lab.bhyve.slirp import open_slirp
from chyves.lab.bhyve.slots import ALIASES, BUSES, FUNCTIONS, SLOTS, emulations
from chyves.lab.releases import release

NOT_CARRIED = ("virtio-input",)
BACKENDS = {
    **dict.fromkeys(("tap", "vmnet", "vale", "netmap:"), (10, 0)),
    "netgraph": (13, 0),
    "slirp": (15, 0),
}
"""Beginnings of the names of network backends, and the release that has them first."""
NO_BACKENDS = ("netgraph", "netmap:")
BUILT_IN = ("hostbridge", "amd_hostbridge", "lpc")
INVALID = strerror(EINVAL)
PORT = re.compile(r"vale[0-9A-Za-z_]+:[0-9A-Za-z_]+")
PORT_LENGTH = 15


def initialise(board: Board) -> None:
    """Initialise every device, bus by bus and slot by slot; raises Stop (4) with bhyve's words for what is wrong."""
    try:
        if board.lab.is_arm64:
            arm64.platform(board)
        elif release(board.lab.release).number >= (15, 0):
            load_rom(board)
        found = list(_devices(board))
        built_in = [spot for spot, emulation, _ in found if emulation in BUILT_IN]
        board.plan(built_in, [spot for spot, emulation, _ in found if emulation not in BUILT_IN])
        for spot, emulation, node in found:
            _initialise_one(board, spot, emulation, node)
    except Broken as error:
        raise Stop(
            End.ERROR, "\n".join(filter(None, (error.text, f"Device emulation initialization error: {error.why}")))
        ) from None


def _devices(board: Board) -> list[tuple[Spot, str, Config]]:
    """Every spot that has a node, in order, with its emulation."""
    known = emulations(board.lab)
    found = []
    spots = ((bus, slot, function) for bus in range(BUSES) for slot in range(SLOTS) for function in range(FUNCTIONS))
    pci = board.config.node("pci")
    for spot in spots if pci else ():
        node = board.config.node("pci." + ".".join(map(str, spot)))
        if node is None:
            continue
        told = "pci slot " + ":".join(map(str, spot))
        emulation = node.get("device")
        if emulation is None:
            raise Broken(f'{told}: missing "device" value', INVALID)
        if emulation not in known:
            raise Broken(f'{told}: unknown device "{emulation}"', INVALID)
        if emulation in ALIASES:
            raise Broken(f'{told}: legacy device "{emulation}", use "{ALIASES[emulation]}" instead', INVALID)
        found.append((spot, emulation, node))
    return found


def _initialise_one(board: Board, spot: Spot, emulation: str, node: Config) -> None:
    if emulation in NOT_CARRIED:
        fatal(f"{emulation} at {':'.join(map(str, spot))}: the lab has no such device; take it off this guest")
    DEVICES[emulation](board, node, spot)


def _nothing(_board: Board, _node: Config, _spot: Spot) -> None:
    """QEMU's machine has a host bridge of its own."""


def _lpc(board: Board, _: Config, spot: Spot) -> None:
    if board.has_lpc:
        raise Broken("Only one LPC bridge is allowed.")
    if spot[0] != 0:
        raise Broken("LPC bridge can be present only on bus 0.")
    board.has_lpc = True
    if release(board.lab.release).number < (15, 0):
        load_rom(board)
    consoles.com_ports(board)


def _network(model: str) -> Callable[[Board, Config, Spot], None]:
    def nic(board: Board, node: Config, spot: Spot) -> None:
        name = node.get("backend")
        unit = board.cards
        board.cards += 1
        properties = [] if name is None else [f"netdev=net{unit}"]
        properties += [f"mac={_mac(board, node, spot)}", "romfile="]
        if model == "virtio-net-pci":
            properties += _mtu(node)
        if name is not None:
            _connect(board, node, name, unit)
        board.device(model, spot, *properties)

    return nic


def _connect(board: Board, node: Config, name: str, unit: int) -> None:
    """Open the backend of a card; raises Broken for one that this release does not have."""
    since = next((since for prefix, since in BACKENDS.items() if name.startswith(prefix)), None)
    if since is None or release(board.lab.release).number < since:
        raise Broken(f"{name}: unknown network backend", INVALID)
    if name.startswith(NO_BACKENDS):
        fatal(f"{name}: the lab has no such network backend; give the guest a tap")
    if name.startswith("slirp"):
        open_slirp(board, node, unit)
    else:
        (_open_port if name.startswith("vale") else _open_tap)(board, name, unit)


def _open_tap(board: Board, name: str, unit: int) -> None:
    from chyves.lab import network

    if name in board.taps:
        raise Broken(f"open of tap device /dev/{name} failed: {strerror(EBUSY)}", strerror(EBUSY))
    try:
        board.add(*network.attach(board.lab, name, unit, os.getpid(), board.passed))
    except (ChyvesError, OSError) as error:
        raise Broken(f"open of tap device /dev/{name} failed: {error}", strerror(EBUSY)) from None
    board.taps.append(name)


def _open_port(board: Board, name: str, unit: int) -> None:
    """Open a port of a VALE switch, which makes both; a port has one opener (netmap(4))."""
    from chyves.lab import network

    why = "" if PORT.fullmatch(name) and len(name) <= PORT_LENGTH else INVALID
    try:
        if not why and name not in board.taps:
            board.add(*network.connect(board.lab, name, unit, os.getpid()))
            board.taps.append(name)
            return
    except ChyvesError:
        pass
    why = why or strerror(EBUSY)
    raise Broken(f"Unable to nm_open(): interface '{name}', errno ({why})", why)


def _mac(board: Board, node: Config, spot: Spot) -> str:
    """The address given; else the one that bhyve makes of slot, function and the guest's name."""
    given = node.get("mac")
    if given is None:
        digest = hashlib.md5(f"{spot[1]}-{spot[2]}-{board.name}".encode()).digest()
        return "00:a0:98:" + ":".join(f"{byte:02x}" for byte in digest[:3])
    octets = given.split(":")
    right = len(octets) == 6 and all(re.fullmatch("[0-9a-fA-F]{1,2}", octet) for octet in octets)
    numbers = [int(octet, 16) for octet in octets] if right else [1]
    if numbers[0] & 1 or not any(numbers):
        raise Broken(f"Invalid MAC address {given}", INVALID)
    return ":".join(f"{number:02x}" for number in numbers)


def _mtu(node: Config) -> list[str]:
    given = node.get("mtu")
    if given is None:
        return []
    if not given.isdigit() or not 68 <= int(given) <= 65535:
        raise Broken(f"Invalid MTU {given}", INVALID)
    return [f"host_mtu={given}"]


DEVICES: dict[str, Callable[[Board, Config, Spot], None]] = {
    "hostbridge": _nothing,
    "amd_hostbridge": _nothing,
    "lpc": _lpc,
    "virtio-blk": disks.virtio_blk,
    "nvme": disks.nvme,
    "virtio-scsi": disks.virtio_scsi,
    "ahci": disks.ahci,
    "virtio-net": _network("virtio-net-pci"),
    "e1000": _network("e1000"),
    "virtio-9p": peripherals.virtio_9p,
    "virtio-rnd": peripherals.virtio_rnd,
    "hda": peripherals.hda,
    "virtio-console": virtio_console,
    "uart": consoles.uart,
    "xhci": peripherals.xhci,
    "fbuf": fbuf,
    "passthru": passthru,
}
