"""uname(1): tells what system the lab is."""

from __future__ import annotations

import getopt
import os
import sys

from chyves.lab.place import Lab
from chyves.lab.releases import MACHINES, release

ORDER = "snrvmpiUK"


def main(lab: Lab, argv: list[str]) -> int:
    """Run uname(1); -K and -U are the kernel's and the userland's osreldate."""
    try:
        options, rest = getopt.getopt(argv, "abiKmnoprsUv")
    except getopt.GetoptError as error:
        print(f"uname: illegal option -- {error.opt}", file=sys.stderr)
        options, rest = [], ["?"]
    if rest:
        print("usage: uname [-abiKmnoprsUv]", file=sys.stderr)
        return 1
    facts = release(lab.release)
    told = {
        "s": "FreeBSD",
        "n": os.uname().nodename,
        "r": facts.patched,
        "v": f"FreeBSD {facts.patched} GENERIC",
        "m": lab.machine,
        "p": MACHINES[lab.machine],
        "i": "GENERIC",
        "U": str(facts.osreldate),
        "K": str(facts.osreldate),
    }
    asked = {option[1].replace("o", "s") for option, _ in options} or {"s"}
    print(" ".join(told[letter] for letter in ORDER if letter in ("snrvm" if "a" in asked else asked)))
    return 0
