"""The processes that a lab's host has: those of the real machine, but for the guests of other labs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from chyves.lab.place import SETTINGS, Lab

GUEST_TITLES = ("bhyve: ",)
# Linux stands in with processes for what is in FreeBSD's kernel or in bhyve itself.
RELAY_TITLE = "nmdm: "
CARRIER = "qemu-system-"


class Process(NamedTuple):
    """A process: its numbers, when it began (ticks since the machine started), KiB of memory, nice, name, words."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    tty: int
    uid: int
    state: str
    began: int
    ticks: int
    vsz: int
    rss: int
    nice: int
    comm: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command line as ps shows it; a process that tells none is shown by its name in brackets."""
        return " ".join(self.words) if self.words else f"[{self.comm}]"


def processes(lab: Lab) -> Iterator[Process]:
    """Every process that a program of this lab can see, in the order of their numbers."""
    for name in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
        process = _read(lab, int(name))
        if process and _visible(lab, process):
            yield process


def at_work(lab: Lab) -> list[int]:
    """The processes that work in this lab and for nothing else: its programs, guests, and chyves' supervisors."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _works_in(lab, int(name))]


def _works_in(lab: Lab, pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    top = os.fsencode(lab.top)
    if words[1:2] == [b"-IS"] and words[2].startswith(top + b"/"):
        return True
    if words[0].rpartition(b"/")[2].startswith(CARRIER.encode()):
        return any(top + b"/" in word for word in words)
    titled = words[0].startswith(tuple(title.encode() for title in (*GUEST_TITLES, RELAY_TITLE)))
    detached = b"CHYVES_LAB=" + top in environment and os.getsid(pid) == pid
    return (titled or detached) and uses(lab, pid)


def _read(lab: Lab, pid: int) -> Process | None:
    place = Path(f"/proc/{pid}")
    try:
        head, _, tail = (place / "stat").read_text(errors="replace").rpartition(")")
        said = (place / "cmdline").read_bytes()
        uid = place.stat().st_uid
    except OSError:
        return None
    facts = tail.split()
    words = tuple(os.fsdecode(word) for word in said.rstrip(b"\0").split(b"\0")) if said else ()
    return Process(
        pid=pid,
        ppid=int(facts[1]),
        pgid=int(facts[2]),
        sid=int(facts[3]),
        tty=int(facts[4]),
        uid=uid,
        state=facts[0],
        began=int(facts[19]),
        ticks=int(facts[11]) + int(facts[12]),
        vsz=int(facts[20]) // 1024,
        rss=int(facts[21]) * os.sysconf("SC_PAGE_SIZE") // 1024,
        nice=int(facts[16]),
        comm=head.partition("(")[2],
        words=_without_launcher(lab, words),
    )


def _without_launcher(lab: Lab, words: tuple[str, ...]) -> tuple[str, ...]:
    """A program of the lab is shown as it was called, not as the Python that runs it."""
    if len(words) > 2 and words[1] == "-IS" and Path(words[2]).parent == lab.bin:
        return (Path(words[2]).name, *words[3:])
    return words


def _visible(lab: Lab, process: Process) -> bool:
    if process.comm.startswith(CARRIER[:15]) or process.command.startswith(RELAY_TITLE):
        return False
    if len(process.words) > 2 and process.words[1] == "-IS" and _is_launcher(Path(process.words[2])):
        return False
    return not process.command.startswith(GUEST_TITLES) or uses(lab, process.pid) or _named_as_its_guest(lab, process)


def _named_as_its_guest(lab: Lab, process: Process) -> bool:
    """Whether a process, which shows others than its user no files, is by its title of a machine that this lab has."""
    machine = process.command.partition(": ")[2].partition(" ")[0]
    return not os.access(f"/proc/{process.pid}/fd", os.R_OK) and (lab.root / "dev/vmm" / machine).exists()


def _is_launcher(program: Path) -> bool:
    """Whether this is a program of another lab, or one behind the scenes of this one, whose own are shown by name."""
    try:
        return program.is_absolute() and (program.parent.parent / SETTINGS).exists()
    except PermissionError:
        return True  # of a lab of another user


def uses(lab: Lab, pid: int) -> bool:
    """Whether a process has a file of this lab open: its own guests have their /dev/vmm/NAME, those of others not."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    return any(_leads_into(lab, f"/proc/{pid}/fd/{name}") for name in names)


def _leads_into(lab: Lab, link: str) -> bool:
    try:
        return os.readlink(link).startswith(f"{lab.top}/")
    except OSError:
        return False
