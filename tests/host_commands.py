"""Running chyves on a lab as a user does, seeing all that is on its pools, and breaking it at a chosen step."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from chyves.lab.place import Lab

HOOK = """\
import sys
sys.path.append({tests!r})
from strike import strike
strike({top!r})
"""
CHANGERS = ("bhyve", "bhyveload", "bhyvectl", "devctl", "ifconfig", "kldload", "sysctl", "zfs")
"""The programs by which chyves changes the host."""

ZFS_FAULTS = {"refuse": "refuse", "kill": "after", "term": "SIGTERM"}


def free_port() -> int:
    """A TCP port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    """Every dataset and snapshot with what matters of it, and every file below /chyves with its mode and content.

    But for the logs, in which every command says what it did.
    """
    rows = zfs(lab, "list", "-Hp", "-t", "all", "-o", "name,mountpoint,volsize,origin,readonly").splitlines()
    found = dict(row.split("\t", 1) for row in rows)
    for path in sorted((lab.root / "chyves").rglob("*")):
        if path.is_file() and path.parent.name != "logs":
            found[str(path.relative_to(lab.root))] = (
                f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
            )
    return found


def datasets(lab: Lab, below: str) -> list[str]:
    """The names of the datasets and snapshots at and below one, without its own name before them."""
    rows = zfs(lab, "list", "-H", "-r", "-t", "all", "-o", "name", below).splitlines()
    return sorted(row.removeprefix(below) for row in rows)


def break_lab(lab: Lab, nth: int, what: str, whom: str = "chyves", programs: Iterable[str] = CHANGERS) -> None:
    """Let something happen at the nth command that changes something, see tests.torture.strike; the others pass."""
    mend(lab)
    (lab.state / "fault").write_text(f"{nth} {what} {whom} {','.join(programs)}\n")


def mend(lab: Lab) -> None:
    """From now on nothing happens, and steps are counted from the first."""
    (lab.state / "fault").write_text(f"0 refuse chyves {','.join(CHANGERS)}\n")
    (lab.state / "steps").write_text("")
    for name in CHANGERS:
        if (lab.bin / name).is_symlink():
            _become_launcher(lab.bin / name)
        text = (lab.bin / name).read_text()
        if "strike" not in text:
            head, rest = text.split("\n", 1)
            hook = HOOK.format(tests=str(Path(__file__).parent / "torture"), top=str(lab.state))
            (lab.bin / name).write_text(f"{head}\n{hook}{rest}")


def _become_launcher(link: Path) -> None:
    """Put a program that does the same in the place of a link to one of the machine (chyves.lab.real_zfs)."""
    program = os.readlink(link)
    link.unlink()
    link.write_text(f"#!{sys.executable} -IS\nimport os, sys\nos.execv({program!r}, [{program!r}, *sys.argv[1:]])\n")
    link.chmod(0o755)


def steps_of(lab: Lab) -> list[str]:
    """The commands that changed something since the lab was broken or mended."""
    return (lab.state / "steps").read_text().splitlines()


def break_zfs(lab: Lab, nth: int, fault: str) -> None:
    """Let the nth command of zfs that changes something fail, or let chyves be killed after it or ended at it."""
    break_lab(lab, nth, ZFS_FAULTS[fault], "parent", ("zfs",))


def mend_zfs(lab: Lab) -> None:
    """Give the lab its own zfs back; how many steps there were is still known."""
    (lab.state / "fault").write_text("0 refuse parent none\n")


def steps(lab: Lab) -> int:
    """How many commands that change something there were since zfs was broken."""
    return len(steps_of(lab))


def second_pool(lab: Lab, name: str = "tank") -> str:
    """Make another pool on another disk."""
    with (lab.root / "dev" / f"{name}0").open("wb") as disk:
        disk.truncate(1 << 36)
    subprocess.run([lab.bin / "zpool", "create", name, f"/dev/{name}0"], stdin=subprocess.DEVNULL, check=True)
    return name
