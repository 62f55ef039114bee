"""Ports of virtio-console, each a socket of the host (section 1.6, virtio-console; pci_virtio_console.c).

bhyve makes the sockets and does not remove them. It accepts whoever connects, and closes at once who comes while
another is there. In QEMU a port is a character device, which is given the connection of who was accepted.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from errno import EINVAL, ENAMETOOLONG
from pathlib import Path

from chyves.lab.bhyve.board import Board, Broken, Spot, quoted
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import strerror

MOST = 16
LENGTH = 104
"""Bytes of a socket's name, with the one that ends it (unix(4))."""


@dataclass(frozen=True)
class Port:
    """A port: its name in the guest, where clients connect, and the name of its character device in QEMU."""

    name: str
    listener: socket.socket
    id: str


def virtio_console(board: Board, node: Config, spot: Spot) -> None:
    """A console with its ports; raises Broken for one that cannot be."""
    name = f"vtcon{board.number}"
    board.device("virtio-serial-pci", spot, f"id={name}")
    numbers = node.node("port")
    for number in numbers.names() if numbers else ():
        path, called = node.get(f"port.{number}.path"), node.get(f"port.{number}.name")
        if path is None or called is None or not number.isdigit() or int(number) >= MOST:
            raise Broken(f"vtcon: Invalid port {number}", strerror(EINVAL))
        port = f"{name}port{number}"
        listener, inside = _listen(board, called, path)
        board.ports.append(Port(called, listener, port))
        board.held += [listener.fileno(), inside]
        board.passed.append(inside)
        board.add("-chardev", f"socket,id={port},fd={inside},server=on,wait=off")
        # QEMU keeps its number 0 for a console.
        board.add("-device", f"virtserialport,bus={name}.0,nr={int(number) + 1},chardev={port},name={quoted(called)}")


def _listen(board: Board, name: str, path: str) -> tuple[socket.socket, int]:
    """Where clients connect, and a socket for QEMU, which wants one to listen on and to which nobody finds the way."""
    place = Path(board.lab.inside(path))
    if len(os.fsencode(place.name)) >= LENGTH:
        raise Broken(f"cannot create port {name}: {strerror(ENAMETOOLONG)}", strerror(ENAMETOOLONG))
    try:
        directory = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            listener = _bound(f"/proc/self/fd/{directory}/{place.name}")
            hidden = f"/proc/self/fd/{directory}/.{os.getpid()}.{board.number}"
            inside = _bound(hidden)
            os.unlink(hidden)
        finally:
            os.close(directory)
    except OSError as error:
        raise Broken(f"cannot create port {name}: {strerror(error.errno or 0)}", strerror(error.errno or 0)) from None
    return listener, inside.detach()


def _bound(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(path)
        made.listen(1)
    except OSError:
        made.close()
        raise
    return made


class Client:
    """Who is connected to a port of a guest without a machine; one at a time."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.connection: socket.socket | None = None
        self.unread = b""

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable: somebody who comes, or what the one who is there says."""
        return [self.port.listener.fileno(), *([self.connection.fileno()] if self.connection else [])]

    def accept(self) -> None:
        """Let in who comes, or send away where another is there."""
        came, _ = self.port.listener.accept()
        if self.connection is None:
            self.connection = came
        else:
            came.close()

    def lines(self) -> list[bytes]:
        """The whole lines that were sent; the connection is closed where it has ended."""
        if self.connection is None:
            return []
        try:
            data = self.connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.connection.close()
            self.connection, self.unread = None, b""
            return []
        *lines, self.unread = (self.unread + data).split(b"\n")
        return lines

    def send(self, data: bytes) -> None:
        """Say something to who is there."""
        if self.connection is not None:
            with suppress(OSError):
                self.connection.sendall(data)
