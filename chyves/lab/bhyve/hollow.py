"""A guest that only lives and dies, for where QEMU is missing or a test needs none (CHYVES_LAB_GUEST=hollow).

It says one line on each serial port and obeys single keys from them: `p` powers off, `r` resets, `h` halts, `t` is a
triple fault. A SIGTERM powers it off (on arm64, where bhyve has no button, it kills bhyve). Where a disk or CD begins
with a line `#hollow STATUS [SECONDS]`, the guest ends with that status after that time (at once without one); a status
above 128 is a death by that signal. Of several media the first, in slot order, counts. On the port of the guest agent
something like that answers; what comes on other ports of a virtio-console goes back, line by line.
"""

from __future__ import annotations

import os
import re
import select
import time
from pathlib import Path

from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.ends import End
from chyves.lab.bhyve.hollow_agent import NAME, HollowAgent
from chyves.lab.bhyve.life import die_of
from chyves.lab.bhyve.ports import Client

VARIABLE, WANTED = "CHYVES_LAB_GUEST", "hollow"
KEYS = {ord("p"): End.POWEROFF, ord("r"): End.RESET, ord("h"): End.HALT, ord("t"): End.TRIPLE_FAULT}
SIGNALS = 128


def is_hollow() -> bool:
    """Whether guests are to be hollow."""
    return os.environ.get(VARIABLE) == WANTED


class HollowGuest:
    """A guest without a machine; see the module's text for what it obeys."""

    def __init__(self, board: Board) -> None:
        self._written = [0 if console == 1 else console for console in board.consoles.values()]
        self._heard = self._written if os.isatty(0) or 0 not in self._written else []
        self._has_power_button = not board.lab.is_arm64
        self._clients = [Client(port) for port in board.ports]
        self._agent = HollowAgent(board.name, self._power_off)
        fate = next(filter(None, (_fate(disk.path) for disk in board.disks)), None)
        self._status = fate[0] if fate else None
        self._until = time.monotonic() + (fate[1] if fate else 0.0)
        for console in board.consoles.values():
            os.write(console, f"hollow guest {board.name}\r\n".encode())
        self._end: int | None = None

    @property
    def descriptors(self) -> list[int]:
        """The serial ports, and those of virtio-console with who is connected to them."""
        return [*self._heard, *(number for client in self._clients for number in client.descriptors)]

    @property
    def patience(self) -> float | None:
        """Seconds until it ends by itself."""
        if self._end is not None:
            return 0.0
        return None if self._status is None else max(0.0, self._until - time.monotonic())

    def happened(self) -> int | None:
        """Read the ports; the status when a key or the time ended it."""
        ready, _, _ = select.select([number for client in self._clients for number in client.descriptors], [], [], 0)
        for client in self._clients:
            self._answer(client, ready)
        for console in self._heard:
            os.set_blocking(console, False)
            try:
                keys = os.read(console, 4096)
            except OSError:
                continue
            for key in keys:
                if key in KEYS:
                    return KEYS[key]
        if self._end is None and self._status is not None and time.monotonic() >= self._until:
            self._end = self._status
        if self._end is not None and self._end > SIGNALS:
            die_of(self._end - SIGNALS)
        return self._end

    def _answer(self, client: Client, ready: list[int]) -> None:
        """Answer what a client says, and let one in."""
        talks = client.connection is not None and client.connection.fileno() in ready
        for line in client.lines() if talks else ():
            client.send(self._agent.answer(line) if client.port.name == NAME else line + b"\n")
        if client.port.listener.fileno() in ready:
            client.accept()

    def _power_off(self) -> None:
        self._end = End.POWEROFF

    def press_power_button(self) -> bool:
        """Power off, where there is a button."""
        if self._has_power_button:
            self._power_off()
        return self._has_power_button

    def interrupt(self) -> None:
        """Nothing is there to be interrupted."""

    def kill(self) -> None:
        """Nothing is there to be killed."""


def _fate(path: Path) -> tuple[int, float] | None:
    with open(path, "rb") as medium:
        found = re.match(rb"#hollow (\d+)(?: ([\d.]+))?\s", medium.read(64) + b"\n")
    return (int(found[1]), float(found[2] or 0)) if found else None
