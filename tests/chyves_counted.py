"""chyves, which counts what it does: `chyves_counted.py FILE WORD...` leaves in FILE, as JSON, what a `Cost` has."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from types import FrameType
from typing import Any, TypedDict

from chyves.__main__ import main
from chyves.host.run import Runner


class Cost(TypedDict):
    """How often functions were called, the system was asked for a file, each program was run, and ZFS was asked."""

    calls: int
    files: int
    programs: dict[str, int]
    questions: int


calls: Counter[str] = Counter()
programs: Counter[str] = Counter()
counted = os.getpid()


def called(frame: FrameType, event: str, arg: object) -> None:
    calls[event] += 1


def told(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and ".py" not in str(args[0]):  # what Python loads is not what chyves asks for
        calls["file"] += 1


def found(self: Runner, argv: Sequence[str]) -> str:
    """Every program is looked for when it is run."""
    programs[argv[0]] += 1
    return find(self, argv)


def asked(self: Runner, argv: Sequence[str], timeout: float) -> tuple[int, str, str]:
    """What changes nothing is asked for in this way."""
    calls["question"] += argv[0] == "zfs"
    return ask(self, argv, timeout)


if __name__ == "__main__":
    file, *words = sys.argv[1:]
    find, ask = Runner.program, Runner._ask
    Runner.program, Runner._ask = found, asked  # type: ignore[method-assign]
    sys.argv = ["chyves", *words]
    sys.addaudithook(told)
    sys.setprofile(called)
    try:
        status = main()
    finally:
        sys.setprofile(None)
        if os.getpid() == counted:
            cost: Cost = {
                "calls": calls["call"] + calls["c_call"],
                "files": calls["file"],
                "programs": programs,
                "questions": calls["question"],
            }
            with open(file, "w") as out:
                json.dump(cost, out)
    sys.exit(status)
