"""What commands tell, as a table: aligned for people, with tabs for scripts, as JSON for programs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool | None | list["Value"]

GAP = "  "
INDENT = "  "
NOTHING = "-"
VERSION = 1
"""Of the JSON: raised when a key changes its meaning or goes."""


@dataclass(frozen=True)
class Column:
    """A column: the key of its values, its head, and whether it stands at the right."""

    key: str
    head: str
    right: bool = False


@dataclass(frozen=True)
class Row:
    """A line: values by key; `shown` is how a value is shown where its own text is not it; `children` are lines below.

    Rows of a kind that has children give a tuple, also an empty one, so that JSON has the same keys for each. `depth`
    is how far a row of a tree stands in, for people: JSON and scripts have a column that names what it is below.
    """

    values: Mapping[str, Value]
    shown: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Row, ...] | None = None
    depth: int = 0

    def text(self, key: str) -> str:
        """What stands in the column of a key: one line, empty where the row has no such value."""
        if key in self.shown:
            return _one_line(self.shown[key])
        return _one_line(_text(self.values[key])) if key in self.values else ""


@dataclass(frozen=True)
class Table:
    """Lines under heads. In JSON it is the list `name`, and a row's children are its list `nest`.

    `cut` shortens lines to the terminal, `paged` shows them through a pager, `bare` shows the last column alone with no
    head, for scripts that ask for one value. `told` are the lines that people are shown instead. `failed` is what is
    told on stderr after it, with status 1.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    nest: str = "disks"
    cut: bool = False
    paged: bool = False
    bare: bool = False
    told: tuple[str, ...] | None = None
    failed: str = ""


def plain(table: Table, width: int | None = None) -> str:
    """Aligned columns under their heads, children indented; lines are cut to `width` cells of the terminal."""
    if table.told is not None:
        return "".join(f"{_one_line(line)}\n" for line in table.told)
    if table.bare:
        return "".join(f"{row.text(table.columns[-1].key)}\n" for row in table.rows)
    lines = [[column.head for column in table.columns]]
    for row in table.rows:
        lines.append(_indented([row.text(column.key) for column in table.columns], row.depth))
        lines.extend(_indented([child.text(column.key) for column in table.columns], 1) for child in row.children or ())
    widths = [max(map(cells, column)) for column in zip(*lines, strict=True)]
    aligned = (_aligned(line, widths, table.columns) for line in lines)
    return "".join(f"{(line if width is None else cut(line, width)).rstrip()}\n" for line in aligned)


def tabs(table: Table) -> str:
    """One line a row with tabs between the columns and no heads; a child's first column is `parent/child`."""
    lines = []
    for row in table.rows:
        line = [row.text(column.key) for column in table.columns]
        lines.append(line)
        for child in row.children or ():
            first, *others = (child.text(column.key) for column in table.columns)
            lines.append([f"{line[0]}/{first}", *others])
    return "".join("\t".join(text or NOTHING for text in line) + "\n" for line in lines)


def json_text(table: Table) -> str:
    """`{"version": 1, NAME: [...]}`, with the values as they are and None as null."""
    return _json({"version": VERSION, table.name: objects(table)})


def objects(table: Table) -> list[dict[str, object]]:
    """The rows as JSON has them."""
    return [_tree(table, row) for row in table.rows]


def json_of_text(text: str) -> str:
    """`{"version": 1, "text": ...}`, for what a command tells in words."""
    return _json({"version": VERSION, "text": text})


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2) + "\n"


def _tree(table: Table, row: Row) -> dict[str, object]:
    below = {} if row.children is None else {table.nest: [dict(child.values) for child in row.children]}
    return {**row.values, **below}


def cells(text: str) -> int:
    """How many cells of a terminal a text takes: two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """The beginning of a text that fits into so many cells."""
    if cells(text) <= width:
        return text
    return "".join(_fitting(text, width))


def _fitting(text: str, width: int) -> Iterator[str]:
    for character in text:
        width -= _cells_of(character)
        if width < 0:
            return
        yield character


def _indented(line: list[str], depth: int) -> list[str]:
    return [INDENT * depth + line[0], *line[1:]]


def _aligned(line: list[str], widths: list[int], columns: tuple[Column, ...]) -> str:
    return GAP.join(
        " " * (width - cells(text)) + text if column.right else text + " " * (width - cells(text))
        for text, width, column in zip(line, widths, columns, strict=True)
    )


def _text(value: Value) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value)) or NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NOTHING if value is None or value == "" else str(value)


def _one_line(text: str) -> str:
    """The text with what would break a line or a terminal as a backslash and its code."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
