"""`zfs list`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from chyves.lab.zfs import choose, datasets, properties, values
from chyves.lab.zfs.choose import Choice
from chyves.lab.zfs.datasets import DATASETS, SNAPSHOT, Dataset
from chyves.lab.zfs.options import Options
from chyves.lab.zfs.properties import INDEX, NUMBER, Property
from chyves.lab.zfs.refusals import BadUsage
from chyves.lab.zfs.state import State
from chyves.lab.zfs.values import Values

Column = Property | str
_COLUMNS = "name,used,available,referenced,mountpoint"
_LONGEST_NUMBER = 5
JSON = {"json": "j", "json-int": "J"}


def list_(state: State, words: Sequence[str]) -> int:
    """zfs list."""
    release = state.lab.release
    json = properties.at_least(release, "15.0")
    options = Options(words, "HS:d:o:prs:t:" + "j" * json, long=JSON if json else None)
    text = options.last("o") or ("" if "o" in options else _COLUMNS)
    order = []
    for letter, word in options.given:
        if letter in "sS":
            order.append((_sort_column(release, word), letter == "S"))
        check(release, letter, word, "list")
    try:
        columns = values.parse_columns(release, _all_columns(release) if text == "all" else text)
    except ValueError as why:
        raise BadUsage(str(why)) from None
    choice = _choose(state, options, text)
    worth = Values(state, values.needed([*columns, *(column for column, _ in order)]))
    found = _sorted(choice.found, order, worth)
    if "j" in options:
        from chyves.lab.zfs import json_form

        json_form.print_list(state, found, columns, worth, "p" in options, "J" in options)
    else:
        _print(found, columns, worth, exact="p" in options, scripted="H" in options)
    if not found and not choice.failed and "H" not in options and "j" not in options:
        print("no datasets available", file=sys.stderr)
    return 1 if choice.failed else 0


def check(release: str, letter: str, word: str, command: str) -> None:
    """Refuse a wrong type or depth: zfs(8) looks at its options in the order in which they are given."""
    if letter == "t":
        choose.types(release, word, command)
    elif letter == "d":
        choose.depth(word)


def _choose(state: State, options: Options, text: str) -> Choice:
    asked = options.last("t")
    kinds = choose.types(state.lab.release, asked, "list") if asked is not None else set(DATASETS)
    if text == "space" and asked is None:
        kinds.discard(SNAPSHOT)
    most = choose.depth(options.last("d"))
    if most is None and "r" not in options and options.operands:
        lone = kinds == {SNAPSHOT} or kinds == {datasets.BOOKMARK}
        most = 1 if lone else 0
    return Choice(state, options.operands, kinds, most, snapshots_too=asked is None)


def _all_columns(release: str) -> str:
    return ",".join(["name", *(row.name for row in properties.table(release).values() if row.visible)])


def _sort_column(release: str, word: str) -> Column:
    row = properties.look_up(release, word)
    if not row and not properties.is_user(word):
        raise BadUsage(f"invalid property '{word}'")
    return row or word


def _sorted(found: Sequence[Dataset], order: Sequence[tuple[Column, bool]], worth: Values) -> list[Dataset]:
    """By the first column, then the second and so on; a dataset without the property comes last either way."""
    result = list(found)
    for column, downwards in reversed(order):
        keys = {one.id: _key(one, column, worth) for one in result}
        having = [one for one in result if keys[one.id] is not None]
        having.sort(key=lambda one: keys[one.id] or (0, ""), reverse=downwards)
        result = having + [one for one in result if keys[one.id] is None]
    return result


def _key(one: Dataset, column: Column, worth: Values) -> tuple[int, str] | None:
    if isinstance(column, str):
        value, source = worth.user(one, column)
        return None if source == "-" else (0, value)
    raw, _ = worth.raw(one, column)
    if raw is None:
        return None
    number = column.type == NUMBER and raw.isdigit()
    return (int(raw), "") if number else (0, raw)


def cell(one: Dataset, column: Column, worth: Values, exact: bool) -> str:
    """What stands in a column for a dataset; `-` for nothing."""
    if isinstance(column, str):
        if ":" in column.split("@")[0]:
            return worth.user(one, column)[0]
        return worth.since(one, column, exact) or "-"
    shown, _ = worth.shown(one, column, exact)
    return "-" if shown is None else shown


def least_width(column: Column) -> int:
    """How wide a column of `zfs list` is before anything is in it."""
    if isinstance(column, str):
        return len(column)
    width = len(column.column)
    if column.type == NUMBER:
        return max(width, _LONGEST_NUMBER)
    return max([width, *map(len, column.choices)]) if column.type == INDEX else width


def grows(column: Column, exact: bool) -> bool:
    """Whether a column of `zfs list` makes room for what is in it."""
    return isinstance(column, str) or column.flexible or exact


def _print(found: Sequence[Dataset], columns: Sequence[Column], worth: Values, exact: bool, scripted: bool) -> None:
    rows = [[cell(one, column, worth, exact) for column in columns] for one in found]
    if scripted:
        sys.stdout.write("".join("\t".join(row) + "\n" for row in rows))
        return
    if not rows:
        return
    widths = [least_width(column) for column in columns]
    for at, column in enumerate(columns):
        if grows(column, exact):
            widths[at] = max(widths[at], *(len(row[at]) for row in rows))
    right = [_right(column) for column in columns]
    heads = [column.upper() if isinstance(column, str) else column.column for column in columns]
    sys.stdout.write("".join(line(row, widths, right) + "\n" for row in [heads, *rows]))


def _right(column: Column) -> bool:
    return column.right if not isinstance(column, str) else ":" not in column.split("@")[0]


def line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """A row of a table of zfs(8): two spaces between columns, nothing after a last one that is aligned left."""
    last = len(cells) - 1
    return "  ".join(
        text.rjust(widths[at]) if right[at] else text if at == last else text.ljust(widths[at])
        for at, text in enumerate(cells)
    )
