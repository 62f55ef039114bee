"""What was typed, as a value: the command, and its arguments checked."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from chyves import names, targets
from chyves.cli.grammar import OPEN, begins_rest, named, reached, selected
from chyves.command import Arg, Command, Many, Option
from chyves.commands import COMMANDS, HEADLESS, OWNER
from chyves.errors import ChyvesError, UsageError
from chyves.names import shown

HELP = next(row for row in COMMANDS if row.name == "help")
ASKED = ("-h", "--help")
ONE_GUEST = (names.guest, names.guest_or_snapshot)
STANDING = frozenset(text for row in COMMANDS for arg in row.args for text in arg.instead)
VALUED = frozenset(option.name for row in COMMANDS for option in row.options if option.metavar and not option.bare)

GENERAL = {
    "--dry-run": "Print the commands that would run, and run none.",
    "--yes": "Answer questions with yes.",
    "--json": "Print JSON.",
}


@dataclass(frozen=True)
class Request:
    """A command and what it is to be done with; `options` are the row's own that have a value, without -H."""

    command: Command
    args: dict[str, object] = field(default_factory=dict)
    dry_run: bool = False
    yes: bool = False
    json: bool = False
    headless: bool = False
    options: dict[str, object] = field(default_factory=dict)

    @property
    def keywords(self) -> dict[str, object]:
        """What the function of the command is called with, besides the host."""
        return self.args | self.options | ({"yes": self.yes} if self.command.asks else {})


def parse(argv: Sequence[str]) -> Request:
    """The request that a command line is; raises UsageError with one sentence."""
    words, options = separated(argv)
    if not words and options and options[0] not in ASKED:
        raise UsageError(f"{shown(options[0])}: is no option of chyves; see: chyves help")
    if options and argv[0] == options[0] and not _known(options[0]):
        raise UsageError(f"{shown(argv[0])}: is no option of chyves; a name that begins with a dash goes after --")
    if not words or any(option in ASKED for option in options):
        return _help(words)
    row = selected(words)
    given = _options(row, options)
    if given.help:
        return _help(words)
    values = {option.key: getattr(given, option.key) for option in row.options if option != HEADLESS}
    own: dict[str, object] = {key: value for key, value in values.items() if value is not None}
    own |= {group: _chosen(row, own[group]) for group in row.choices if group in own}
    request = Request(row, _args(row, words), given.dry_run, given.yes, given.json, given.H, own)
    if request.json and request.headless:
        raise UsageError(f"{row.name}: --json and -H do not go together; give one of them")
    return request


def _chosen(row: Command, given: object) -> str:
    """The one option of a group that was given; raises UsageError where there are more."""
    found = list(dict.fromkeys(cast("list[str]", given)))
    if len(found) > 1:
        raise UsageError(f"{row.name}: {' and '.join(found)} do not go together; give one of them")
    return found[0]


def _known(option: str) -> bool:
    """Whether some command has an option, in which letters may stand together."""
    try:
        return not options_parser(COMMANDS).parse_known_args([option])[1]
    except argparse.ArgumentError as error:
        return error.argument_name in VALUED


def separated(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a line, and its options, each with its value; they may stand in any order, and `--` ends options."""
    words: list[str] = []
    options: list[str] = []
    line = iter(argv)
    for text in line:
        if text == "--":
            words.extend(line)
        elif text.startswith("-") and text != "-":
            value = next(line, None) if text in VALUED else None
            options.append(text if value is None else f"{text}={value}")
        else:
            words.extend((text, *line) if begins_rest(words) else (text,))
    return words, options


def _formatter(prog: str) -> argparse.HelpFormatter:
    """A formatter of a fixed width: one that asks for the terminal's imports shutil, for a text that is never shown."""
    return argparse.HelpFormatter(prog, width=80)


def options_parser(rows: Sequence[Command]) -> argparse.ArgumentParser:
    """A parser of the options that these rows have; one of a name, which takes a value in all of them or in none."""
    parser = argparse.ArgumentParser(
        prog="chyves", add_help=False, allow_abbrev=False, exit_on_error=False, formatter_class=_formatter
    )
    parser.set_defaults(dry_run=False, yes=False, json=False, H=False)
    parser.add_argument(*ASKED, action="store_true", dest="help", help="Explain the command.")
    for name in dict.fromkeys(name for row in rows for name in general_options(row)):
        short = ("-y",) if name == "--yes" else ()
        parser.add_argument(name, *short, action="store_true", help=GENERAL[name])
    for option in {option.name: option for row in rows for option in row.options}.values():
        _add(parser, option)
    return parser


def _options(row: Command, options: Sequence[str]) -> argparse.Namespace:
    """What the options say, one by one, so that a refusal names the word as it was typed."""
    parser = options_parser((row,))
    given = parser.parse_args([])
    for option in options:
        try:
            given, unknown = parser.parse_known_args([option], given)
        except argparse.ArgumentError as error:
            wrong = "needs a value" if error.argument_name in VALUED else "has a part that is no option"
            raise UsageError(f"{row.name}: {shown(option)} {wrong}{_options_of(row)}") from None
        if unknown:
            raise UsageError(f"{row.name}: {shown(option)} is no option of it{_options_of(row)}")
    return given


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    if option.group:
        parser.add_argument(option.name, dest=option.key, action="append_const", const=option.name, help=option.doc)
    elif option.bare:
        parser.add_argument(option.name, dest=option.key, nargs="?", const=option.bare, help=option.doc)
    elif option.metavar:
        parser.add_argument(option.name, dest=option.key, metavar=option.metavar, help=option.doc)
    else:
        parser.add_argument(option.name, dest=option.key, action="store_true", help=option.doc)


def _options_of(row: Command) -> str:
    flags = row.flags
    long = [option.name for option in row.options if len(option.name) > 2]
    known = [*([f"-{flags}"] if flags else []), *long, *general_options(row)]
    return f"; it has {' '.join(known)}" if known else "; it has none"


def general_options(row: Command) -> list[str]:
    """The options that a row has by what it is."""
    asked = (("--dry-run", row.changes), ("--yes", row.asks), ("--json", row.json))
    return [name for name, there in asked if there]


def _help(words: Sequence[str]) -> Request:
    """The request to explain the command that some words begin."""
    return Request(HELP, {"topic": named(reached(words)[0], words)})


def _args(row: Command, words: Sequence[str]) -> dict[str, object]:
    args: dict[str, object] = {}
    for index, word in enumerate(row.words):
        if not isinstance(word, Arg):
            continue
        if word.many in OPEN:
            args[word.name] = tuple(value_of(row.name, word, text) for text in words[index:])
        else:
            args[word.name] = value_of(row.name, word, words[index]) if index < len(words) else None
    return args


def value_of(command: str, arg: Arg, text: str) -> object:
    """What a word is that was given for an Arg of a command; raises UsageError."""
    if text in arg.choices or text in arg.instead:
        return text
    if not arg.split:
        if arg.check in ONE_GUEST and ("," in text or not targets.is_name(text.partition("@")[0])):
            raise UsageError(f"{shown(text)}: {command} takes one guest; give one")
        return checked(arg, text)
    parts = text.split(",")
    if not all(parts) and len(parts) > 1:
        raise UsageError(f"{shown(text)}: has an empty name; take the comma out")
    for number, part in enumerate(parts):
        if part in parts[:number]:
            raise UsageError(f"{shown(part)}: is named twice; name it once")
    return tuple(checked(arg, part) for part in parts)


def owners_of(text: str) -> tuple[str, ...] | str:
    """Whose properties a word names: guests, or all, global or defaults; raises UsageError."""
    return cast("tuple[str, ...] | str", value_of("set", OWNER, text))


def checked(arg: Arg, text: str) -> str:
    """One word that the user chose; raises UsageError where it cannot be what the Arg says."""
    if not text and arg.many is not Many.REST:
        raise UsageError(f"{arg.name}: the word is empty; write one")
    if arg.check in (*ONE_GUEST, targets.part) and (word := STANDING.intersection(text.split(targets.AND))):
        right = "stands alone; leave the other names out" if word <= set(arg.instead) else "is no guest; name one"
        raise UsageError(f"{min(word)}: {right}")
    try:
        return arg.check(text) if arg.check else text
    except ChyvesError as error:
        raise UsageError(str(error)) from None
