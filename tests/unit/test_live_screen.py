"""What is drawn on a terminal again and again."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios

import pytest

from chyves.cli.tables import Column, Row, Table
from chyves.guests import live_screen

TABLE = Table("usage", (Column("guest", "Guest"),), tuple(Row({"guest": f"web{number}"}) for number in range(40)))


@pytest.mark.parametrize(("rows", "columns", "shown"), [(0, 0, 20), (10, 40, 6)])
def test_a_serial_line_that_does_not_know_its_size_is_drawn_on_too(
    monkeypatch: pytest.MonkeyPatch, rows: int, columns: int, shown: int
) -> None:
    user, line = pty.openpty()
    fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with open(line, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        live_screen._draw(TABLE)
        told = os.read(user, 1 << 16).decode()
    os.close(user)
    assert live_screen.KEYS[:6] in told and told.count("web") == shown
