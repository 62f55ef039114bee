"""Every form of every command that changes something goes through fire, or the table says why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chyves.cli.parser import Request, parse
from chyves.command import Command
from chyves.commands import COMMANDS
from tests.json_schemas import title
from tests.torture.operations import ALIKE, OPERATIONS, SPARED
from tests.torture.trial import Words

CHANGING = [row for row in COMMANDS if row.changes]


def forms(row: Command) -> Iterator[str]:
    """A row as its schema names it, and so with each option and each word that the user chooses from a few."""
    yield title(row)
    for option in row.options:
        yield f"{title(row)} {option.name}"
    for arg in row.args:
        yield from (f"{title(row)} {choice}" for choice in arg.choices)


def taken(request: Request) -> set[str]:
    """The forms that a line takes."""
    row = title(request.command)
    chosen = {str(value) for value in request.options.values()} | {
        option.name for option in request.command.others if request.options.get(option.key)
    }
    return {row} | {f"{row} {word}" for word in chosen | {str(value) for value in request.args.values()}}


def covered(lines: Iterable[Words]) -> set[str]:
    return {form for words in lines for form in taken(parse(words))}


def test_every_form_of_a_command_that_changes_something_has_an_operation_or_a_reason() -> None:
    """A new row needs an operation in tests.torture.operations, and so do its options and its choices."""
    every = {form for row in CHANGING for form in forms(row)}
    tried = covered(operation.words for operation in OPERATIONS.values())
    assert every - tried == set(SPARED), "give tests/torture/operations.py an operation for these, or SPARED a reason"
    assert all(reason.count(" ") > 3 for reason in SPARED.values())


def test_what_is_left_to_make_torture_is_as_another_that_is_not() -> None:
    assert all(name in OPERATIONS and other in OPERATIONS and other not in ALIKE for name, other in ALIKE.items())
