"""zpool(8) of the lab's host."""

from __future__ import annotations

from chyves.lab.place import Lab
from chyves.lab.zfs import commands


def main(lab: Lab, argv: list[str]) -> int:
    """Run one command line of zpool(8) and return its status."""
    return commands.run(lab, "zpool", argv)
