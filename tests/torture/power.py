"""The power is cut at each step of operations, on a real pool: tests/zfs/inside/cuts.py does it in a ZFS machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.zfs.machine.machine import HOUSE, Silent, ZfsMachine

OUTPUT, ERRORS = "/root/cuts.out", "/root/cuts.err"
LOOK = 2.0
"""Seconds between looks for further results."""


@dataclass
class Result:
    """What came of an operation: moments at which the power was cut, and different copies of the disks at them."""

    name: str
    cuts: int = 0
    copies: int = 0
    before: int = 0
    done: int = 0
    lost: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def cells(self) -> list[str]:
        """What a row of the table has."""
        return [self.name, *map(str, (self.cuts, self.copies, self.before, self.done, len(self.lost)))]

    def __add__(self, other: Result) -> Result:
        counts = (self.cuts + other.cuts, self.copies + other.copies, self.before + other.before)
        return Result(self.name, *counts, self.done + other.done, self.lost + other.lost)


def results(machine: ZfsMachine, names: Sequence[str], each: int) -> Iterator[Result]:
    """The results of operations as they come, of which every so many copies are looked into.

    Raises AssertionError with what was said, where that ends before its time.
    """
    words = shlex.join(["-m", "tests.zfs.inside.cuts", f"--every={each}", *names])
    machine.put(OUTPUT, b"")
    running = machine.start("sh", "-c", f"exec python3 {words} >{OUTPUT} 2>{ERRORS}", env=HOUSE, cwd="/house")
    seen, ended = 0, False
    while not ended:
        try:
            status = running.said(LOOK).status
            ended = True
        except Silent:
            pass
        lines = machine.get(OUTPUT).decode().split("\n")[:-1]
        for line in lines[seen:]:
            found: dict[str, Any] = json.loads(line)
            yield Result(**found)
        seen = len(lines)
    assert status == 0, machine.get(ERRORS).decode()
