"""A VNC viewer: connects to a guest's frame buffer and looks at its pixels (RFC 6143)."""

from __future__ import annotations

import socket
import struct

NO_PASSWORD = 1
SET_ENCODINGS, ASK_FOR_UPDATE = 2, 3
RAW = 0
BELL, CUT_TEXT = 2, 3


def _at_port(address: str, port: int, patience: float) -> socket.socket:
    return socket.create_connection((address, port), patience)


def _at_socket(path: str, patience: float) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.settimeout(patience)
    server.connect(path)
    return server


class Viewer:
    """A viewer without a password that takes the screen as the server has it; `width` and `height` in pixels.

    The address is that of a host, or with no port the path of a socket.
    """

    def __init__(self, address: str, port: int | None, patience: float) -> None:
        self._server = _at_socket(address, patience) if port is None else _at_port(address, port, patience)
        self.version = self._read(12).decode()
        self._server.sendall(b"RFB 003.008\n")
        kinds = self._read(self._read(1)[0])
        assert NO_PASSWORD in kinds
        self._server.sendall(bytes([NO_PASSWORD]))
        assert self._read(4) == bytes(4)
        self._server.sendall(b"\x01")  # others may look on
        self.width, self.height, bits = struct.unpack(">HHB15x", self._read(20))
        self._pixel = bits // 8
        self._read(*struct.unpack(">I", self._read(4)))
        self._server.sendall(struct.pack(">BxHi", SET_ENCODINGS, 1, RAW))

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def lit_pixels(self) -> int:
        """How many pixels of the screen are not black now."""
        self._server.sendall(struct.pack(">BBHHHH", ASK_FOR_UPDATE, 0, 0, 0, self.width, self.height))
        while (kind := self._read(1)[0]) != 0:
            self._pass_over(kind)
        lit = 0
        (rectangles,) = struct.unpack(">xH", self._read(3))
        for _ in range(rectangles):
            width, height, encoding = struct.unpack(">4xHHi", self._read(12))
            assert encoding == RAW
            data = self._read(width * height * self._pixel)
            lit += sum(any(data[at : at + self._pixel]) for at in range(0, len(data), self._pixel))
        return lit

    def _pass_over(self, kind: int) -> None:
        """Read a message that says nothing of pixels to its end."""
        if kind == CUT_TEXT:
            self._read(*struct.unpack(">3xI", self._read(7)))
        else:
            assert kind == BELL, f"message {kind}"

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self._server.recv(length - len(data))
            assert part, "the server ended the connection"
            data += part
        return data
