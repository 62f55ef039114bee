"""bhyveload(8): load FreeBSD into a machine (reference, section 2.1).

Nothing is loaded here: bhyve then starts the first disk's own boot code. Where the real loader would wait at its
prompt for ever, this one ends, and the waiting is the guest's.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from chyves.lab.bhyve.ends import End, Stop
from chyves.lab.bhyve.getopt import BadOption, Options
from chyves.lab.bhyve.loaders import FAILED, console, fill
from chyves.lab.bhyve.values import MIB, memory_size
from chyves.lab.place import Lab

USAGE = """usage: bhyveload [-S][-c <console-device>] [-d <disk-path>] [-e <name=value>]
                 [-h <host-path>] [-l <loader>] [-m memsize[K|k|M|m|G|g|T|t]] <vmname>"""
BANNER = b"Consoles: userboot  \r\n\r\nFreeBSD/amd64 User boot\r\n"


def main(lab: Lab, argv: list[str]) -> int:
    """Fill a machine; 0 when bhyve can be started, 1 for wrong usage or a refusal of the kernel, 64 for bad values."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return Loader(lab).load(argv)
    except BadOption as error:
        print(f"bhyveload: {error}\n{USAGE}", file=sys.stderr)
        return FAILED
    except Stop as end:
        print(end.text, file=sys.stderr)
        return end.status


class Loader:
    """One run of bhyveload: its options have their effects in order."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.memory = 256 * MIB
        self.console: int | None = None
        self.loader: str | None = None
        self.loaded: dict[str, Any] = {"program": "bhyveload", "disks": [], "variables": []}

    def load(self, argv: list[str]) -> int:
        """Read the command line and fill the machine; raises Stop and BadOption."""
        options = Options(argv, "CSc:d:e:h:l:m:")
        for letter, value in options:
            if letter in "cdlm":
                {"c": self._console, "d": self._disk, "l": self._library, "m": self._memory}[letter](value)
            elif letter == "e":
                self.loaded["variables"].append(value)
        if len(options.rest) != 1:
            print(USAGE, file=sys.stderr)
            return FAILED
        fill(self.lab, options.rest[0], self.memory, self.loaded, anew=True)
        if self.loader is not None and not self.lab.inside(self.loader).exists():
            print(f'Cannot open "{self.loader}"')
            return FAILED
        os.write(1 if self.console is None else self.console, BANNER)
        return 0

    def _console(self, value: str) -> None:
        try:
            self.console = console(self.lab, value)
        except OSError:
            _wrong(f"Could not open '{value}'")

    def _disk(self, value: str) -> None:
        path = self.lab.inside(value)
        try:
            os.close(os.open(path, os.O_RDWR))
        except OSError:
            _wrong(f"Could not open '{value}'")
        self.loaded["disks"].append(str(path))

    def _library(self, value: str) -> None:
        if self.loader is not None:
            _wrong("-l can only be given once")
        self.loader = value

    def _memory(self, value: str) -> None:
        size = memory_size(value)
        if not size:
            _wrong(f"Invalid memsize '{value}'")
        else:
            self.memory = size


def _wrong(text: str) -> None:
    raise Stop(End.USAGE, f"bhyveload: {text}")
