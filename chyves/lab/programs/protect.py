"""protect(1): runs a command that the system does not kill when memory is short; in a lab, runs it."""

from __future__ import annotations

import getopt
import os
import sys

from chyves.lab.place import Lab
from chyves.lab.processes import processes

USAGE = "usage: protect [-i] command\n       protect [-cdi] -g pgrp | -p pid"


def main(lab: Lab, argv: list[str]) -> int:
    """Run protect(1): a command, or (-p, -g) a mark on living processes; a lab protects none."""
    try:
        options, command = getopt.getopt(argv, "cdig:p:")
    except getopt.GetoptError as error:
        print(f"protect: illegal option -- {error.opt}", file=sys.stderr)
        options, command = [], []
    asked = dict(options)
    marks = asked.keys() & {"-p", "-g"}
    if bool(marks) == bool(command):
        print(USAGE, file=sys.stderr)
        return 1
    if marks:
        there = any(str(it.pid) == asked.get("-p") or str(it.pgid) == asked.get("-g") for it in processes(lab))
        if not there:
            print("protect: procctl: No such process", file=sys.stderr)
        return 0 if there else 1
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"protect: {command[0]}: {error.strerror}", file=sys.stderr)
        return 1
