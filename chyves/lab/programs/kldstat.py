"""kldstat(8): shows what the lab's kernel has loaded."""

from __future__ import annotations

import getopt
import sys

from chyves.lab.kernel import Kernel
from chyves.lab.modules import LOADABLE, SINCE_11
from chyves.lab.place import Lab

USAGE = "usage: kldstat [-dhqv] [-i id] [-n filename]\n       kldstat [-dq] [-m modname]"
KERNEL_SIZE = 0x1F30000
BASE = 0xFFFFFFFF80200000


def main(lab: Lab, argv: list[str]) -> int:
    """Run kldstat(8): a listing, or with -q only a status for the file (-n) or module (-m) that is asked for."""
    try:
        options, rest = getopt.getopt(argv, "dhqvi:m:n:")
    except getopt.GetoptError as error:
        print(f"kldstat: illegal option -- {error.opt}", file=sys.stderr)
        options, rest = [], [USAGE]
    if rest:
        print(USAGE, file=sys.stderr)
        return 1
    asked = dict(options)
    with Kernel(lab) as kernel:
        if "-m" in asked:
            return _module(kernel, asked["-m"], "-q" in asked)
        return _files(kernel, asked)


def _module(kernel: Kernel, name: str, quiet: bool) -> int:
    there = kernel.loaded(name)
    if not quiet and there:
        print(f"Id  Refs Name\n{1 + sum(map(ord, name)) % 500:3d}    1 {name}")
    elif not quiet:
        print(f"kldstat: can't find module {name}: No such file or directory", file=sys.stderr)
    return 0 if there else 1


def _files(kernel: Kernel, asked: dict[str, str]) -> int:
    rows, address = [], BASE
    for number, refs, name in kernel.files():
        size = KERNEL_SIZE if name == "kernel" else {**LOADABLE, **SINCE_11}[name].size
        file = name if name == "kernel" else f"{name}.ko"
        rows.append((number, name, f"{number:2d} {refs:4d} 0x{address:016x} {size:8x} {file}"))
        address += size + 0x1000
    name = asked.get("-n", "").removesuffix(".ko")
    shown = [
        row
        for number, file, row in rows
        if ("-n" not in asked or file == name) and ("-i" not in asked or str(number) == asked["-i"])
    ]
    if "-q" not in asked and shown:
        print("Id Refs Address                Size Name", *shown, sep="\n")
    elif "-q" not in asked:
        what = f"file {asked['-n']}" if "-n" in asked else f"file id {asked['-i']}"
        print(f"kldstat: can't find {what}: No such file or directory", file=sys.stderr)
    return 0 if shown else 1
