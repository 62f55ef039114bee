"""make torture: every fault at every step of every operation, as tables; what was lost, and status 1, where it was.

The second table is of power cuts on a real pool, in a ZFS machine, where this machine can have one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from tests.torture.house import a_house
from tests.torture.operations import OPERATIONS
from tests.torture.power import Result, results
from tests.torture.strike import CUT
from tests.torture.trial import KINDS, Count, Trial, every
from tests.zfs.machine.image import NoMachine
from tests.zfs.machine.machine import ZfsMachine

HEAD = ("operation", *KINDS, "tried", "before", "done", "lost")
CUT_HEAD = ("power cut on a real pool", "cuts", "disks", "before", "done", "lost")
"""Moments at which the power was cut, and different contents of the disks at them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for, and print a row an operation as it comes."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("operation", nargs="*", help="which operations (patterns as of sh): all where none is named")
    parser.add_argument(
        "--kind", action="append", choices=[*KINDS, CUT], help="which kinds of fault: all where none is named"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth fault of each kind")
    parser.add_argument("--list", action="store_true", help="list the operations")
    asked = parser.parse_args(argv)
    patterns = asked.operation or ["*"]
    names = [name for name in OPERATIONS if any(fnmatch(name, pattern) for pattern in patterns)]
    if asked.list or not names:
        print("\n".join(names or OPERATIONS))
        return not names
    kinds = asked.kind or [*KINDS, CUT]
    lost = _torture(names, [kind for kind in kinds if kind != CUT], asked.every)
    return (CUT in kinds and _cut(names, asked.every)) or lost


def _torture(names: Sequence[str], kinds: Sequence[str], each: int) -> int:
    total: dict[str, Count] = {}
    if not kinds:
        return 0
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


def _cut(names: Sequence[str], each: int) -> int:
    with tempfile.TemporaryDirectory(prefix="cuts") as place:
        try:
            with ZfsMachine.boot("2.3", Path(place)) as machine:
                return _cut_in(machine, names, each)
        except NoMachine as reason:
            print(f"the power is not cut on a real pool: {reason}")
            return 0


def _cut_in(machine: ZfsMachine, names: Sequence[str], each: int) -> int:
    total = Result("all")
    print(_row(CUT_HEAD), flush=True)
    for result in results(machine, names, each):
        print(_row(result.cells), f"{result.seconds:5.0f} s", *(f"\n\n{each}\n" for each in result.lost), flush=True)
        total += result
    print(_row(total.cells))
    return bool(total.lost)


def _counted(name: str, counts: dict[str, Count]) -> str:
    whole = sum(counts.values(), Count())
    tried = [str(counts[kind].tried) if kind in counts else "-" for kind in KINDS]
    return _row([name, *tried, *map(str, (whole.tried, whole.before, whole.done, len(whole.lost)))])


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    head = HEAD if len(cells) == len(HEAD) else CUT_HEAD
    return first.ljust(30) + "".join(
        cell.rjust(max(len(each), 5) + 2) for cell, each in zip(rest, head[1:], strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
