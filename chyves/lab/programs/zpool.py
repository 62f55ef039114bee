"""zpool(8) of the lab's host."""

from __future__ import annotations

import signal

from chyves.lab.place import Lab
from chyves.lab.zfs import commands


def main(lab: Lab, argv: list[str]) -> int:
    """Run one command line of zpool(8) and return its status; signals end it as they end any C program."""
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    if lab.on_real_zfs:
        from chyves.lab import real_zfs

        return real_zfs.zpool(lab, argv)
    return commands.run(lab, "zpool", argv)
