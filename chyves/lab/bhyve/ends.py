"""With which status and words bhyve ends."""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from typing import NoReturn


class End(IntEnum):
    """Exit statuses of bhyve (bhyve(8), EXIT STATUS; sysexits(3) for the last two)."""

    RESET = 0
    POWEROFF = 1
    HALT = 2
    TRIPLE_FAULT = 3
    ERROR = 4
    USAGE = 64
    OSERR = 71


class Stop(Exception):
    """A program of the lab ends here: `text` goes to stderr as it is, `status` is its exit status."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status, self.text = int(status), text


BSD_WORDS = {errno.EBUSY: "Device busy", errno.ENXIO: "Device not configured", errno.EAGAIN: "Device busy"}


def strerror(number: int | None) -> str:
    """An errno in the words of FreeBSD."""
    return BSD_WORDS.get(number or 0) or os.strerror(number or 0)


def fatal(text: str, status: int = End.ERROR) -> NoReturn:
    """End bhyve as its errx(3) does: the program's name before the words."""
    raise Stop(status, f"bhyve: {text}")


def perror(what: str, number: int, status: int = End.ERROR) -> NoReturn:
    """End a program with what it tried and the words of an errno, as with perror and exit."""
    raise Stop(status, f"{what}: {strerror(number)}")
