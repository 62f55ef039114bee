"""make torture: every fault at every step of every operation, as a table; what was lost, and status 1, where it was."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatch

from tests.torture.house import a_house
from tests.torture.operations import OPERATIONS
from tests.torture.trial import KINDS, Count, Trial, every

HEAD = ("operation", *KINDS, "tried", "before", "done", "lost")


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for, and print a row an operation as it comes."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("operation", nargs="*", help="which operations (patterns as of sh): all where none is named")
    parser.add_argument("--kind", action="append", choices=KINDS, help="which kinds of fault: all where none is named")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth fault of each kind")
    parser.add_argument("--list", action="store_true", help="list the operations")
    asked = parser.parse_args(argv)
    patterns = asked.operation or ["*"]
    names = [name for name in OPERATIONS if any(fnmatch(name, pattern) for pattern in patterns)]
    if asked.list or not names:
        print("\n".join(names or OPERATIONS))
        return not names
    return _torture(names, asked.kind or list(KINDS), asked.every)


def _torture(names: Sequence[str], kinds: Sequence[str], each: int) -> int:
    total: dict[str, Count] = {}
    print(_row(HEAD), flush=True)
    with a_house() as house:
        for name in names:
            begun = time.monotonic()
            trial = Trial(house, name, OPERATIONS[name])
            counts = {kind: trial.count(every(list(KINDS[kind](trial)), each, f"{name} {kind}")) for kind in kinds}
            print(_counted(name, counts), f"{time.monotonic() - begun:5.0f} s", flush=True)
            for kind, count in counts.items():
                print("".join(f"\n{each}\n" for each in count.lost), end="", flush=True)
                total[kind] = total.get(kind, Count()) + count
    print(_counted("all", total))
    return any(count.lost for count in total.values())


def _counted(name: str, counts: dict[str, Count]) -> str:
    whole = sum(counts.values(), Count())
    tried = [str(counts[kind].tried) if kind in counts else "-" for kind in KINDS]
    return _row([name, *tried, *map(str, (whole.tried, whole.before, whole.done, len(whole.lost)))])


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    return first.ljust(30) + "".join(
        cell.rjust(max(len(head), 5) + 2) for cell, head in zip(rest, HEAD[1:], strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
