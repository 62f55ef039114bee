"""freebsd-version(1): prints the version of the lab's installed system."""

from __future__ import annotations

import getopt
import sys

from chyves.lab.place import Lab
from chyves.lab.releases import release

USAGE = "usage: freebsd-version [-kru] [-j jail]"


def main(lab: Lab, argv: list[str]) -> int:
    """Run freebsd-version(1): -k the installed kernel, -r the running one, -u (also unasked) the userland."""
    try:
        options, rest = getopt.getopt(argv, "kruj:")
    except getopt.GetoptError:
        options, rest = [], [USAGE]
    if rest:
        print(USAGE, file=sys.stderr)
        return 1
    for _ in options or [("-u", "")]:
        print(release(lab.release).patched)
    return 0
