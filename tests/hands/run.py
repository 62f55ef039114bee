"""Many hands change one house at once, and some are killed: `python -m tests.hands.run --commands 5000 --kill`.

Prints what was done, and every fault; the status is 1 where there is one.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from chyves.lab import create, destroy
from chyves.lab.place import Lab
from tests.big_house import FIRST
from tests.big_house import House as Builder
from tests.hands.afterwards import faults_of
from tests.hands.deeds import Chooser, Deed
from tests.hands.house import HANDS, UNKNOWN, Register, Span
from tests.host_commands import done, environment, second_pool

GUESTS = 20
DONE, REFUSED, BUSY = 0, 1, 75
KILLED_ONE_IN = 7
LONGEST = 1.0
"""Seconds after which one that is to be killed is killed at the latest."""

EXPECTED = (
    "there is no such guest",
    "there is such a guest already",
    "runs already",
    "does not run",
    "was stopped before it was up",
    "runs; stop it first",
    "runs under this name; stop it first",
    "runs, so that it cannot go back; stop it first",
    "there is no such snapshot",
    "was cloned from it",
    "were cloned from it",
    "whose would come to it",
    "has 128M already",
    "is in use by",
    "does not have it and would stay as it is",
    "runs, so that a disk cannot be",
    "is a ZFS clone of",
    "is no clone",
    "the guest does not have it",
    "there is no such disk",
    "is on pool",
    "is on no bridge",
    "has nothing that could move",
    "is the primary pool",
    "is left from an earlier run",
)
"""What a hand may be told where another was there before it."""


@dataclass
class Told:
    """What the hands were told."""

    statuses: Counter[int] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Hands:
    """Hands at work in a lab, with `count` commands in all."""

    def __init__(self, lab: Lab, count: int, seed: int, kill: bool) -> None:
        self.lab, self.left, self.seed, self.kill = lab, count, seed, kill
        self.register = Register(Builder(lab).names())
        self.told = Told()

    def work(self) -> None:
        """All commands, HANDS at a time."""
        threads = [threading.Thread(target=self._hand, args=(hand,)) for hand in range(HANDS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _hand(self, hand: int) -> None:
        chooser = Chooser(self.register, hand, self.seed)
        chance = random.Random(f"{self.seed} {hand} kill")
        while self._take():
            self._do(chooser.next(), chance)

    def _take(self) -> bool:
        with self.register.lock:
            self.left -= 1
            return self.left >= 0

    def _do(self, deed: Deed, chance: random.Random) -> None:
        begin = self.register.tick()
        process = subprocess.Popen(
            [sys.executable, "-m", "chyves", *deed.words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(self.lab) | {"CHYVES_LAB_GUEST": "hollow"},
        )
        if self.kill and deed.changes and not chance.randrange(KILLED_ONE_IN):
            try:
                process.wait(chance.uniform(0, LONGEST))
            except subprocess.TimeoutExpired:
                process.kill()
        _, error = process.communicate()
        self._note(deed, begin, process.returncode, error)

    def _note(self, deed: Deed, begin: int, status: int, error: str) -> None:
        with self.register.lock:
            self.told.statuses[status] += 1
            if status == REFUSED:
                self._refused(deed, error)
            elif status not in (DONE, BUSY) and not (self.kill and status == -signal.SIGKILL):
                self.told.faults.append(f"{' '.join(deed.words)}: status {status}: {error.strip()}")
            elif not deed.changes and error:
                self.told.faults.append(f"{' '.join(deed.words)}: warned: {error.strip()}")
        if deed.note and status == DONE:
            deed.note(Span(begin, self.register.tick(), True), error)
        if deed.note and status == -signal.SIGKILL:
            deed.note(Span(begin, UNKNOWN, False), error)

    def _refused(self, deed: Deed, error: str) -> None:
        reason = next((words for words in EXPECTED if words in error), None)
        if reason is None:
            self.told.faults.append(f"{' '.join(deed.words)}: refused: {error.strip()}")
        else:
            self.told.refusals[reason] += 1


def worked(lab: Lab, count: int, seed: int, kill: bool) -> Hands:
    """The hands, when they have done their commands in a house of GUESTS guests on two pools."""
    done(lab, "dataset", "zroot", "install")
    done(lab, "dataset", second_pool(lab), "install")
    done(lab, "global", "set", "restrict_new_property_names=off")
    done(lab, FIRST, "create", "64M")
    Builder(lab).grow(GUESTS)
    hands = Hands(lab, count, seed, kill)
    hands.work()
    hands.told.faults += faults_of(lab, hands.register)
    return hands


def told(hands: Hands) -> str:
    """What was done, and what is wrong, as lines."""
    statuses = ", ".join(f"{number} with status {status}" for status, number in sorted(hands.told.statuses.items()))
    lines = [f"seed {hands.seed}: {sum(hands.told.statuses.values())} commands by {HANDS} hands: {statuses}"]
    lines += [f"{number:6}  refused: {words}" for words, number in hands.told.refusals.most_common()]
    return "\n".join([*lines, *(f"FAULT   {fault}" for fault in hands.told.faults)])


def main() -> int:
    """Work in a lab of their own."""
    parser = argparse.ArgumentParser(prog="tests.hands.run", description=__doc__)
    parser.add_argument("--commands", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill", action="store_true", help="kill one in seven of those that change something")
    words = parser.parse_args()
    top = Path(tempfile.mkdtemp(prefix="hands"))
    try:
        create.create(str(top))
        hands = worked(Lab.open(top), words.commands, words.seed, words.kill)
    finally:
        destroy.destroy(str(top), yes=True)
        shutil.rmtree(top, ignore_errors=True)
    print(told(hands))
    return 1 if hands.told.faults else 0


if __name__ == "__main__":
    sys.exit(main())
