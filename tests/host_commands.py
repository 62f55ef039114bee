"""Running chyves on a lab as a user does, seeing all that is on its pools, and breaking its zfs at a chosen step."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from chyves.lab.place import Lab

FAULTY = """\
#!/bin/sh
# Passes everything on, but the step that the test chose.
case "$*" in list*|get*|*-rnpv*) exec {real} "$@" ;; esac
step=$(($(cat {count}) + 1))
echo $step > {count}
[ $step -eq {nth} ] || exec {real} "$@"
{what}
"""
FAULTS = {
    "refuse": 'echo "cannot $1: the test refuses" >&2; exit 1',
    "kill": '{real} "$@"; status=$?; kill -KILL $PPID; exit $status',
    "term": 'kill -TERM $PPID; exec {real} "$@"',
}


def environment(lab: Lab) -> dict[str, str]:
    """What a user of the lab has set."""
    return {**os.environ, "CHYVES_LAB": str(lab.top), "PATH": f"{lab.bin}:{os.environ['PATH']}", "no_proxy": "*"}


def start(lab: Lab, *words: str) -> subprocess.Popen[str]:
    """chyves, while it works."""
    return subprocess.Popen(
        [sys.executable, "-m", "chyves", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(lab),
    )


def chyves(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """What chyves does with these words."""
    process = start(lab, *words)
    out, error = process.communicate(timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, out, error)


def done(lab: Lab, *words: str) -> str:
    """What chyves prints for words that it must be able to follow."""
    result = chyves(lab, *words)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(lab: Lab, *words: str, status: int = 1) -> str:
    """What chyves says when it refuses these words; all on the pools must stay as it was."""
    before = everything(lab)
    result = chyves(lab, *words)
    assert result.returncode == status, (result.stdout, result.stderr)
    assert everything(lab) == before
    _, mark, told = f"\n{result.stderr}".partition("\nchyves: ")
    assert mark, result.stderr
    return told.removesuffix("\n")


def sentence(lab: Lab, *words: str, status: int = 1) -> str:
    """The one sentence by which chyves refuses these words."""
    told = refused(lab, *words, status=status)
    assert "\n" not in told
    return told


def zfs(lab: Lab, *words: str) -> str:
    """What the lab's zfs prints for words that it must be able to follow."""
    return subprocess.run(
        [lab.bin / "zfs", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    ).stdout


def everything(lab: Lab) -> dict[str, str]:
    """Every dataset and snapshot with its mountpoint, and every file below /chyves with its mode and content."""
    rows = zfs(lab, "list", "-H", "-t", "all", "-o", "name,mountpoint").splitlines()
    found = dict(row.split("\t") for row in rows)
    for path in sorted((lab.root / "chyves").rglob("*")):
        if path.is_file():
            found[str(path.relative_to(lab.root))] = (
                f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
            )
    return found


def datasets(lab: Lab, below: str) -> list[str]:
    """The names of the datasets and snapshots at and below one, without its own name before them."""
    rows = zfs(lab, "list", "-H", "-r", "-t", "all", "-o", "name", below).splitlines()
    return sorted(row.removeprefix(below) for row in rows)


def break_zfs(lab: Lab, nth: int, fault: str) -> None:
    """Let the nth command that changes something fail, or let chyves be killed after it; the others pass."""
    real, count = mend_zfs(lab), lab.top / "steps"
    count.write_text("0")
    what = FAULTS[fault].format(real=real)
    (lab.bin / "zfs").write_text(FAULTY.format(real=real, count=count, nth=nth, what=what))


def mend_zfs(lab: Lab) -> Path:
    """Give the lab its own zfs back; where a copy of that is."""
    real, own = lab.top / "zfs", lab.bin / "zfs"
    if not real.exists():
        real.write_text(own.read_text())
        real.chmod(0o755)
    own.write_text(real.read_text())
    return real


def steps(lab: Lab) -> int:
    """How many commands that change something there were since zfs was broken."""
    return int((lab.top / "steps").read_text())


def second_pool(lab: Lab, name: str = "tank") -> str:
    """Make another pool on another disk."""
    with (lab.root / "dev" / f"{name}0").open("wb") as disk:
        disk.truncate(1 << 36)
    subprocess.run([lab.bin / "zpool", "create", name, f"/dev/{name}0"], stdin=subprocess.DEVNULL, check=True)
    return name
