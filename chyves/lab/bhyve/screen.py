"""The frame buffer device, seen over VNC (section 1.6, fbuf)."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

from chyves.lab.bhyve.board import Board, Broken, Spot, quoted
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import strerror
from chyves.lab.releases import release

WIDTHS, HEIGHTS = range(640, 3841), range(480, 2161)
VNC_PORT, LAST_PORT, LOCALHOST = 5900, 65535, "127.0.0.1"
SOCKET_SINCE = (15, 1)
INVALID = strerror(22)


def fbuf(board: Board, node: Config, spot: Spot) -> None:
    """A screen and its VNC server."""
    if board.has_screen:
        raise Broken("Only one frame buffer device is allowed.")
    board.has_screen = True
    vga = node.get("vga")
    if vga not in (None, "io", "on", "off"):
        raise Broken(f"fbuf: Invalid vga option {vga}", INVALID)
    if vga == "on":
        # bhyve says this and leaves the device dead: there is no VNC server.
        print("pci_fbuf: VGA rendering not enabled", file=sys.stderr)
        return
    width, height = _pixels(node, "w", 1024, WIDTHS), _pixels(node, "h", 768, HEIGHTS)
    board.waits_for_viewer = node.flag("wait")
    board.device("VGA", spot, f"edid=on,xres={width},yres={height}")
    board.viewers = _listen(board, node.get("rfb") or node.get("tcp") or "")
    password = node.get("password")
    if password is None:
        board.add("-vnc", "none")
    else:
        board.add("-object", f"secret,id=vnc,data={quoted(password[:8])}", "-vnc", "none,password-secret=vnc")


def _pixels(node: Config, name: str, default: int, allowed: range) -> int:
    given = node.get(name)
    number = default if given is None else int(given) if given.isdigit() else 0
    if number not in allowed:
        raise Broken(f"fbuf: {name}={given}: outside {allowed[0]} to {allowed[-1]}", INVALID)
    return number


def _listen(board: Board, address: str) -> socket.socket:
    """Listen on `PORT`, `IPv4:PORT`, `[IPv6]:PORT`, `unix:PATH` (15.1); a bare port and no address are on localhost.

    bhyve itself listens and hands each viewer to QEMU, which may be in another network.
    """
    if address.startswith("unix:") and release(board.lab.release).number >= SOCKET_SINCE:
        return _listen_at_socket(board.lab.inside(address.removeprefix("unix:")))
    found = re.fullmatch(r"(?:(\[[^]]+\]|[^:]*):)?(\d+)", address or str(VNC_PORT))
    if not found or int(found[2]) > LAST_PORT:
        raise Broken(f"fbuf: Invalid address {address}", INVALID)
    host = (found[1] or LOCALHOST).strip("[]")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, int(found[2]), type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
    except OSError as error:
        raise Broken(f"bhyve: bind: {strerror(error.errno)}", strerror(error.errno)) from None
    listener.listen()
    return listener


def _listen_at_socket(path: Path) -> socket.socket:
    """Listen at a socket of the host; one that is there already, also of a bhyve that is gone, is in the way."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
    except OSError as error:
        raise Broken(f"bhyve: bind: {strerror(error.errno)}", strerror(error.errno)) from None
    listener.listen()
    return listener
