"""Which row of the table of commands a line of words is, and how a row is written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from chyves import names
from chyves.command import Arg, Command, Many, Word
from chyves.commands import COMMANDS, GUEST, GUESTS
from chyves.errors import UsageError
from chyves.names import shown

Rows = tuple[Command, ...]

OPEN = (Many.ANY, Many.SOME, Many.REST)
LONGEST_GUESSED = 40
NO_GUESS = ";"
FIRST_WORDS_OF_OLD = frozenset("dataset dev firmware help info iso list network upgrade version".split())
"""What began a line of 0.2.0, which no guest of it could be called and be used."""


def literals(word: Word | None) -> tuple[str, ...]:
    """The texts that a word of a row stands for; empty where the user chooses freely, and past the row's end."""
    if word is None:
        return ()
    return (word,) if isinstance(word, str) else word.choices


def own_words(row: Command) -> list[tuple[str, ...]]:
    """The words of a row that are not left to the user, each with its alternatives."""
    return [texts for word in row.words if (texts := literals(word))]


def position(row: Command, index: int) -> Word | None:
    """The word of a row that the typed word of this index belongs to, or None past its end."""
    if index < len(row.words):
        return row.words[index]
    last = row.words[-1]
    return last if isinstance(last, Arg) and last.many in OPEN else None


def least(row: Command) -> int:
    """How many words a line needs to be of this row."""
    return sum(isinstance(word, str) or word.many in (Many.ONE, Many.SOME) for word in row.words)


def begins_rest(words: Sequence[str]) -> bool:
    """Whether what follows these words belongs to another program, dashes and all."""
    return any(
        row.words[:-1] == tuple(words) and isinstance(row.words[-1], Arg) and row.words[-1].many is Many.REST
        for row in COMMANDS
    )


def narrowed(rows: Rows, index: int, text: str) -> Rows:
    """The rows that have this text at this place: those that name it, else those that leave the word to the user."""
    places = [(row, position(row, index)) for row in rows]
    named = tuple(row for row, word in places if text in literals(word))
    return named or tuple(row for row, word in places if isinstance(word, Arg) and _can_be(word, index, text))


def _can_be(word: Arg, index: int, text: str) -> bool:
    """Whether a word left to the user may be this one: `debug start` starts debug, as no guest is called start."""
    never = index > 0 and word.check is names.guest and text in names.NEVER_GUESTS | FIRST_WORDS_OF_OLD
    return not word.choices and not never


def reached(words: Sequence[str]) -> Rows:
    """The rows that begin with these words; raises UsageError where there is none.

    A guest of 0.2.0 may be called what has become a command since (`lab`, `network import`): the line is the guest's
    where it cannot be that command's.
    """
    try:
        return _reached(COMMANDS, words)
    except UsageError:
        if rows := _of_old_guests(words):
            with suppress(UsageError):
                return _reached(rows, words)
        raise


def _of_old_guests(words: Sequence[str]) -> Rows:
    """The rows in which the word that names a guest may be one that begins, or ends, a command now."""
    if words[0] in FIRST_WORDS_OF_OLD:
        begun = (
            row for row in COMMANDS if words[0] in literals(row.words[0]) and row.args[:1] in ((GUEST,), (GUESTS,))
        )
        return tuple(row for row in begun if position(row, len(words) - 1))
    return tuple(filter(_of_guests, COMMANDS)) if words[0] in _first_literals() else ()


def _of_guests(row: Command) -> bool:
    """Whether a row begins with guests that there are."""
    first = row.words[0]
    return isinstance(first, Arg) and not first.choices and first.check is not names.new_guest


def _reached(rows: Rows, words: Sequence[str]) -> Rows:
    for index, text in enumerate(words):
        found = narrowed(rows, index, text)
        if not found:
            _refuse(rows, index, words)
        rows = found
    return rows


def selected(words: Sequence[str]) -> Command:
    """The row that these words are; raises UsageError with what is wrong or missing."""
    rows = reached(words)
    for row in rows:
        if least(row) <= len(words):
            return row
    _refuse_short(rows, words)


def named(row: Command, words: Sequence[str]) -> tuple[str, ...]:
    """Those of the words that are the row's own, not the user's."""
    return tuple(text for index, text in enumerate(words) if text in literals(position(row, index)))


def synopsis(row: Command, program: str = "chyves") -> str:
    """The line that shows how a command is written."""
    return " ".join((program, *map(_shown_word, row.words), *_shown_options(row)))


def _shown_word(word: Word) -> str:
    if isinstance(word, str):
        return word
    form = {Many.ONE: "{}", Many.OPTIONAL: "[{}]", Many.ANY: "[{} ...]", Many.REST: "[{} ...]", Many.SOME: "{} ..."}
    return form[word.many].format(word.metavar)


def _shown_options(row: Command) -> list[str]:
    choices = [f"[{'|'.join(option.name for option in group)}]" for group in row.choices.values()]
    others = [f"[{option.shown}]" for option in row.others]
    return [*([f"[-{row.flags}]"] if row.flags else []), *choices, *others]


def _refuse(rows: Rows, index: int, words: Sequence[str]) -> NoReturn:
    """Say why no row has the word of this index."""
    text = shown(words[index])
    offered = sorted({literal for row in rows for literal in literals(position(row, index))})
    if not offered:
        raise UsageError(f"{' '.join(named(rows[0], words))}: {text} is one word too many; it is: {synopsis(rows[0])}")
    if len(rows) == 1:
        raise UsageError(f"{rows[0].name}: {text} is not possible; give {' or '.join(offered)}")
    guess = _guess(words[index], offered)
    if index > 1:
        raise UsageError(
            f"{' '.join(named(rows[0], words[:index]))}: {text} is not possible; give one of {', '.join(offered)}"
        )
    if index == 1:
        _refuse_misplaced(words[0], offered)
        _refuse_late(*words[:2])
        if guess == NO_GUESS and (near := _guess(words[0], offered)) != NO_GUESS:
            raise UsageError(f"{shown(words[0])}: is no command{near} it is written after the guest")
    raise UsageError(f"{text}: is no command{guess} see: chyves help")


def _refuse_short(rows: Rows, words: Sequence[str]) -> NoReturn:
    """Say what is missing after these words."""
    if len(rows) == 1:
        raise UsageError(f"{' '.join(named(rows[0], words))}: words are missing; it is: {synopsis(rows[0])}")
    offered = sorted({text for row in rows for text in _offered(position(row, len(words)))})
    if len(words) == 1 and words[0] not in _first_literals():
        _refuse_misplaced(words[0], offered)
        guess = _guess(words[0], offered)
        right = "; if it is a guest, say what to do with it;" if guess == NO_GUESS else guess
        raise UsageError(f"{shown(words[0])}: is no command{right} see: chyves help")
    raise UsageError(f"{shown(words[-1])}: words are missing; give one of {', '.join(offered)}")


def _offered(word: Word | None) -> tuple[str, ...]:
    """What can be written for a word of a row, for a message."""
    return (f"a {word.name}",) if isinstance(word, Arg) and not word.choices else literals(word)


def _refuse_misplaced(first: str, verbs: Sequence[str]) -> None:
    """Raise UsageError where the first word should be the second, or is nearly a command."""
    if first in verbs:
        row = next(row for row in COMMANDS if len(row.words) > 1 and first in literals(row.words[1]))
        raise UsageError(f"{first}: is written after the guest; it is: {synopsis(row)}")
    guess = _guess(first, _first_literals())
    if guess != NO_GUESS and first not in _first_literals():
        raise UsageError(f"{shown(first)}: is no command{guess} see: chyves help")


def _refuse_late(first: str, second: str) -> None:
    """Raise UsageError where the second word, behind a guest, should be the first."""
    rows = [row for row in COMMANDS if second in literals(row.words[0])]
    if rows and first not in _first_literals():
        right = f"it is: {synopsis(rows[0])}" if len(rows) == 1 else f"see: chyves help {second}"
        raise UsageError(f"{second}: begins the line; {right}")


def _first_literals() -> list[str]:
    return sorted({text for row in COMMANDS for text in literals(row.words[0])})


def _guess(text: str, offered: Sequence[str]) -> str:
    """`; did you mean start?` where a word that is offered is like the text, else only the `;`."""
    if len(text) > LONGEST_GUESSED:
        return NO_GUESS
    import difflib

    near = difflib.get_close_matches(text, offered, n=1)
    return f"; did you mean {near[0]}?" if near else NO_GUESS
