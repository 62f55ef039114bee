"""Count what commands cost in houses of 10 to 1,000 guests: processes, system calls, and time as a ratio to Python's.

Started by `make bench`, as `python -m bench.run [GUESTS ...]`. Prints tables and asserts nothing: a machine's seconds
are its own; what may not grow is held by tests/lab/test_scale.py.
"""

from __future__ import annotations

import compileall
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chyves.lab.place import Lab
from tests import chyves_counted
from tests.big_house import FIRST, POOL, House
from tests.chyves_counted import Cost

PYTHON = Path(sys.executable)
CHYVES = PYTHON.parent / "chyves"
CHECKOUT = Path(__file__).parents[1]
COUNTS = (10, 100, 1000)
SNAPSHOTS = 10
"""Of each guest: 10,000 in the biggest house, which are 50,000 of datasets."""

AT_ONCE = 50
LISTED = "name,mountpoint,type,mounted,volsize,origin,readonly"
LOOKS = ("list", "info -a", "version", f"{FIRST} get cpu", "all get all", "list disks", "list snapshots")
WITH_SIZES = ("the limit with sizes", "chyves info -a")
LIMIT = """
import subprocess, sys
zfs, columns = sys.argv[1:]
rows = subprocess.run([zfs, "list", "-Hpr", "-t", "filesystem,volume", "-o", columns], capture_output=True, text=True)
for row in rows.stdout.splitlines():
    name, mountpoint = row.split("\\t")[:2]
    if name.endswith("/.config") and "/guests/" in name:
        with open(f"{mountpoint}/.cfg") as file:
            file.read()
"""
"""What no listing can be quicker than: Python begins, asks zfs(8) once, and reads each guest's file once."""

OWN = """
import sys, time
from chyves.__main__ import main
status = main()
print(time.process_time())
sys.exit(status)
"""
"""chyves, which says at the end how long it worked itself, without what it started."""

RUNS = 5
FORK = re.compile(r"^\d+ +(?:clone3?|v?fork)\((?!.*CLONE_THREAD)")
CALL = re.compile(r"^\d+ +\w+\(")


@dataclass(frozen=True)
class Case:
    """A command to measure: what it is called, its words, and what is added to the environment."""

    name: str
    argv: Sequence[str | Path]
    environment: Mapping[str, str]


def shown(lab: Lab) -> list[Case]:
    """What changes nothing; the first three are what the time of the others is compared with."""
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
        Case("the limit", (PYTHON, "-IS", "-c", LIMIT, lab.bin / "zfs", LISTED), {}),
        Case("the limit with sizes", (PYTHON, "-IS", "-c", LIMIT, lab.bin / "zfs", f"{LISTED},used"), {}),
        *(Case(f"chyves {line}", (CHYVES, *line.split()), here) for line in LOOKS),
        Case("completion of a guest", (CHYVES,), here | complete),
    ]


def changes(count: int) -> list[tuple[str, str]]:
    """What is done to many guests, each once: what it is called, and its line."""
    some = ",".join(f"g{number:04}" for number in range(1, min(count, AT_ONCE) + 1))
    return [
        ("all set notes=x", f"all set notes=x{count}"),
        ("all snapshot", f"all snapshot @x{count}"),
        (f"start of {min(count, AT_ONCE)}", f"{some} start"),
        (f"stop force of {min(count, AT_ONCE)}", f"{some} stop force"),
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


def medians(cases: Sequence[Case]) -> list[float]:
    """The median time of each, taken in turns so that a busy moment of the machine meets all alike."""
    rounds = [[seconds(case) for case in cases] for _ in range(RUNS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def typed(lab: Lab, *words: str) -> None:
    """Run a chyves command in the lab; ends the bench with its words where it fails."""
    environment = os.environ | {"CHYVES_LAB": str(lab.top)}
    done = subprocess.run([CHYVES, *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: chyves {' '.join(words)}: {done.stderr.strip()}")


def counted(lab: Lab, line: str) -> tuple[Cost, float]:
    """What a command that changes something costs by itself, and its seconds; ends the bench where it fails."""
    file = lab.state / "cost"
    places = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    environment = {"CHYVES_LAB": str(lab.top), "CHYVES_LAB_GUEST": "hollow", "PYTHONPATH": places}
    began = time.perf_counter()
    done = subprocess.run(
        [PYTHON, str(chyves_counted.__file__), str(file), *line.split()],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"bench: chyves {line[:60]}: {done.stderr.strip()[-500:]}")
    found: Cost = json.loads(file.read_text())
    return found, time.perf_counter() - began


def measure_shown(lab: Lab, count: int) -> float:
    """Print the rows of what changes nothing; the seconds that Python alone takes."""
    cases = shown(lab)
    times = medians(cases)
    for case, median in zip(cases, times, strict=True):
        processes, calls = traced(case)
        limit = times[2] if case.name in WITH_SIZES else times[1]
        ratios = f"{median / times[0]:10.1f} {median / limit:12.1f}"
        print(f"{count:6}  {case.name:24} {processes:9} {'':>5} {calls:12} {ratios}", flush=True)
    return times[0]


def measure_changes(lab: Lab, count: int, python: float) -> None:
    """Print the rows of what changes many guests; their processes are those that chyves itself starts."""
    for name, line in changes(count):
        cost, taken = counted(lab, line)
        processes = 1 + sum(cost["programs"].values())
        zfs = cost["programs"].get("zfs", 0)
        print(f"{count:6}  {name:24} {processes:9} {zfs:5} {'':12} {taken / python:10.1f}", flush=True)


def measure_start(lab: Lab, count: int) -> None:
    """Print what the start of one guest costs chyves and its supervisor themselves, in seconds of a processor."""
    here = os.environ | {"CHYVES_LAB": str(lab.top), "CHYVES_LAB_GUEST": "hollow"}
    done = subprocess.run([PYTHON, "-c", OWN, FIRST, "start"], env=here, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=True)  # fmt: skip
    supervisor = json.loads((lab.root / f"var/run/chyves/{FIRST}.json").read_text())["supervisor"]
    ticks = sum(map(int, Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[11:13]))
    own, its = float(done.stdout.split()[-1]), ticks / os.sysconf("SC_CLK_TCK")
    print(f"{count:6}  start of one: {own:.2f} s of chyves itself, {its:.2f} s of its supervisor", flush=True)
    typed(lab, FIRST, "stop", "force")


def modules(lab: Lab) -> int:
    """How many modules `chyves list` imports, Python's own with them."""
    code = "import sys; from chyves.__main__ import main; main(['list']); print(len(sys.modules))"
    here = os.environ | {"CHYVES_LAB": str(lab.top)}
    done = subprocess.run([PYTHON, "-c", code], env=here, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


@contextmanager
def a_lab() -> Iterator[Lab]:
    """A lab, which is gone afterwards, however that comes about."""
    with tempfile.TemporaryDirectory(prefix="chyves-bench-") as top:
        place = Path(top) / "lab"
        subprocess.run([CHYVES, "lab", "create", place], stdout=subprocess.DEVNULL, check=True)
        try:
            yield Lab.open(place)
        finally:
            subprocess.run([CHYVES, "lab", "destroy", place, "--yes"], stdout=subprocess.DEVNULL, check=True)


def main(argv: Sequence[str]) -> int:
    """Make a lab, fill it step by step and measure at each."""
    with a_lab() as lab:
        typed(lab, "dataset", POOL, "install")
        typed(lab, FIRST, "create", "64M")
        house = House(lab)
        compileall.compile_dir(CHECKOUT / "chyves", quiet=1)  # as an installation is
        print(f"{'guests':>6}  {'command':24} {'processes':>9} {'zfs':>5} {'system calls':>12} {'of python':>10} "
              f"{'of the limit':>12}")  # fmt: skip
        for count in [int(word) for word in argv] or COUNTS:
            house.grow(count, SNAPSHOTS)
            measure_changes(lab, count, measure_shown(lab, count))
            measure_start(lab, count)
        loaded = modules(lab)
    print("\nProcesses and system calls of what is shown include all that a command starts; of changes they are those")
    print(f"that chyves itself starts. Time is the median of {RUNS} (of changes that of one run); python3 = 1.")
    print(f"chyves list loads {loaded} modules. chyves 0.2.0 started 290 + 129 n processes for a list of n guests.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
