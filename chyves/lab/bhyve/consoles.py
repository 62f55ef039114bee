"""Serial ports over a terminal, stdio or TCP: com1 to com4 of LPC, arm64's console, the PCI uart (section 1.8)."""

from __future__ import annotations

import os
import re
import socket

from chyves.lab import nmdm
from chyves.lab.bhyve.board import Board, Broken, Spot
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import End, Stop, strerror
from chyves.lab.bhyve.lpc import lpc_devices
from chyves.lab.releases import release

TCP_SINCE = (14, 2)


def pl011(board: Board) -> None:
    """Connect the serial line of an arm64 guest (bhyverun_machdep.c of aarch64); raises Stop where it cannot be."""
    path = board.config.get("console")
    if path is None:
        return
    try:
        words = _backend(board, "console", path)
    except (OSError, ValueError):
        raise Stop(End.ERROR, f"Unable to initialize backend '{path}' for mmio uart") from None
    board.add("-chardev", words, "-serial", "chardev:console")


def com_ports(board: Board) -> None:
    """Connect the serial ports of the LPC bridge that have a backend."""
    for name in lpc_devices(board.lab.release):
        path = board.config.get(f"lpc.{name}.path") if name.startswith("com") else None
        if path is None:
            continue
        try:
            words = _backend(board, name, path)
        except (OSError, ValueError):
            text = f"Unable to initialize backend '{path}' for LPC device {name}"
            raise Broken(text, strerror(6)) from None
        board.add("-chardev", words, "-device", f"isa-serial,chardev={name},index={int(name[3:]) - 1}")


def uart(board: Board, node: Config, spot: Spot) -> None:
    """A serial port on the PCI bus."""
    path, name = node.get("path"), f"uart{board.number}"
    try:
        words = _backend(board, name, path) if path else f"null,id={name}"
    except (OSError, ValueError):
        raise Broken(f"Unable to initialize backend '{path}' for pci uart at {spot[1]}:{spot[2]}") from None
    board.add("-chardev", words)
    board.device("pci-serial", spot, f"chardev={name}")


def _backend(board: Board, name: str, path: str) -> str:
    """The words of a character device; raises OSError or ValueError where the backend is none."""
    if path == "stdio":
        if board.uses_stdio:
            raise ValueError(path)
        board.uses_stdio = True
        board.consoles[name] = 1
        return f"stdio,id={name},signal=off"
    remote = re.fullmatch(r"tcp=(.+):(\d+)", path)
    if remote and release(board.lab.release).number >= TCP_SINCE:
        return f"socket,id={name},fd={listen(board, remote[1].strip('[]'), int(remote[2]))},server=on,wait=off"
    terminal = _terminal(board, path)
    board.held.append(terminal)
    board.consoles[name] = terminal
    return f"serial,id={name},path={os.ttyname(terminal)}"


def listen(board: Board, address: str, port: int) -> int:
    """A descriptor that QEMU, which may be in another network, takes clients from; raises OSError."""
    family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(1)
        board.passed.append(listener.detach())
    return board.passed[-1]


def _terminal(board: Board, path: str) -> int:
    if nmdm.end_named(path):
        return nmdm.open_end(board.lab, path)
    terminal = os.open(board.lab.inside(path), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    if not os.isatty(terminal):
        os.close(terminal)
        raise ValueError(path)
    return terminal
