"""Lines in which the guest that they are about is not written: at its prompt."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from chyves.cli.completion import Names, offered
from chyves.cli.grammar import Rows, least, literals, position, reached
from chyves.cli.parser import separated
from chyves.command import Arg, Command
from chyves.commands import COMMANDS
from chyves.errors import UsageError
from chyves.names import shown

WHOM = ("guests", "owners")
"""What an Arg that means guests completes from."""


def read(guest: str, line: str) -> list[str]:
    """The words of chyves' command line that a line at a guest's prompt is; none for an empty line or a comment.

    Raises UsageError where it is for another guest, or cannot be cut into words.
    """
    try:
        typed = shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(f"{shown(line)}: cannot be read ({error}); close what is open") from None
    if typed == ["prompt"]:
        raise UsageError(f"{guest} prompt: is where you are; quit ends it")
    return with_guest(guest, typed) if typed else []


def with_guest(guest: str, typed: Sequence[str]) -> list[str]:
    """The words with the guest where their command has it, else as they are; raises UsageError for another guest."""
    words, options = separated(typed)
    place = _place(guest, words)
    if place is None and _for_others(words):
        raise UsageError(f"{shown(' '.join(words))}: this is the prompt of {guest}; leave other guests out, or quit")
    if place is None and (not words or words[0] in _FIRST):
        return list(typed)
    return [*options, "--", *words[: place or 0], guest, *words[place or 0 :]]


def _place(guest: str, words: Sequence[str]) -> int | None:
    """Where the guest stands in a line that has all other words of its command; None where it has no place."""
    for place in range(len(words) + 1):
        line = [*words[:place], guest, *words[place:]]
        if any(_means_guest(row, place) for row in _rows(line)):
            return place
    return None


def _rows(words: Sequence[str]) -> Rows:
    try:
        return reached(words)
    except UsageError:
        return ()


def _means_guest(row: Command, place: int) -> bool:
    word = position(row, place)
    return isinstance(word, Arg) and word.complete in WHOM


def _for_others(words: Sequence[str]) -> bool:
    """Whether a line that lacks no guest names some."""
    whole = [row for row in _rows(words) if least(row) <= len(words)]
    return any(_means_guest(row, place) for row in whole for place in range(len(words)))


_LONGEST = max(len(row.words) for row in COMMANDS)
_FIRST = frozenset(text for row in COMMANDS for text in literals(row.words[0]))


class OwnWords:
    """Completion at the prompt of a guest, with `names` as chyves.cli.completion has it."""

    def __init__(self, guest: str, names: Names) -> None:
        self.guest, self.names = guest, names
        self._line, self._offered = "", [""]

    def offered(self, line: str, number: int) -> str | None:
        """What can stand at the end of a line, one after the other by number, as readline asks; None after the last."""
        if line != self._line or number == 0:
            self._line, self._offered = line, self._all(line)
        return self._offered[number] if number < len(self._offered) else None

    def _all(self, line: str) -> list[str]:
        *typed, prefix = line.lstrip().split(" ")
        words, _ = separated([word for word in typed if word])
        found = [text for rows, whole in self._readings(words) for text in offered(rows, whole, prefix, self.names)]
        return [text if text.endswith("=") else f"{text} " for text in dict.fromkeys(found)]

    def _readings(self, words: Sequence[str]) -> Iterator[tuple[Rows, list[str]]]:
        """What a line can be that begins so: rows, and words with the guest where it stands before the end."""
        for place in range(len(words) + 1):
            line = [*words[:place], self.guest, *words[place:]]
            yield tuple(row for row in _rows(line) if _means_guest(row, place)), line
        later = (
            row for row in _rows(words) for place in range(len(words) + 1, len(row.words)) if _means_guest(row, place)
        )
        yield tuple(later), [*words]
