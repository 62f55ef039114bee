"""A fault at a chosen step: what the programs of a broken lab do before their own work, and chyves before a file.

Commands that change something and changes of files are steps, which are counted together in the file `steps`. Which
step, what happens there and to whom is in the file `fault`: a refusal (once, or because the disk is `full` from then
on), failing after the work was done (`half`), waiting for ever before the work (`hang`) or after it (`stuck`), the
latter two with a signal to chyves (`hang:SIGINT`), or a signal to `chyves`, to the program's `parent` (chyves or a
supervisor), or to `both`. Where it is `cut`, every step is held while what is on the disks is copied, before it and
after it (tests.torture.disks).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

REFUSE, FULL, BEFORE, AFTER, HALF, HANG, STUCK = "refuse", "full", "before", "after", "half", "hang", "stuck"
CUT = "cut"
GROWING = ("create", "clone", "receive", "snapshot")
"""What zfs cannot do on a full pool; for all else it keeps some room (OpenZFS: ZFS_SPACE_CHECK_RESERVED)."""

CLOCK = 20_000_000
"""Nanoseconds by which the clock of files may be behind: twice the longest tick that Linux is built with."""


class Fault(NamedTuple):
    """What happens at the step `nth`, and the programs whose commands are steps."""

    nth: int
    what: str
    whom: str
    programs: tuple[str, ...]

    @classmethod
    def read(cls, top: str) -> Fault:
        with open(f"{top}/fault") as file:
            nth, what, whom, programs = file.read().split()
        return cls(int(nth), what, whom, tuple(programs.split(",")))


def strike(top: str) -> None:
    """Count the step, and let happen what is to happen at it; returns where the program shall do its work."""
    program, words = os.path.basename(sys.argv[0]), sys.argv[1:]
    fault = Fault.read(top)
    if program not in fault.programs or not changes(program, words):
        return
    number = counted(top, " ".join([program, *words]))
    if fault.what == FULL:
        if 0 < fault.nth <= number and program == "zfs" and _grows(words):
            _refuse(program, words[0], "out of space")
    elif fault.what == CUT:
        _hold(top, number)
    elif number == fault.nth:
        _strike(top, fault, program, words[0])


def _hold(top: str, number: int) -> None:
    """Copy the disks before the work, and again after it, which the child does that returns from here."""
    cut(top, number)
    worker = os.fork()
    if worker:
        status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        cut(top, number)
        os._exit(status)


def cut(top: str, number: int) -> None:
    """Copy what is on the disks at a step, as a power cut leaves it; the file `disks` names the place, and the disks.

    A line of the file `log` there is a step, the number of its copy, and when each disk was last written. Where nothing
    was written since the step before, it has that one's copy. While somebody writes, it is copied again.
    """
    with open(f"{top}/disks") as file:
        place, *disks = file.read().splitlines()
    with open(f"{place}/log", "a+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        _, copy, written = ["0 0 -", *log][-1].split()
        now = _written(disks)
        if now != written:
            copy = str(int(copy) + 1)
            written = ""
        while now != written:
            written = now
            for disk in disks:
                _copy(disk, f"{place}/{copy}.{os.path.basename(disk)}")
            now = _written(disks)
        log.write(f"{number} {copy} {now}\n")


def _written(disks: list[str]) -> str:
    """When the disks were last written; the clock of files must have gone on since, so that no write is overlooked."""
    times = [os.stat(disk).st_mtime_ns for disk in disks]
    while time.time_ns() - max(times) < CLOCK:
        time.sleep(CLOCK / 1e9)
    return ",".join(map(str, times))


def _copy(source: str, target: str) -> None:
    """Copy a file without its holes."""
    with open(source, "rb", 0) as old, open(target, "wb", 0) as new:
        new.truncate(os.fstat(old.fileno()).st_size)
        for at, hole in _data(old.fileno()):
            new.seek(at)
            while at < hole:
                at += os.sendfile(new.fileno(), old.fileno(), at, hole - at)


def _data(file: int) -> Iterator[tuple[int, int]]:
    """Where there is data in a file, from here to there."""
    hole = 0
    with contextlib.suppress(OSError):  # ENXIO: nothing but a hole is left
        while True:
            at = os.lseek(file, hole, os.SEEK_DATA)
            hole = os.lseek(file, at, os.SEEK_HOLE)
            yield at, hole


def _grows(words: list[str]) -> bool:
    return words[0] in GROWING or (words[0] == "rename" and "-p" in words)


def _strike(top: str, fault: Fault, program: str, verb: str) -> None:
    what, _, sent = fault.what.partition(":")
    if what == REFUSE:
        _refuse(program, verb, "the test refuses")
    if what == HALF:
        _do_and_fail(verb)
        return
    if what in (HANG, STUCK):
        _hang(top, what, sent)
        return
    targets = [] if fault.whom == "chyves" else [os.getppid()]
    if fault.whom != "parent":
        targets.append(chyves_of(top))
    for target in targets:
        _signal(target, what)


def _refuse(program: str, verb: str, why: str) -> NoReturn:
    asked = "SIOCIFCREATE2" if program == "ifconfig" and "create" in sys.argv else f"cannot {verb}"
    print(f"{asked}: {why}", file=sys.stderr)
    sys.exit(1)


def chyves_of(top: str) -> int:
    """The number of chyves's process."""
    with open(f"{top}/pid") as file:
        return int(file.read())


def _do_and_fail(verb: str) -> None:
    """Fail once the work is done, which the child does that returns from here."""
    worker = os.fork()
    if worker:
        os.waitpid(worker, 0)
        print(f"cannot {verb}: successfully {verb.removesuffix('e')}ed, and then the test refuses", file=sys.stderr)
        os._exit(1)


def _hang(top: str, what: str, sent: str) -> None:
    """Wait for ever, before the work or after it, and let chyves have a signal meanwhile."""
    if what == STUCK:
        worker = os.fork()
        if worker == 0:
            return
        os.waitpid(worker, 0)
    if sent:
        os.kill(chyves_of(top), getattr(signal, sent))
    while True:
        signal.pause()


def _signal(target: int, what: str) -> None:
    """Kill `before` or `after` the work, or send another signal and work on."""
    if what == AFTER:
        worker = os.fork()
        if worker == 0:
            return
        status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        os.kill(target, signal.SIGKILL)
        os._exit(status)
    if what == BEFORE:
        os.kill(target, signal.SIGKILL)
        sys.exit(1)
    os.kill(target, getattr(signal, what))


def changes(program: str, words: list[str]) -> bool:
    """Whether a command changes the host; all others are questions."""
    match program:
        case "zfs":
            return words[0] not in ("list", "get", "version", "holds") and "-rnpv" not in words
        case "ifconfig":
            return len(words) > 1 and words[0] != "-g"
        case "bhyve":
            return words[0] != "-h" and words[-1] != "help"
        case "sysctl":
            return any("=" in word for word in words)
    return True


def counted(top: str, line: str) -> int:
    """Write a step down; its number."""
    descriptor = os.open(f"{top}/steps", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{line}\n".encode())
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    number = os.pread(descriptor, end, 0).count(b"\n")
    os.close(descriptor)
    return number
