"""`zfs get`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chyves.lab.zfs import choose, listing, properties, values
from chyves.lab.zfs.choose import Choice
from chyves.lab.zfs.datasets import BOOKMARK, DATASETS, SNAPSHOT, Dataset
from chyves.lab.zfs.listing import Column
from chyves.lab.zfs.options import Options, argument_missing
from chyves.lab.zfs.refusals import BadUsage
from chyves.lab.zfs.state import State
from chyves.lab.zfs.values import Values

_FIELDS = ("name", "property", "value", "received", "source")
_USUAL = ("name", "property", "value", "source")
_SOURCES = ("local", "default", "inherited", "received", "temporary", "none")


class Row(NamedTuple):
    """One property of one dataset."""

    name: str
    property: str
    value: str
    source: str
    received: str = "-"


def get(state: State, words: Sequence[str]) -> int:
    """zfs get."""
    release = state.lab.release
    json = properties.at_least(release, "15.0")
    options = Options(words, "d:o:s:rt:Hp" + "j" * json, argument_missing, listing.JSON if json else None)
    fields: tuple[str, ...] = _USUAL
    sources = set(_SOURCES)
    for letter, word in options.given:
        fields = _fields(word) if letter == "o" else fields
        sources = _wanted_sources(word) if letter == "s" else sources
        listing.check(release, letter, word, "get")
    asked = options.last("t")
    kinds = choose.types(release, asked, "get") if asked is not None else {*DATASETS, BOOKMARK}
    if not options.operands:
        raise BadUsage("missing property argument")
    text, *operands = options.operands
    columns = _columns(release, text)
    choice = Choice(state, operands, kinds, _depth(options, kinds, operands), snapshots_too=False)
    worth = Values(state, None if columns is None else values.needed(columns))
    rows = {
        one: [row for row in _rows(one, columns, worth, release, "p" in options) if _kind(row.source) in sources]
        for one in choice.found
    }
    if "j" in options:
        from chyves.lab.zfs import json_form

        json_form.print_get(state, rows, "J" in options)
    else:
        _print([row for one in rows.values() for row in one], fields, columns, release, options)
    return 1 if choice.failed else 0


def _depth(options: Options, kinds: set[str], operands: Sequence[str]) -> int | None:
    most = choose.depth(options.last("d"))
    if most is not None or "r" in options or not operands:
        return most
    return 1 if operands and kinds in ({SNAPSHOT}, {BOOKMARK}) else 0


def _columns(release: str, text: str) -> list[Column] | None:
    if text == "all":
        return None
    try:
        return values.parse_columns(release, text)
    except ValueError as why:
        raise BadUsage(str(why)) from None


def _fields(text: str) -> tuple[str, ...]:
    words = text.split(",")
    for at, word in enumerate(words):
        if at == len(_FIELDS):
            raise BadUsage("too many fields given to -o option")
        if word == "all" and at:
            raise BadUsage('"all" conflicts with specific fields given to -o option')
        if word not in (*_FIELDS, "all"):
            raise BadUsage(f"invalid column name '{word}'")
    return _FIELDS if words == ["all"] else tuple(words)


def _wanted_sources(text: str) -> set[str]:
    for word in text.split(","):
        if word not in _SOURCES:
            raise BadUsage(f"invalid source '{word}'")
    return set(text.split(","))


def _kind(source: str) -> str:
    return "none" if source == "-" else source.split(" ")[0]


def _rows(one: Dataset, columns: list[Column] | None, worth: Values, release: str, exact: bool) -> Iterator[Row]:
    asked: Sequence[Column] = columns if columns is not None else _everything(one, worth, release)
    for column in asked:
        if isinstance(column, str):
            yield _user_row(one, column, worth, exact)
            continue
        shown, source = worth.shown(one, column, exact)
        if shown is None and columns is None:
            continue
        received = worth.received(one, column.name, exact)
        yield Row(one.name, column.name, "-" if shown is None else shown, source, received)


def _everything(one: Dataset, worth: Values, release: str) -> list[Column]:
    natives = [row for row in properties.table(release).values() if row.visible]
    return [*natives, *worth.user_names(one)]


def _user_row(one: Dataset, word: str, worth: Values, exact: bool) -> Row:
    if properties.is_user(word):
        value, source = worth.user(one, word)
        return Row(one.name, word, value, source, worth.received(one, word, exact))
    counted = worth.since(one, word, exact)
    return Row(one.name, word, counted or "-", "local" if counted else "-")


def _print(
    rows: Sequence[Row], fields: Sequence[str], columns: list[Column] | None, release: str, options: Options
) -> None:
    if "H" in options:
        sys.stdout.write("".join("\t".join(getattr(row, field) for field in fields) + "\n" for row in rows))
        return
    if not rows:
        return
    widths = {field: len(field) for field in _FIELDS}
    widths["property"] = max([8, *(len(row.property) for row in rows), *_names(columns, release)])
    widths["value"] = max([5, *(len(row.value) for row in rows), *_widths(columns, release)])
    longest = max(len(row.name) for row in rows)
    if longest > widths["name"]:
        widths["name"] = longest
        widths["source"] = longest + len("inherited from")
    lines = [[field.upper() for field in fields], *([getattr(row, field) for field in fields] for row in rows)]
    wide, left = [widths[field] for field in fields], [False] * len(fields)
    sys.stdout.write("".join(listing.line(one, wide, left) + "\n" for one in lines))


def _shown_columns(columns: list[Column] | None, release: str) -> list[Column]:
    return list(properties.table(release).values()) if columns is None else columns


def _names(columns: list[Column] | None, release: str) -> list[int]:
    return [len(one if isinstance(one, str) else one.name) for one in _shown_columns(columns, release)]


def _widths(columns: list[Column] | None, release: str) -> list[int]:
    return [listing.least_width(one) for one in _shown_columns(columns, release)]
