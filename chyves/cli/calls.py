"""The commands as calls from Python: what each is named, whose method it is, what it takes, and the request it makes.

`python -m chyves.cli.calls > chyves/verbs.pyi` makes the types of the methods that chyves.verbs makes of this.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from chyves.cli.grammar import OPEN
from chyves.cli.parser import Request, value_of
from chyves.command import Arg, Command, Many, Option
from chyves.commands import COMMANDS, HEADLESS, NEW
from chyves.errors import UsageError

OWN = ("get", "set")
"""Methods of guests that chyves.interface has itself, as their results and arguments are of each property's type."""


NUMBERS = ("lines", "seconds", "size")
"""Words that can be given as numbers."""


@dataclass(frozen=True)
class Call:
    """A command as a method; `first` is the first word where that is one of several choices (iso, firmware)."""

    name: str
    row: Command
    first: str | None = None

    @property
    def target(self) -> Arg | None:
        """The word that says which guests, where it is a method of guests; None where it is one of the host."""
        return next((arg for arg in self.row.args if _means_guests(arg)), None)

    @property
    def args(self) -> list[Arg]:
        """The words that the method takes."""
        return [arg for arg in self.row.args if arg is not self.target and not (self.first and arg is self.row.args[0])]

    @property
    def options(self) -> list[Option]:
        """The options that it takes, one of each group."""
        found = {option.key: option for option in self.row.options if option != HEADLESS}
        return list(found.values())

    def request(self, target: str, values: Sequence[object], options: Mapping[str, object]) -> Request:
        """What the method asks for; raises UsageError, and TypeError for what it does not take."""
        row = self.row
        given = self._bound(target, values, {key: options[key] for key in options if key not in self._general})
        own: dict[str, object] = {
            option.key: False for option in self.options if not option.metavar and not option.group
        }
        for option in self.options:
            value = given.get(option.key)
            if option.bare and isinstance(value, bool):
                value = option.bare if value else None
            if value is not None:
                own[option.key] = value if isinstance(value, bool) else str(value)
        args = {arg.name: _value(row, arg, given.get(arg.name)) for arg in row.args}
        return Request(row, args, yes=bool(options.get("yes", False)), options=own)

    @property
    def _general(self) -> tuple[str, ...]:
        return ("yes",) if self.row.asks else ()

    def _bound(self, target: str, values: Sequence[object], options: Mapping[str, object]) -> dict[str, object]:
        """Each value by its name."""
        args = self.args
        rest = args[-1] if args and args[-1].many in OPEN else None
        single = args[:-1] if rest else args
        if len(values) > len(single) and rest is None:
            raise TypeError(f"{self.name}() takes {len(single)} words, not {len(values)}")
        found = dict(zip((arg.name for arg in single), values, strict=False))
        found |= {rest.name: tuple(values[len(single) :])} if rest else {}
        strange = set(options) - {arg.name for arg in single} - {option.key for option in self.options} | (
            set(options) & set(found)
        )
        if strange:
            raise TypeError(f"{self.name}() takes no {', '.join(sorted(strange))}, or has it already")
        found |= options
        if self.target is not None:
            found[self.target.name] = target
        if self.first is not None:
            found[self.row.args[0].name] = self.first
        return found

    def words(self, request: Request) -> list[str]:
        """A line that says the same, for the logs."""
        line: list[str] = []
        for word in self.row.words:
            found = word if isinstance(word, str) else request.args[word.name]
            split = isinstance(word, Arg) and word.split
            several = [found] if not isinstance(found, tuple) else [",".join(found)] if split else list(found)
            line += [str(text) for text in several if text is not None]
        return line


def _means_guests(arg: Arg) -> bool:
    """Whether a method is one of the guests that an Arg names."""
    return arg.name in ("guest", "owner") and arg.many is Many.ONE and arg is not NEW


def _value(row: Command, arg: Arg, given: object) -> object:
    """A value as the parser makes it of a word; raises UsageError."""
    several = isinstance(given, list | tuple)
    if arg.many in OPEN:
        words = tuple(map(str, given)) if isinstance(given, list | tuple) else ()
        if arg.many is Many.SOME and not words:
            raise UsageError(f"{row.name}: {arg.name} is missing")
        return tuple(value_of(row.name, arg, text) for text in words)
    if given is None:
        if arg.many is Many.ONE:
            raise UsageError(f"{row.name}: {arg.name} is missing")
        return None
    text = ",".join(map(str, given)) if several and isinstance(given, list | tuple) else str(given)
    if arg.choices and text not in arg.choices:
        raise UsageError(f"{row.name}: {text} is not possible; give {' or '.join(arg.choices)}")
    return value_of(row.name, arg, text)


def calls() -> Iterator[Call]:
    """Every command that is a call: all but those that take over the terminal."""
    rows = [row for row in COMMANDS if not row.terminal]
    taken = Counter(name for row in rows for name, _ in _names(row))
    for row in rows:
        for name, first in _names(row):
            needed = [arg.name for arg in row.args if arg.many is Many.ONE] if taken[name] > 1 else []
            called = "_".join((name.partition(" ")[2], *needed))
            yield Call(f"{called}_" if iskeyword(called) else called, row, first)


def _names(row: Command) -> Iterator[tuple[str, str | None]]:
    """What a row is named behind whose method it is; a row that begins with one of several words is so many."""
    whose = "guests" if any(map(_means_guests, row.args)) else "host"
    begin = row.words[0]
    own = [word for word in row.words if isinstance(word, str)]
    firsts: tuple[str | None, ...] = begin.choices if isinstance(begin, Arg) and begin.choices else (None,)
    for first in firsts:
        yield f"{whose} {re.sub('[^a-z]', '_', '_'.join([*filter(None, (first,)), *own]))}", first


def result(call: Call) -> str:
    """The type of what a method gives."""
    if call.row.json:
        return "Stream" if any(option.name == "-f" for option in call.row.options) else "Rows"
    return "str | None" if not call.row.changes else "None"


def stub() -> Iterator[str]:
    """The lines of chyves/verbs.pyi."""
    yield "# Made by: python -m chyves.cli.calls > chyves/verbs.pyi"
    yield "from collections.abc import Iterator, Sequence"
    yield "from typing import Any, Literal"
    yield ""
    yield "Rows = list[dict[str, Any]]"
    yield "Stream = Iterator[dict[str, Any]]"
    for whose in ("Host", "Guests"):
        yield from ("", f"class {whose}Verbs:")
        for call in calls():
            if (call.target is not None) == (whose == "Guests") and not (call.target and call.name in OWN):
                yield f"    def {call.name}({', '.join(('self', *_signature(call)))}) -> {result(call)}: ..."


def _signature(call: Call) -> Iterator[str]:
    for arg in call.args:
        kind = f"Literal[{', '.join(map(repr, arg.choices))}]" if arg.choices else _text(arg.name)
        kind = "str | Sequence[str]" if arg.split else kind
        default = " | None = None" if arg.many is Many.OPTIONAL else ""
        yield f"*{arg.name}: {kind}" if arg.many in OPEN else f"{arg.name}: {kind}{default}"
    options = [f"{option.key}: {_kind(call, option)}" for option in call.options]
    options += ["yes: bool = False"] if call.row.asks else []
    yield from ("*", *options) if options and not any(arg.many in OPEN for arg in call.args) else options


def _kind(call: Call, option: Option) -> str:
    if option.group:
        return f"Literal[{', '.join(repr(one.name) for one in call.row.choices[option.group])}] | None = None"
    if option.bare:
        return "str | bool = False"
    return f"{_text(option.metavar)} | None = None" if option.metavar else "bool = False"


def _text(name: str) -> str:
    return "str | int" if name in NUMBERS else "str"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in stub())
