"""One command, begun again and again with a fault at each of its steps; what must be so after each.

Nothing is lost when the state afterwards is the one before or the finished one, at once or, where chyves was killed or
has said so, when the next command has run; and when chyves, if it lived, said which, and what had failed.
"""

from __future__ import annotations

import re
import signal
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from tests.host_commands import break_lab, mend, steps_of
from tests.torture import files
from tests.torture.house import BASE, NEXT, House, State, crash_of, events, held, same, sentences, state, until
from tests.torture.strike import AFTER, BEFORE, FULL, HALF, HANG, REFUSE, STUCK

T = TypeVar("T")
Words = tuple[str, ...]
SIGNALS = (signal.SIGTERM, signal.SIGINT)
UNDER_WAY = "no longer waited for"
"""What is said where a signal has ended the wait for a guest that was asked to go off, and that does so by itself."""
FINISHED = r"after all was done|is deleted, but|is made, but|is up"

SHOWN = 1000
"""Characters of a difference that are shown: the first tells most."""


class Operation(NamedTuple):
    """A command, those that make what it works on, and the one after which all must be well again.

    With `crash` the supervisor and bhyve of guest a are killed before it; `prepare` does what no command can; `live`
    have something run, each time anew; `halfway` leaves what the operation may leave too, as its first half cannot be
    taken back.
    """

    words: Words
    first: tuple[Words, ...] = ()
    next: Words = NEXT
    crash: bool = False
    prepare: Callable[[House], object] | None = None
    base: str = BASE
    live: tuple[Words, ...] = ()
    halfway: Words = ()


class Fault(NamedTuple):
    """What happens at which step, see tests.torture.strike."""

    nth: int
    what: str


@dataclass
class Count:
    """How many faults were tried, after how many all was as before or done, and what was lost by which."""

    before: int = 0
    done: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.before + self.done + len(self.lost)

    def __add__(self, other: Count) -> Count:
        return Count(self.before + other.before, self.done + other.done, self.lost + other.lost)


class Prepared:
    """A house that has what an operation works on, and comes back to that again and again."""

    def __init__(self, house: House, name: str, operation: Operation) -> None:
        self.house, self.lab, self.name = house, house.lab, name
        self.words, first, self.next, crash, prepare, base, self.live, self.halfway = operation
        house.go_back(base)
        for words in first:
            house.done(*words)
        if crash:
            crash_of(self.lab, "a")
        if prepare:
            prepare(house)
        self._kept = f"trial {name}"
        house.keep(self._kept)

    def go_back(self) -> None:
        """Have all be as it is before the operation."""
        self.house.go_back(self._kept)
        for words in self.live:
            self.house.done(*words)


class Trial(Prepared):
    """One operation, to be begun from the same state again and again."""

    def __init__(self, house: House, name: str, operation: Operation) -> None:
        super().__init__(house, name, operation)
        self.told = ""
        self.go_back()
        self.before = state(house)
        self.half = self.before
        if self.halfway:
            house.done(*self.halfway)
            self.half = state(house)
        self.steps, self.after = self._whole(REFUSE)
        self.events = self._events()
        assert self.before != self.after
        self.writes, after = self._whole(FULL)
        same(after, self.after)

    def _whole(self, what: str) -> tuple[list[str], State]:
        """The steps of the operation when nothing fails, and what it makes."""
        result = self.begin(Fault(0, what))
        assert result.returncode == 0, result.stderr
        return steps_of(self.lab), state(self.house)

    def begin(self, fault: Fault) -> subprocess.CompletedProcess[str]:
        """Begin from the same state again, with a fault, which stays laid."""
        self.go_back()
        self._known = len(events(self.lab))
        break_lab(self.lab, *fault)
        return self.house.forks.chyves(self.lab, *self.words, faults=True)

    def _events(self) -> list[str]:
        """Which events it has given; the end of a guest may be told by two, where both have to free what it held."""
        return list(dict.fromkeys(events(self.lab)[self._known :]))

    def count(self, faults: Iterable[Fault]) -> Count:
        """Begin anew with each of these faults."""
        count = Count()
        for fault in faults:
            steps = self.writes if fault.what == FULL else self.steps
            try:
                if self._is_done_after(fault):
                    count.done += 1
                else:
                    count.before += 1
            except AssertionError as failure:
                where = f"{self.name}: {fault.what} at {fault.nth} ({steps[fault.nth - 1]})"
                count.lost.append(f"{where}:\n{str(failure)[:SHOWN]}\nit said:\n{self.told}")
        return count

    def _is_done_after(self, fault: Fault) -> bool:
        """Whether all was done, not taken back; raises AssertionError where it is neither, or chyves did not say it."""
        result = self.begin(fault)
        mend(self.lab)
        told = self.told = result.stderr
        assert "Traceback" not in told
        if fault.what in (BEFORE, AFTER):
            assert result.returncode == -signal.SIGKILL, f"it ended with {result.returncode}"
        else:
            self._tells(fault, result)
            if UNDER_WAY in told:
                return self._goes_off(fault)
            if "next command" not in told:
                done = result.returncode == 0 or bool(re.search(FINISHED, told))
                now = state(self.house)
                same(now, self.after if done else self.half if now == self.half else self.before)
                if fault.what != FULL and (done or now == self.before):
                    assert self._events() == (self.events if done else []), f"it gave the events {self._events()}"
                return done
        following = self.house.chyves(*self.next)
        self.told += f"and then:\n{following.stderr}"
        assert following.returncode == 0, f"{self.next} failed"
        return self._is_done()

    def _goes_off(self, fault: Fault) -> bool:
        """Whether a guest that is no longer waited for is off; where a program hangs by which it goes, it is forced."""
        if fault.what.startswith((HANG, STUCK)):
            self.house.done("a", "stop", "force")
        until(lambda: not held(self.lab.root / "var/run/chyves/running.a.lock"))
        self.house.done(*self.next)
        assert self._is_done()
        assert self._events() == self.events, f"it gave the events {self._events()}"
        return True

    def _is_done(self) -> bool:
        """Whether it is now as it shall be, or as before; what goes on behind is waited for."""
        now, wanted = state(self.house), (self.before, self.half, self.after)
        if now not in wanted and any(name.startswith("process ") or what == "held" for name, what in now.items()):
            until(lambda: state(self.house) in wanted)
            now = state(self.house)
        nearer = min(wanted, key=lambda each: len(set(now.items()) ^ set(each.items())))
        same(now, nearer)
        return nearer is self.after

    def _tells(self, fault: Fault, result: subprocess.CompletedProcess[str]) -> None:
        told, errors = result.stderr, sentences(result.stderr)
        assert bool(errors) == (result.returncode != 0), f"it ended with {result.returncode}"
        number = fault.what.rpartition(":")[2]
        if number.startswith("SIG"):
            assert result.returncode == 128 + getattr(signal, number), f"it ended with {result.returncode}"
            assert re.search(rf"(stopped by |no longer waited for \(){number}", told), f"it does not tell of {number}"
        elif errors:
            assert re.search("the test refuses|Input/output error|No space left|out of space", told), (
                "no reason is told"
            )


def _is_atomic(step: str) -> bool:
    """Whether zfs has nothing left to do, and so nothing to fail at, when the change is made: of snapshots."""
    return step.startswith("zfs snapshot") or (step.startswith("zfs destroy") and "@" in step)


def _lasts(step: str) -> bool:
    """Whether a program works until its guest is off: no time comes that is after its work."""
    return step.startswith("bhyve ")


Kind = Callable[[Trial], Iterator[Fault]]


def refused(trial: Trial) -> Iterator[Fault]:
    """Every command and every file in turn fails; what zfs does it also does before it fails."""
    for nth, step in enumerate(trial.steps, 1):
        yield Fault(nth, REFUSE)
        if step.startswith("zfs ") and not step.startswith("zfs destroy") and not _is_atomic(step):
            yield Fault(nth, HALF)


def hung(trial: Trial) -> Iterator[Fault]:
    """Every command in turn hangs, before or after its work, or goes on, and a signal comes; and so at each file."""
    for nth, step in enumerate(trial.steps, 1):
        names = [number.name for number in (SIGNALS if nth % 2 else SIGNALS[::-1])]
        yield Fault(nth, names[0])
        if not step.startswith(files.OWN):
            yield Fault(nth, f"{HANG}:{names[1]}")
            if not (_is_atomic(step) or _lasts(step)):
                yield Fault(nth, f"{STUCK}:{names[0]}")


def killed(trial: Trial) -> Iterator[Fault]:
    """chyves is killed before the first step and after each: so between any two, and on both sides of each file."""
    if trial.steps:
        yield Fault(1, BEFORE)
    for nth in range(1, len(trial.steps) + 1):
        yield Fault(nth, BEFORE if _lasts(trial.steps[nth - 1]) else AFTER)


def full(trial: Trial) -> Iterator[Fault]:
    """The disk is full from each step on, among which each piece of data is."""
    for nth in range(1, len(trial.writes) + 1):
        yield Fault(nth, FULL)


def every(faults: Sequence[T], each: int, first: str) -> Sequence[T]:
    """A sample: every so many of the faults, beginning at a place that a name decides."""
    return faults[zlib.crc32(first.encode()) % each :: each] if len(faults) > each else faults


KINDS: dict[str, Kind] = {"refused": refused, "hung+signal": hung, "killed": killed, "disk full": full}
