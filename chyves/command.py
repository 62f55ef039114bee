"""What a row of the table of commands is made of: words, options, and what follows from them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

Check = Callable[[str], str]


class Many(enum.Enum):
    """How many words an Arg takes."""

    ONE = ""
    OPTIONAL = "?"
    ANY = "*"
    SOME = "+"
    REST = "..."
    """All that follows, also what begins with dashes: another program's words."""


@dataclass(frozen=True)
class Arg:
    """A word that the user chooses.

    `choices` are the only words possible; `check` refuses a word that cannot be one (raising BadName); `split` makes a
    tuple of a word with commas, each part checked and named once; `instead` are words that stand for something else
    than what `check` says (`all`); `complete` names what the shell offers: guests, owners, isos, firmware, resources,
    pools, disks, snapshots, bridges, taps, joined, uplinks, files, properties, assignments, topics.
    """

    name: str
    doc: str
    many: Many = Many.ONE
    choices: tuple[str, ...] = ()
    check: Check | None = None
    split: bool = False
    instead: tuple[str, ...] = ()
    complete: str = ""

    @property
    def metavar(self) -> str:
        """How the synopsis shows it."""
        if self.choices:
            shown = "|".join(self.choices)
            return shown if self.many is Many.OPTIONAL or len(self.choices) == 1 else f"{{{shown}}}"
        shown = f"{self.name}[,{self.name}...]" if self.split else self.name
        return "|".join((shown, *self.instead))


@dataclass(frozen=True)
class Option:
    """A word that begins with dashes; `metavar` is empty for one that takes no value.

    `bare` is the value of one that can stand without: then another is written behind `=`.
    Of the options of a `group` a line has one or none: the group's name is their keyword, and the option its value.
    """

    name: str
    doc: str
    metavar: str = ""
    group: str = ""
    bare: str = ""

    @property
    def shown(self) -> str:
        """How it is written."""
        if self.bare:
            return f"{self.name}[={self.metavar}]"
        return f"{self.name} {self.metavar}".rstrip()

    @property
    def key(self) -> str:
        return self.group or self.name.lstrip("-").replace("-", "_")


Word = str | Arg


@dataclass(frozen=True)
class Command:
    """A row: see the module's text; `changes` gives --dry-run, `asks` --yes, `json` --json.

    `events` are those that it may give (chyves.events), none (empty) or not yet thought of (None);
    `terminal` is one that takes over the terminal, so that it is no call from Python.
    """

    words: tuple[Word, ...]
    doc: str
    run: str
    root: bool = True
    changes: bool = True
    asks: bool = False
    json: bool = False
    host: bool = True
    options: tuple[Option, ...] = ()
    events: tuple[str, ...] | None = None
    terminal: bool = False

    @property
    def args(self) -> tuple[Arg, ...]:
        return tuple(word for word in self.words if isinstance(word, Arg))

    @property
    def flags(self) -> str:
        """The letters of its options that stand alone or together, `bs` for -b and -s."""
        return "".join(option.name[1] for option in self.options if len(option.name) == 2 and not option.metavar)

    @property
    def others(self) -> list[Option]:
        """Its options that are written out one by one: those with a value, or of several letters."""
        return [option for option in self.options if not option.group and (option.metavar or len(option.name) > 2)]

    @property
    def choices(self) -> dict[str, list[Option]]:
        """Its options of which a line has one, by their group."""
        grouped = [option for option in self.options if option.group]
        return {option.group: [other for other in grouped if other.group == option.group] for option in grouped}

    @property
    def name(self) -> str:
        """Its own words, as a title: `disk add`, `set`, `network bridge attach`."""
        return " ".join(word for word in self.words if isinstance(word, str))


def shows(
    *words: Word, doc: str, run: str, options: tuple[Option, ...] = (), root: bool = False, host: bool = True
) -> Command:
    """A row that shows something, also as JSON, changes nothing, and mostly needs no root."""
    return Command(words, doc, run, root=root, changes=False, json=True, options=options, host=host)
