"""The JSON schemas in docs/schema, and the commands whose output they describe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chyves.command import Command

PLACE = Path(__file__).parents[1] / "docs" / "schema"
SCHEMAS: dict[str, Any] = {path.stem: json.loads(path.read_text()) for path in sorted(PLACE.glob("*.json"))}


def title(row: Command) -> str:
    """A row of the table of commands as a schema's x-commands names it."""
    return " ".join(word if isinstance(word, str) else f"<{word.name}>" for word in row.words)


def of(row: Command) -> list[Any]:
    """The schemas of what a command prints, of which its output keeps to one."""
    return [schema for schema in SCHEMAS.values() if title(row) in schema["x-commands"]]


def closed(schema: Any) -> Any:
    """The schema with no keys allowed but those that it names: chyves prints none that is not described."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if schema.get("type") == "object" else inner


def objects(schema: Any) -> Iterator[Any]:
    """Every object that a schema describes, itself too."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
