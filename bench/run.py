"""Count what listings cost: processes and system calls, and time as a ratio to starting Python.

Started by `make bench`. Prints a table and asserts nothing: a machine's seconds are its own, but processes and system
calls should not grow with the number of guests (processes not at all).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chyves.lab.place import Lab
from chyves.lab.programs import zfs

PYTHON = Path(sys.executable)
CHYVES = PYTHON.parent / "chyves"
POOL = "zroot"
FIRST = "g0001"
COUNTS = (10, 100, 1000)
RUNS = 5
FORK = re.compile(r"^\d+ +(?:clone3?|v?fork)\((?!.*CLONE_THREAD)")
CALL = re.compile(r"^\d+ +\w+\(")


@dataclass(frozen=True)
class Case:
    """A command to measure: what it is called, its words, and what is added to the environment."""

    name: str
    argv: Sequence[str | Path]
    environment: Mapping[str, str]


def cases(lab: Lab) -> list[Case]:
    """What is measured; the first is what the time of the others is compared with."""
    here = {"CHYVES_LAB": str(lab.top)}
    line = f"chyves {FIRST[:-2]}"
    complete = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": os.devnull,
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    return [
        Case("python3 -c pass", (PYTHON, "-c", "pass"), {}),
        Case("chyves list", (CHYVES, "list"), here),
        Case("chyves version", (CHYVES, "version"), here),
        Case(f"chyves {FIRST} get cpu", (CHYVES, FIRST, "get", "cpu"), here),
        Case("completion of a guest", (CHYVES,), here | complete),
    ]


def run(case: Case, *before: str | Path) -> None:
    """Run a command, under the words before it; raises CalledProcessError where it fails."""
    subprocess.run(
        (*before, *case.argv),
        env=os.environ | case.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def traced(case: Case) -> tuple[int, int]:
    """Processes (its own one too) and system calls of a command and of all that it starts."""
    with tempfile.NamedTemporaryFile("r", errors="replace") as trace:
        run(case, "strace", "-f", "-qq", "-o", trace.name)
        lines = trace.readlines()
    return 1 + sum(1 for line in lines if FORK.match(line)), sum(1 for line in lines if CALL.match(line))


def seconds(case: Case) -> float:
    began = time.perf_counter()
    run(case)
    return time.perf_counter() - began


def medians(all_cases: Sequence[Case]) -> list[float]:
    """The median time of each, taken in turns so that a busy moment of the machine meets all alike."""
    rounds = [[seconds(case) for case in all_cases] for _ in range(RUNS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def typed(lab: Lab, *words: str) -> None:
    """Run a chyves command in the lab; ends the bench with its words where it fails."""
    environment = os.environ | {"CHYVES_LAB": str(lab.top)}
    done = subprocess.run([CHYVES, *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: chyves {' '.join(words)}: {done.stderr.strip()}")


def dataset(lab: Lab, *words: str) -> None:
    """Run zfs of the lab in this process, which is many times quicker than starting it."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        if zfs.main(lab, list(words)):
            raise SystemExit(f"bench: zfs {' '.join(words)}: {said.getvalue().strip()}")


def fill(lab: Lab, have: int, count: int) -> None:
    """Bring the guests of the lab to a number: the further ones have the datasets and the file of the first."""
    guests = f"{POOL}/chyves/guests"
    text = config(lab, FIRST).read_text()
    for number in range(have + 1, count + 1):
        name = f"g{number:04}"
        dataset(lab, "create", f"{guests}/{name}")
        for child in (".config", "logs", "img"):
            dataset(lab, "create", f"{guests}/{name}/{child}")
        dataset(lab, "create", "-s", "-V", "64M", f"{guests}/{name}/disk0")
        config(lab, name).write_text(text)


def config(lab: Lab, name: str) -> Path:
    return lab.root / "chyves" / POOL / "guests" / name / ".config" / ".cfg"


def measure(lab: Lab, count: int) -> None:
    """Print the rows for a number of guests."""
    all_cases = cases(lab)
    times = medians(all_cases)
    for case, median in zip(all_cases, times, strict=True):
        processes, calls = traced(case)
        print(f"{count:6}  {case.name:24} {processes:9} {calls:12} {median / times[0]:10.1f}", flush=True)


def main() -> int:
    """Make a lab, fill it step by step and measure at each."""
    with tempfile.TemporaryDirectory(prefix="chyves-bench-") as top:
        place = Path(top) / "lab"
        subprocess.run([CHYVES, "lab", "create", place], stdout=subprocess.DEVNULL, check=True)
        lab = Lab.open(place)
        typed(lab, "dataset", POOL, "install")
        typed(lab, FIRST, "create", "64M")
        print(f"{'guests':>6}  {'command':24} {'processes':>9} {'system calls':>12} {'time ratio':>10}")
        have = 1
        for count in COUNTS:
            fill(lab, have, count)
            have = count
            measure(lab, count)
        typed(lab, "lab", "destroy", str(place), "--yes")
    print(f"\nProcesses and system calls include all that a command starts; time is the median of {RUNS}, python3 = 1.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
