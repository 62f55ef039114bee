"""Count what commands cost on a real pool with 30 and 300 guests, in a machine with OpenZFS (tests/zfs/machine).

Started by `make bench`, as `python -m bench.real_pool [GUESTS ...]`. Prints a table and asserts nothing.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.on_real_pool import rows
from tests.zfs.machine.image import NoMachine, Release
from tests.zfs.machine.machine import ZfsMachine

RELEASE: Release = "2.3"
COUNTS = (30, 300)
DISK = "16G"
MEMORY = "3G"
"""Of the machine: 50 guests have a supervisor each, and a bhyve that only lives and dies."""

LONGEST = 7200.0
"""Seconds that a row may take: a process takes the machine, which is emulated, tens of times as long."""


def measure(machine: ZfsMachine, counts: Sequence[int]) -> int:
    """Print the table; the status, which is 1 where a command failed."""
    print(f"{'guests':>6}  {'on a real pool':24} {'processes':>9} {'zfs':>5} {'time ratio':>10}", flush=True)
    for count in counts:
        for row in range(len(rows(count))):
            said = machine.python("-m", "bench.on_real_pool", str(count), str(row), timeout=LONGEST)
            print(said.stdout, end="", flush=True)
            if said.status:
                print(f"bench: {said.stderr.strip()[-2000:]}", file=sys.stderr)
                return 1
    print(
        f"\nOpenZFS {RELEASE} in a virtual machine; processes are those that chyves itself starts, time is of one run;"
    )
    print("python3 = 1.")
    return 0


def main(argv: Sequence[str]) -> int:
    """Boot the machine, fill its pool step by step and measure at each."""
    with tempfile.TemporaryDirectory(prefix="chyves-bench-") as top:
        try:
            with ZfsMachine.boot(RELEASE, Path(top) / "machine", (DISK,), memory=MEMORY) as machine:
                return measure(machine, [int(word) for word in argv] or COUNTS)
        except NoMachine as reason:
            print(f"bench: no table of a real pool: {reason}")
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
