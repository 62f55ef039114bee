"""kldload(8): loads kernel modules into the lab's kernel."""

from __future__ import annotations

import getopt
import sys

from chyves.lab.kernel import Kernel, Refused
from chyves.lab.place import Lab

USAGE = "usage: kldload [-nqv] file ..."
LOADED = "module already loaded or in kernel"


def main(lab: Lab, argv: list[str]) -> int:
    """Run kldload(8): every file is tried, and the status is 1 when one of them failed."""
    try:
        options, files = getopt.getopt(argv, "nqv")
    except getopt.GetoptError as error:
        print(f"kldload: illegal option -- {error.opt}", file=sys.stderr)
        files = []
    if not files:
        print(USAGE, file=sys.stderr)
        return 1
    asked = dict(options)
    with Kernel(lab) as kernel:
        return max([_load(kernel, file, asked) for file in files])


def _load(kernel: Kernel, file: str, asked: dict[str, str]) -> int:
    try:
        kernel.load(file)
    except Refused as refused:
        if "-n" in asked and str(refused) == LOADED:
            return 0
        if "-q" not in asked:
            print(f"kldload: {_words(file, str(refused))}", file=sys.stderr)
        return 1
    if "-v" in asked:
        number = next(id for id, _, name in kernel.files() if name == file.rpartition("/")[2].removesuffix(".ko"))
        print(f"Loaded {file}, id={number}")
    return 0


def _words(file: str, refusal: str) -> str:
    if refusal:
        return f"can't load {file}: {refusal}"
    return f"an error occurred while loading module {file}. Please check dmesg(8) for more details."
