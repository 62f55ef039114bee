"""Run inside a ZFS machine, once for each row of a table: what commands cost on a lab whose pool is a real one.

`python -m bench.on_real_pool GUESTS ROW`, after which the lab stays for the next; see bench.real_pool.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.run import LOOKS, PYTHON, RUNS, changes, counted
from chyves.lab import create
from chyves.lab.place import Lab
from tests.big_house import FIRST, GUESTS, POOL, House

PLACE = Path("/root/lab")
SEED = "seed"


def typed(lab: Lab, *words: str) -> None:
    """Run a chyves command in the lab; raises CalledProcessError where it fails."""
    environment = os.environ | {"CHYVES_LAB": str(lab.top)}
    subprocess.run([PYTHON, "-m", "chyves", *words], env=environment, stdin=subprocess.DEVNULL, check=True)


def zfs(line: str) -> None:
    subprocess.run(["sh", "-ec", line], stdin=subprocess.DEVNULL, check=True)


def opened() -> Lab:
    """The lab with the guest FIRST and a snapshot of it, made where it is not there yet."""
    if not PLACE.exists():
        create.create(str(PLACE), zfs="real:/dev/disk/by-id/virtio-data0")
        typed(Lab.open(PLACE), "dataset", POOL, "install")
        typed(Lab.open(PLACE), FIRST, "create", "64M")
        zfs(f"zfs snapshot -r {GUESTS}/{FIRST}@{SEED}")
    return Lab.open(PLACE)


def grow(lab: Lab, count: int) -> None:
    """Bring the house to so many guests: each is a replica of the first, with a file of its own."""
    house = House(lab)
    for number in range(len(house.names()) + 1, count + 1):
        name = f"g{number:04}"
        zfs(f"zfs send -R {GUESTS}/{FIRST}@{SEED} | zfs receive {GUESTS}/{name}")
        house.write(name, number)
    house.join(count)


def bare() -> float:
    """The median of the seconds that Python alone takes."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([PYTHON, "-c", "pass"], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def rows(count: int) -> list[tuple[str, str]]:
    """What is measured in a house of this size, in an order in which each can be done."""
    return [*((f"chyves {line}", line) for line in LOOKS), *changes(count)]


def main(argv: Sequence[str]) -> int:
    """Print one row of the table for a house of this size."""
    count, row = map(int, argv)
    lab = opened()
    grow(lab, count)
    name, line = rows(count)[row]
    cost, taken = counted(lab, line)
    processes, asked = 1 + sum(cost["programs"].values()), cost["programs"].get("zfs", 0)
    print(f"{count:6}  {name:24} {processes:9} {asked:5} {taken / bare():10.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
