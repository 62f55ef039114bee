"""What commands tell line by line, as it comes: as text for people, as JSON lines, with tabs for scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from chyves.cli.tables import VERSION, Row, Value

Pause = Callable[[float], None]
"""Waits so many seconds between two looks at what is followed."""


@dataclass(frozen=True)
class Item:
    """What has come: the text with which it is shown, and its values by key."""

    text: str
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Stream:
    """Items as they come; `follows` says that they have no end, but for Ctrl-C. `columns` are the keys for scripts."""

    items: Callable[[Pause], Iterator[Item]]
    columns: tuple[str, ...]
    follows: bool = False

    def shown(self, item: Item, json: bool, headless: bool) -> str:
        """An item in the form that was asked for."""
        if json:
            return json_line(item.values)
        if headless:
            row = Row(item.values)
            return "\t".join(row.text(key) or "-" for key in self.columns) + "\n"
        return item.text


def json_line(values: Mapping[str, Value]) -> str:
    """An object on one line."""
    import json

    return json.dumps({"version": VERSION, **values}) + "\n"
