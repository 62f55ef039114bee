"""Which guests a word of the command line means: by name, by group, or by what they are like.

A target is parts with commas between them, whose guests are all meant; a part is terms with `+` between them, all of
which must hold: `web1,:db,loader=uefi+state=running`. No guest's name can hold `:`, `=` or `+`. What properties are is
loaded only for a target that asks for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chyves import names
from chyves.errors import ChyvesError
from chyves.names import shown

GROUP = ":"
AND = "+"
STATE = "state"
RUNNING = "running"
STOPPED = "stopped"
POOL = "pool"
FACTS = (STATE, POOL)
"""What can be asked of a guest beside its properties; no property has such a name (a test holds the table to it)."""

Target = Sequence[str] | str
"""What a command is given: parts, or the word `all`."""


class BadTarget(ChyvesError):
    """A word cannot mean guests."""


@dataclass(frozen=True)
class Name:
    """The guest of a name."""

    name: str


@dataclass(frozen=True)
class Like:
    """The guests of which something holds: a property, or a fact, has this value; a list has it among its items."""

    what: str
    value: str

    def holds(self, text: str | None) -> bool:
        """Whether a guest's own text means the same value; None where it has none."""
        from chyves.values import NONE, Several

        if self.value in NONE or text is None or text in NONE:
            return self.value in NONE and (text is None or text in NONE)
        type_ = type_of(self.what)
        if isinstance(type_, Several):
            return type_.of.parse(self.value) in type_.parse(text)
        return bool(type_.parse(text) == type_.parse(self.value))


Term = Name | Like


def terms(part: str) -> tuple[Term, ...]:
    """What must hold of a guest that a part means; raises BadTarget, or BadName."""
    found = tuple(_term(text, part) for text in part.split(AND))
    if sum(isinstance(term, Name) for term in found) > 1:
        raise BadTarget(f"{shown(part)}: no guest has two names; write a comma between them")
    return found


def part(text: str) -> str:
    """A part of a target as it was typed; raises BadTarget, or BadName, where it cannot be one."""
    terms(text)
    return text


def is_name(part: str) -> bool:
    """Whether a part names one guest, and does not choose among them."""
    return not any(mark in part for mark in (GROUP, "=", AND))


def named(target: Target) -> frozenset[str]:
    """The guests that a target has by their names: those are meant whatever they are like.

    `all`, groups and the rest choose, so that a command passes over what it has nothing to do for.
    """
    return frozenset(() if isinstance(target, str) else filter(is_name, target))


def _term(text: str, part: str) -> Term:
    if not text and AND in part:
        raise BadTarget(f"{shown(part)}: nothing stands beside a +; take the + out")
    if text.startswith(GROUP):
        return Like("groups", names.group(text.removeprefix(GROUP)))
    what, equals, value = text.partition("=")
    if not equals:
        return Name(names.guest(text))
    _refuse(text, what, value)
    return Like(what, value)


def _refuse(text: str, what: str, value: str) -> None:
    """Raise BadTarget where no guest can be like this."""
    from chyves.values import NONE, Several

    type_ = type_of(what)
    if type_ is None:
        raise BadTarget(f"{shown(text)}: {shown(what)} is no property of guests; see: chyves list properties")
    try:
        (type_.of if isinstance(type_, Several) and value not in NONE else type_).parse(value)
    except ValueError as error:
        if value not in NONE:
            raise BadTarget(f"{what}: {shown(value)} is not possible; give {error}") from None


def type_of(what: str) -> Any:
    """The type of what guests can be chosen by, a property or a fact; None where it is neither."""
    from chyves.properties import Guest
    from chyves.values import Choice, Named

    if what in FACTS:
        return Choice((RUNNING, STOPPED)) if what == STATE else Named(names.pool, "pool")
    row = Guest.row(what)
    return None if row is None else row.type


def selectable() -> tuple[str, ...]:
    """What guests can be chosen by, but for properties that there is one of for each number."""
    from chyves.properties import Guest

    return (*FACTS, *Guest.table)
