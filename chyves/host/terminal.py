"""Talking to the user: messages on stderr, questions on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from chyves import stdio
from chyves.errors import ChyvesError
from chyves.host.log import plain

QUIET_FOR = 0.1
"""Seconds between two pictures of a bar."""

WIDTH = 30


class Terminal:
    """The user's terminal, if there is one. `level` is the global property stdout_level: what `say` shows.

    `prompts` is the global property prompt_on_destruction: whether it is asked before what was named is destroyed.
    In a dry run nothing is done, so that `say` tells of nothing. A program that is not `attended` has its terminal for
    itself (chyves.interface): nobody is asked there, and no bar is drawn.
    """

    attended = True

    def __init__(self, dry: bool = False) -> None:
        self.level = 2
        self.prompts = True
        self.dry = dry
        self.recording = False
        self.unwritten: list[tuple[int, str]] = []
        self._write: Callable[[int, str], None] | None = None
        self.out: Callable[[str], object] = on_stderr

    def say(self, level: int, text: str, logged: bool = False) -> None:
        """Tell of what is done: level 1 an action, 2 its steps, 3 also the lines of programs.

        `logged` is for what the guest's supervisor writes to the logs itself.
        """
        if level <= self.level and not self.dry:
            self.out(text)
        if not logged:
            self.record(level, text)

    def warn(self, text: str) -> None:
        """Tell of what the user should know, at every level."""
        self.out(f"warning: {text}")
        self.record(1, _marked("warning", text))

    def show(self, lines: Iterable[str]) -> None:
        """Tell of what is about to happen, a line each, at every level and also in a dry run."""
        for line in lines:
            self.out(line)

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to be asked."""
        return self.attended and _interactive()

    def failed(self, error: ChyvesError) -> None:
        """Tell of an error after which the command goes on with the next guest."""
        tell(error, self.out)
        self.record_failure(error)

    def record(self, level: int, text: str) -> None:
        """Write to the logs, where this command does; what comes before they are known is written when they are."""
        if not self.recording:
            return
        self.unwritten.append((level, text))
        if self._write is not None:
            self.record_by(self._write)

    def record_failure(self, error: ChyvesError) -> None:
        """Write to the logs why something failed."""
        for text in (str(error), *getattr(error, "__notes__", ())):
            self.record(1, _marked("failed", text))

    def record_by(self, write: Callable[[int, str], None]) -> None:
        """From now on the logs are known: `write` adds to them."""
        self._write = write
        waiting, self.unwritten = self.unwritten, []
        for level, text in waiting:
            write(level, text)

    def confirm(
        self, question: str, yes: bool, details: Iterable[str] = (), scripts: bool = False, named: bool = False
    ) -> bool:
        """Whether the user agrees, having been shown the details, a line each.

        Where nobody can be asked and `--yes` was not given, `scripts` says whether to go on (0.2.0 did not ask, and its
        users have scripts); else ChyvesError is raised. `named` says that nothing is destroyed but what the line names:
        then prompt_on_destruction=no stands for the user's yes.
        """
        if yes or (named and not self.prompts) or (scripts and not self.interactive):
            return True
        if not self.interactive:
            raise ChyvesError(f"{question.rstrip('?')}: there is no terminal to ask on; give --yes")
        self.show(details)
        return (self.ask(f"{question} [y/N]") or "").strip().lower() in ("y", "yes")

    def ask(self, question: str) -> str | None:
        """The line that the user types; None where there is no terminal, or at its end of input."""
        if not self.interactive:
            return None
        print(question, end=" ", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            print(file=sys.stderr)
        return line.rstrip("\r\n") if line else None

    def progress(self, total: int | None, what: str) -> Progress:
        """A bar for `total` bytes (None where that is not known), which shows only on a terminal."""
        return Progress(total, what, self.attended and sys.stderr.isatty())


class Progress:
    """A bar that grows; used with `with`."""

    def __init__(self, total: int | None, what: str, shown: bool) -> None:
        self.total = total
        self.what = what
        self.shown = shown
        self.done = 0
        self._last = 0.0

    def advance(self, amount: int) -> None:
        """Tell that so many bytes more are done."""
        self.done += amount
        if self.shown and time.monotonic() - self._last >= QUIET_FOR:
            self._last = time.monotonic()
            self._draw()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.shown:
            self._draw()
            print(file=sys.stderr)

    def _draw(self) -> None:
        print(f"\r{self.text()}", end="\033[K", file=sys.stderr, flush=True)

    def text(self) -> str:
        """The bar as it is now."""
        done = f"{self.done / 2**20:.1f}"
        if not self.total:
            return f"{self.what}: {done} MiB"
        part = min(1.0, self.done / self.total)
        bar = "#" * round(part * WIDTH)
        return f"{self.what}: [{bar:-<{WIDTH}}] {part:4.0%} {done} of {self.total / 2**20:.1f} MiB"


def _interactive() -> bool:
    """Whether somebody is there to answer: what is asked is shown on stderr."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _marked(mark: str, text: str) -> str:
    """A sentence with a mark behind the name that it begins with."""
    name, colon, rest = text.partition(": ")
    return f"{name}: {mark}: {rest}" if colon else f"{mark}: {text}"


def tell(error: ChyvesError, out: Callable[[str], object]) -> None:
    """Tell of an error, once, with its notes below it."""
    out(f"chyves: {error}")
    for note in getattr(error, "__notes__", ()):
        out("\n".join(f"  {line}" for line in note.splitlines()))


def on_stderr(text: str) -> None:
    """Show lines to the user; what a guest or a program said in them steers no terminal."""
    stdio.told("\n".join(map(plain, text.split("\n"))))
