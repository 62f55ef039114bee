"""One command, begun again and again with a fault at each of its steps; what must be so after each."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from typing import NamedTuple

from chyves.lab.place import Lab
from tests.host_commands import break_lab, broken, chyves, done, mend, steps_of, writes
from tests.lab.faulty_house import NEXT, House, crash_of, same, sentences, state

Words = tuple[str, ...]


class Operation(NamedTuple):
    """A command, those that make what it works on, and the one after which all must be well again.

    With `crash` the supervisor and bhyve of guest a are killed before it; `prepare` does what no command can.
    """

    words: Words
    first: tuple[Words, ...] = ()
    next: Words = NEXT
    crash: bool = False
    prepare: Callable[[Lab], object] | None = None


class Trial:
    """One operation, to be begun from the same state again and again."""

    def __init__(self, house: House, name: str, operation: Operation) -> None:
        self.house, self.lab, self.name = house, house.lab, name
        self.words, first, self.next, crash, prepare = operation
        house.go_back("base")
        for words in first:
            done(self.lab, *words)
        if crash:
            crash_of(self.lab, "a")
        if prepare:
            prepare(self.lab)
        house.keep(name)
        self.before = state(self.lab)
        mend(self.lab)
        result = broken(self.lab, 0, "refuse", *self.words)
        assert result.returncode == 0, result.stderr
        self.commands, self.writes = steps_of(self.lab), writes(self.lab)
        self.after = state(self.lab)
        assert self.before != self.after

    def run(self, command: int, write: int, what: str) -> subprocess.CompletedProcess[str]:
        """Begin anew, with a fault at a command or at a file."""
        self.house.go_back(self.name)
        break_lab(self.lab, command, what)
        result = broken(self.lab, write, what, *self.words)
        mend(self.lab)
        assert "Traceback" not in result.stderr
        return result

    def refuse(self, command: int, write: int, what: str = "refuse") -> None:
        result = self.run(command, write, what)
        now, told = state(self.lab), result.stderr
        assert re.search("the test refuses|No space left", told), told
        before = bool(sentences(told)) and "next command" not in told
        if "next command" in told:
            assert chyves(self.lab, *self.next).returncode == 0
            now = state(self.lab)
        same(now, self.before if before else self.after)
        assert result.returncode == len(sentences(told))

    def signal(self, command: int, write: int, number: signal.Signals) -> None:
        result = self.run(command, write, number.name)
        (told,) = sentences(result.stderr)
        assert result.returncode == 128 + number
        assert f"stopped by {number.name}" in told
        same(state(self.lab), self.after if "after all was done" in told else self.before)

    def kill(self, command: int, write: int, what: str) -> None:
        result = self.run(command, write, what)
        assert result.returncode == -signal.SIGKILL
        following = chyves(self.lab, *self.next)
        assert following.returncode == 0, following.stderr
        now = state(self.lab)
        same(now, self.after if now == self.after else self.before)

    def refuse_each(self) -> None:
        """Every command and every file in turn refuses."""
        for nth in range(1, len(self.commands) + 1):
            self.refuse(nth, 0)
        for nth in range(1, self.writes + 1):
            self.refuse(0, nth)

    def kill_each(self) -> None:
        """chyves is killed after every command, and before and after every file."""
        for nth in range(1, len(self.commands) + 1):
            self.kill(nth, 0, "after")
        for nth in range(1, self.writes + 1):
            self.kill(0, nth, "before")
            self.kill(0, nth, "after")
