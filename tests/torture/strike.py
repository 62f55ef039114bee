"""A fault at a chosen step: what the programs of a broken lab do before their own work, and chyves before a file.

Commands that change something and changes of files are steps, which are counted together in the file `steps`. Which
step, what happens there and to whom is in the file `fault`: a refusal (once, or because the disk is `full` from then
on), failing after the work was done (`half`), waiting for ever before the work (`hang`) or after it (`stuck`), the
latter two with a signal to chyves (`hang:SIGINT`), or a signal to `chyves`, to the program's `parent` (chyves or a
supervisor), or to `both`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NamedTuple, NoReturn

REFUSE, FULL, BEFORE, AFTER, HALF, HANG, STUCK = "refuse", "full", "before", "after", "half", "hang", "stuck"
GROWING = ("create", "clone", "receive", "snapshot")
"""What zfs cannot do on a full pool; for all else it keeps some room (OpenZFS: ZFS_SPACE_CHECK_RESERVED)."""


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
    elif number == fault.nth:
        _strike(top, fault, program, words[0])


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
