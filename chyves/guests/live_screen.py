"""A table that is drawn again and again on a terminal, until q is typed."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chyves.cli.tables import Table, plain

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The screen beside the usual one, without a cursor; and back (xterm's, which all terminals of today know)."""

HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
KEYS = "q: end, space: now"
WIDTH, HEIGHT = 80, 24
"""Of a terminal that does not know its size, as on a serial line."""


def possible() -> bool:
    """Whether there is a terminal that can be drawn on, and typed at."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def show(tables: Iterator[Table], seconds: int, most: int | None) -> None:
    """Draw the tables, one each so many seconds, `most` of them, or until q or Ctrl-C; the screen is as before then."""
    with suppress(KeyboardInterrupt), _screen() as woken:
        first = next(tables)
        _draw(first)
        shown = 0
        while shown != most and _wait(1 if shown == 0 else seconds, woken, first):
            first = next(tables)
            _draw(first)
            shown += 1


@contextmanager
def _screen() -> Iterator[int]:
    """The terminal given key by key, another screen, and what can be read from once the window's size has changed."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = termios.tcgetattr(sys.stdin)
    resized = signal.signal(signal.SIGWINCH, lambda number, frame: None)
    woken = signal.set_wakeup_fd(writing)
    try:
        tty.setcbreak(sys.stdin)
        print(ENTER, end="", flush=True)
        yield reading
    finally:
        print(LEAVE, end="", flush=True)
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, before)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGWINCH, resized)
        os.close(reading)
        os.close(writing)


def _wait(seconds: int, woken: int, table: Table) -> bool:
    """Wait for the next table, drawing this one again where the window changes; False where all is to end."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([sys.stdin, woken], [], [], left)
        if woken in ready:
            os.read(woken, 4096)
            _draw(table)
        if sys.stdin in ready:
            keys = os.read(sys.stdin.fileno(), 64)
            if not keys or b"q" in keys or b"Q" in keys:
                return False
            if b" " in keys:
                return True
    return True


def _draw(table: Table) -> None:
    size = os.get_terminal_size(sys.stdout.fileno())  # COLUMNS is not changed as the window is
    width, height = size.columns or WIDTH, size.lines or HEIGHT
    count = len(table.rows)
    head = f"{time.strftime('%H:%M:%S')}  {count} {'guest runs' if count == 1 else 'guests run'}  ({KEYS})"
    lines = [head[:width], "", *plain(table, width).splitlines()][: max(1, height - 1)]
    text = "".join(f"{line}{END_OF_LINE}\n" for line in lines)
    print(f"{HOME}{text}{END_OF_SCREEN}", end="", flush=True)
