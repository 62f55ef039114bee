"""A fault at a chosen step: what the programs of a broken lab do before their own work.

Only commands that change something are steps. Which step, what happens there and to whom is in the file `fault`: a
refusal, failing after the work was done (`half`), waiting for ever, or a signal to `chyves`, to the program's `parent`
(chyves or a supervisor), or to `both`.
"""

from __future__ import annotations

import os
import signal
import sys

REFUSE, BEFORE, AFTER, HALF, HANG = "refuse", "before", "after", "half", "hang"


def strike(top: str) -> None:
    """Count the step, and let happen what is to happen at it; returns where the program shall do its work."""
    program, words = os.path.basename(sys.argv[0]), sys.argv[1:]
    with open(f"{top}/fault") as file:
        nth, what, whom, programs = file.read().split()
    if program not in programs.split(",") or not changes(program, words):
        return
    if _counted(f"{top}/steps", " ".join([program, *words])) != int(nth):
        return
    if what == REFUSE:
        asked = "SIOCIFCREATE2" if "create" in words and program == "ifconfig" else f"cannot {words[0]}"
        print(f"{asked}: the test refuses", file=sys.stderr)
        sys.exit(1)
    if what == HALF:
        _do_and_fail(words[0])
        return
    if what == HANG:
        signal.pause()
    targets = [] if whom == "chyves" else [os.getppid()]
    if whom != "parent":
        with open(f"{top}/pid") as file:
            targets.append(int(file.read()))
    for target in targets:
        _signal(target, what)


def _do_and_fail(verb: str) -> None:
    """Fail once the work is done, which the child does that returns from here."""
    worker = os.fork()
    if worker:
        os.waitpid(worker, 0)
        print(f"cannot {verb}: successfully {verb.removesuffix('e')}ed, and then the test refuses", file=sys.stderr)
        os._exit(1)


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
            return words[0] not in ("list", "get") and "-rnpv" not in words
        case "ifconfig":
            return len(words) > 1 and words[0] != "-g"
        case "bhyve":
            return words[0] != "-h" and words[-1] != "help"
        case "sysctl":
            return any("=" in word for word in words)
    return True


def _counted(file: str, line: str) -> int:
    """Write a step down; its number."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{line}\n".encode())
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    number = os.pread(descriptor, end, 0).count(b"\n")
    os.close(descriptor)
    return number
