"""What `make bench` prints, in a house of two guests: it runs to its end, and its counts are what is promised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_the_bench_counts_what_is_promised() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.run", "2"], cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line[8:32].strip(): line[32:].split() for line in done.stdout.splitlines() if line.startswith("     2  ")}
    processes = {name: int(numbers[0]) for name, numbers in rows.items() if numbers and numbers[0].isdecimal()}
    assert processes["the limit"] == 2
    assert processes["chyves list"] == processes["chyves info -a"] == processes["chyves all get all"] == 3
    assert processes["completion of a guest"] == 1
    assert {"all set notes=x", "start of 2", "stop force of 2"} <= processes.keys()
    assert "of chyves itself" in done.stdout
