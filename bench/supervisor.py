"""What looking after a guest costs while it runs: the memory of its supervisor, and how often that is woken up.

Started by `make bench`. Prints a table and asserts nothing (tests/lab/test_supervisor_survives.py does).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHYVES = Path(sys.executable).parent / "chyves"
IDLE = 5
CASES = {"plain": "console_log=no", "console_log": "console_log=yes", "adopted": "console_log=no"}


def typed(lab: Path, *words: str) -> None:
    """Run a chyves command in the lab; ends the bench with its words where it fails."""
    environment = os.environ | {"CHYVES_LAB": str(lab), "CHYVES_LAB_GUEST": "hollow"}
    done = subprocess.run([CHYVES, *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: chyves {' '.join(words)}: {done.stderr.strip()}")


def supervisor(lab: Path) -> int:
    """The supervisor of the guest, once it waits for bhyve's end."""
    pid = int(json.loads((lab / "root/var/run/chyves/web1.json").read_text())["supervisor"])
    while b"chyves.guests.watch" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        time.sleep(0.1)
    return pid


def kilobytes(pid: int) -> tuple[int, int, int]:
    """Resident, proportional and own memory of a process (proc(5), smaps_rollup)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {name: int(size) for name, size in re.findall(r"(?m)^(\w+): +(\d+) kB$", text)}
    return found["Rss"], found["Pss"], found["Private_Clean"] + found["Private_Dirty"]


def wakeups(pid: int) -> int:
    """How often its threads have gone to sleep."""
    texts = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status"))
    return sum(int(re.findall(r"(?m)^voluntary_ctxt_switches:\t(\d+)$", text)[0]) for text in texts)


def measure(lab: Path, name: str) -> None:
    """Print the row of a case."""
    typed(lab, "web1", "set", CASES[name])
    typed(lab, "web1", "start")
    pid = supervisor(lab)
    if name == "adopted":
        os.kill(pid, 9)
        typed(lab, "web1", "set", "notes=adopted")
        pid = supervisor(lab)
    time.sleep(IDLE)  # what it still has to do once the guest is up
    before = wakeups(pid)
    time.sleep(IDLE)
    sizes = "".join(f"{size / 1024:9.1f}M" for size in kilobytes(pid))
    print(f"{name:14}{sizes}{wakeups(pid) - before:10}", flush=True)
    typed(lab, "web1", "stop")


def main() -> int:
    """Make a lab with a guest, and measure its supervisor in each case."""
    with tempfile.TemporaryDirectory(prefix="chyves-bench-") as top:
        lab = Path(top) / "lab"
        subprocess.run([CHYVES, "lab", "create", lab], stdout=subprocess.DEVNULL, check=True)
        typed(lab, "dataset", "zroot", "install")
        typed(lab, "web1", "create", "64M")
        print(f"{'supervisor':14}{'resident':>10}{'shared out':>10}{'own':>10}{'wakeups':>10}")
        for name in CASES:
            measure(lab, name)
        typed(lab, "lab", "destroy", str(lab), "--yes")
    print(f"\nMemory of the process that waits for bhyve's end (RSS, PSS, USS); wakeups in {IDLE} s of an idle guest.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
