"""The schemas of the JSON: there is one for each command that prints any, and they say what every key is."""

from __future__ import annotations

import re

import pytest

from chyves.cli.tables import VERSION
from chyves.command import Command
from chyves.commands import COMMANDS, HEADLESS
from tests.json_schemas import PLACE, SCHEMAS, objects, of, title

LISTS = [row for row in COMMANDS if row.json]


@pytest.mark.parametrize("row", LISTS, ids=title)
def test_each_command_with_json_has_a_schema(row: Command) -> None:
    assert of(row), f"describe its keys in a file of {PLACE} whose x-commands has {title(row)!r}"


@pytest.mark.parametrize("row", LISTS, ids=title)
def test_each_command_with_json_has_a_form_for_scripts(row: Command) -> None:
    assert HEADLESS in row.options


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_describes_each_key_of_a_command_there_is(name: str) -> None:
    schema = SCHEMAS[name]
    assert set(schema["x-commands"]) <= {title(row) for row in LISTS}
    assert schema["properties"]["version"] == {"const": VERSION}
    for one in objects(schema):
        assert set(one["required"]) <= set(one["properties"])
        for key, described in one["properties"].items():
            assert re.fullmatch(r"[a-z][a-z0-9_]*", key)
            assert one is schema or described["description"].endswith(".")


def test_readme_names_the_version() -> None:
    assert f"`version` is {VERSION}." in (PLACE / "README.md").read_text()
