"""The words after `set`: properties and values, for owners that may change in the middle of the line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chyves.cli.parser import owners_of
from chyves.errors import UsageError
from chyves.names import shown
from chyves.targets import Target

Owners = Target
"""Parts of a target (chyves.targets), or the word `all`, `global` or `defaults`."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


def assignments(owner: Owners, words: Sequence[str]) -> list[tuple[Owners, dict[str, str]]]:
    """What is set for whom: `a,b set cpu=1 ram=1G c rcboot=50` is two properties for a and b, and one for c.

    A word without `=` names further owners, for the words after it: guests that are chosen by property=value stand
    first. Raises UsageError for owners without a property, for words that are neither, and for a property that is set
    twice for one owner.
    """
    groups: list[tuple[Owners, dict[str, str]]] = [(owner, {})]
    for word in words:
        if "=" in word:
            name, value = _assignment(word)
            _refuse_twice(groups, name)
            groups[-1][1][name] = value
        else:
            if not groups[-1][1]:
                raise UsageError(f"{shown(word)}: has no = in it; write property=value")
            groups.append((owners_of(word), {}))
    _refuse_empty(groups[-1])
    return groups


def _assignment(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{shown(word)}: has no property before the =; write property=value")
    if any(c in "\n\r\0" or "\ud800" <= c <= "\udfff" for c in value):
        raise UsageError(f"{name}: {shown(value)} is not one line of text; leave out what is not text")
    return name, value


def _refuse_empty(group: tuple[Owners, dict[str, str]]) -> None:
    owners, values = group
    if not values:
        name = owners if isinstance(owners, str) else ",".join(owners)
        raise UsageError(f"{shown(name)}: no property=value follows; write one after it")


def _refuse_twice(groups: Sequence[tuple[Owners, dict[str, str]]], name: str) -> None:
    """Raise UsageError where the last group's owners have been given this property."""
    latest = groups[-1][0]
    for owners, values in groups:
        if name in values and (both := _both(owners, latest)):
            raise UsageError(f"{both}: {name}: is given twice; give it once")


def _both(one: Owners, other: Owners) -> str:
    """An owner that is among both, or nothing."""
    if isinstance(one, str) and isinstance(other, str):
        return one if one == other else ""
    if isinstance(one, str) or isinstance(other, str):
        guests = other if isinstance(one, str) else one
        return guests[0] if "all" in (one, other) else ""
    return next((guest for guest in one if guest in other), "")
