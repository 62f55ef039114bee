"""uuidgen(1): prints new UUIDs."""

from __future__ import annotations

import getopt
import sys
import uuid

from chyves.lab.place import Lab

USAGE = "usage: uuidgen [-1] [-r] [-c] [-n count] [-o filename]"


def main(_: Lab, argv: list[str]) -> int:
    """Run uuidgen(1): -n that many, -r random ones (version 4), else ones of time and node (version 1); -c compact."""
    try:
        options, rest = getopt.getopt(argv, "1rcn:o:")
        asked = dict(options)
        count = int(asked.get("-n", "1"))
    except (getopt.GetoptError, ValueError):
        count, rest = 0, []
    if rest or count < 1:
        print(USAGE, file=sys.stderr)
        return 1
    made = [uuid.uuid4() if "-r" in asked else uuid.uuid1() for _ in range(count)]
    text = "".join(f"{one.hex if '-c' in asked else one}\n" for one in made)
    if "-o" in asked:
        with open(asked["-o"], "w") as file:
            file.write(text)
    else:
        print(text, end="")
    return 0
