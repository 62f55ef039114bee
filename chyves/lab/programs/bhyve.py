"""bhyve(8): run a guest in QEMU with the devices and the strictness of bhyve."""

from __future__ import annotations

import signal
import sys

from chyves.lab.bhyve.ends import Stop
from chyves.lab.bhyve.run import run
from chyves.lab.place import Lab


def main(lab: Lab, argv: list[str]) -> int:
    """Run a guest until it ends; the status says how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return run(lab, argv)
    except Stop as end:
        if end.text:
            print(end.text, file=sys.stderr)
        return end.status
