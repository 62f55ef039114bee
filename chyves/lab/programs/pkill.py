"""pkill(1): signals the processes that pgrep(1) would find."""

from __future__ import annotations

import os
import signal
import sys

from chyves.lab.place import Lab
from chyves.lab.programs.pgrep import FAILED, NONE_FOUND, WRONG_CALL, Refused, find

USAGE = "usage: pkill [-signal] [-ILafinovx] [-F pidfile] [-P ppid] [-U uid] [-g pgrp] [-s sid] pattern ..."


def main(lab: Lab, argv: list[str]) -> int:
    """Run pkill(1): TERM, or the signal of the first word (`-KILL`, `-9`), to the processes found."""
    number = signal.SIGTERM
    if argv and (named := _signal(argv[0])):
        number, argv = named, argv[1:]
    try:
        _, found = find(lab, argv)
    except Refused as refused:
        print(USAGE if refused.status == WRONG_CALL else f"pkill: {refused}", file=sys.stderr)
        return refused.status
    status = 0 if found else NONE_FOUND
    for process in found:
        try:
            os.kill(process.pid, number)
        except OSError as error:
            print(f"pkill: signalling pid {process.pid}: {error.strerror}", file=sys.stderr)
            status = FAILED
    return status


def _signal(word: str) -> signal.Signals | None:
    name = word.removeprefix("-").upper().removeprefix("SIG")
    if not word.startswith("-"):
        return None
    if name.isdigit() and int(name) in set(signal.Signals):
        return signal.Signals(int(name))
    return next((one for one in signal.Signals if one.name == f"SIG{name}"), None)
