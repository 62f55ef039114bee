"""kldunload(8): unloads kernel modules from the lab's kernel."""

from __future__ import annotations

import getopt
import sys

from chyves.lab.kernel import Kernel, Refused
from chyves.lab.place import Lab

USAGE = "usage: kldunload [-fv] -i id ...\n       kldunload [-fv] [-n] name ..."


def main(lab: Lab, argv: list[str]) -> int:
    """Run kldunload(8); vmm is busy while a VM exists, nmdm while a pair does."""
    try:
        options, names = getopt.getopt(argv, "fvin")
    except getopt.GetoptError as error:
        print(f"kldunload: illegal option -- {error.opt}", file=sys.stderr)
        names = []
    if not names:
        print(USAGE, file=sys.stderr)
        return 1
    by_number = any(option == "-i" for option, _ in options)
    with Kernel(lab) as kernel:
        return max([_unload(kernel, name, by_number) for name in names])


def _unload(kernel: Kernel, given: str, by_number: bool) -> int:
    name = given
    if by_number:
        name = next((file for number, _, file in kernel.files() if str(number) == given), "")
    try:
        kernel.unload(name)
    except Refused as refused:
        if str(refused) == "Device busy":
            print("kldunload: can't unload file: Device busy", file=sys.stderr)
        else:
            print(f"kldunload: can't find file {given}", file=sys.stderr)
        return 1
    return 0
