"""Try every target with many cases and print what came of it: `make fuzz [CASES=1000000]`.

Nine of ten cases are guided by coverage where atheris is there, else hypothesis makes all. Ends with 1 where a case
raised what nobody expected, or took longer than it may.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec

from fuzz.targets import TARGETS

AT_ONCE = 2
WITHOUT = "atheris is not installed here, so that hypothesis makes all cases, which no coverage guides"


@dataclass(frozen=True)
class Part:
    """Some cases of one target by one engine, and what came of them."""

    target: str
    engine: str
    cases: int
    failed: dict[str, str]


def main(words: Sequence[str]) -> int:
    """Run all targets, as many cases in all as the first word says."""
    total = int(words[0]) if words else 1_000_000
    os.nice(10)
    guided = find_spec("atheris") is not None
    if not guided:
        print(WITHOUT, flush=True)
    seed = int(time.time()) & 0xFFFFFF
    print(f"seed {seed}", flush=True)
    each = -(-total // len(TARGETS))
    shares = {"coverage": each * 9 // 10, "hypothesis": each - each * 9 // 10} if guided else {"hypothesis": each}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        parts = list(
            pool.map(
                lambda job: tried(job[0], job[1], job[2], seed),
                [(target.name, engine, cases) for target in TARGETS for engine, cases in shares.items()],
            )
        )
    print(table(parts))
    return any(part.failed for part in parts)


def tried(target: str, engine: str, cases: int, seed: int) -> Part:
    """One target with one engine, in a process of its own."""
    argv = [sys.executable, "-m", "fuzz.trials", engine, target, str(cases), str(seed)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace")
    try:
        found = json.loads(done.stdout)
    except ValueError:
        said = " / ".join(done.stderr.strip().splitlines()[-12:])
        found = {"cases": 0, "failed": {f"ended with status {done.returncode}": said}}
    part = Part(target, engine, found["cases"], found["failed"])
    print(f"  {target}, {engine}: {part.cases} cases, {len(part.failed)} unhandled", flush=True)
    return part


def table(parts: Sequence[Part]) -> str:
    """A line for each target and engine, all cases together, and what failed."""
    form = "{:<26} {:>9}  {:<15} {:>9}"
    lines = [form.format("target", "cases", "guided by", "unhandled")]
    for part in parts:
        by = "coverage" if part.engine == "coverage" else "nothing"
        lines.append(form.format(part.target, part.cases, by, len(part.failed)))
    lines.append(form.format("all", sum(part.cases for part in parts), "", sum(len(part.failed) for part in parts)))
    lines += [f"{part.target}: {where}: {what}" for part in parts for where, what in part.failed.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
