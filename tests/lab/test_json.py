"""What commands really print with --json, held to the schemas in docs/schema."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from chyves.command import Arg, Command, Many
from chyves.commands import COMMANDS
from chyves.lab import create, destroy
from chyves.lab.place import Lab
from tests.host_commands import environment, free_port
from tests.json_schemas import closed, of, title

jsonschema: Any = import_module("jsonschema")

SETUP = (
    "dataset zroot install",
    "dataset tank install",
    "web1,web2 create 1G",
    "db create 1G tank",
    "iso import {file}",
    "firmware import {file}",
    "web1 set agent=yes groups=web,all-night description=front notes=old",
    "web1 set loader=uefi uefi_firmware=image.fd uefi_console_output=vnc uefi_vnc_port={port}",
    "web1 disk add 1G",
    "web1 snapshot",
    "web1 start",
    "web1 set cpu=2",
    "db clone db2 -cu",
    "network bridge0 join tap300",
)
WORDS = {"guest": "web1", "owner": "web1", "kind": "iso", "property": "all"}
FURTHER = {
    "info": ("info -a", "info -bsk", "info"),
    "list": ("list",),
    "list <property>": ("list cpu", "list description", "list net_ifaces", "list pcidev_0"),
    "list global <pool>": ("list global", "list global tank"),
    "<kind> list": ("iso list", "firmware list"),
    "<owner> get <property>": (
        "all get all",
        "global get all",
        "defaults get all",
        "web1,web2 get ram",
        "web1 get cpu",
    ),
    "<guest> status": ("all status",),
    "top <guest>": ("top -b --every 1",),
    "explain <guest> <iso>": ("explain web1", "explain web1 --config"),
    "<owner> log <lines>": ("web1 log", "global log 3"),
    "events": ("events", "events --since 1h"),
    "<guest> console vnc": ("web1 console vnc", "all console vnc"),
    "upgrade check <source>": ("upgrade check {file}",),
}
"""Lines of commands beside, or instead of, the plainest one."""

ROWS = [row for row in COMMANDS if row.json]


@pytest.fixture(scope="module")
def peopled() -> Iterator[Lab]:
    """A lab that has something of each kind."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top), "14.3")
    lab = Lab.open(top)
    subprocess.run([lab.bin / "zpool", "create", "tank", "/dev/ada2"], check=True)
    image = top / "image.fd"
    image.write_bytes(b"0.1\n".ljust(1 << 21, b"\0"))
    for line in SETUP:
        done = run(lab, line.format(file=image, port=free_port()).split())
        assert done.returncode == 0, f"{line}: {done.stderr}"
    yield lab
    run(lab, ["web1", "stop", "force"])
    destroy.destroy(str(top), yes=True)
    shutil.rmtree(top, ignore_errors=True)


def run(lab: Lab, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chyves", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**environment(lab), "CHYVES_LAB_GUEST": "hollow"},
        timeout=120,
    )


def plainest(row: Command) -> str:
    """The shortest line of a row."""
    needed = (word for word in row.words if isinstance(word, str) or word.many in (Many.ONE, Many.SOME))
    return " ".join(WORDS[word.name] if isinstance(word, Arg) else word for word in needed)


@pytest.mark.parametrize("row", ROWS, ids=title)
def test_output_keeps_to_its_schema(row: Command, peopled: Lab) -> None:
    lines = FURTHER.get(title(row)) or (plainest(row),)
    lists: list[Any] = []
    for line in lines:
        done = run(peopled, [*line.format(file=peopled.top / "image.fd").split(), "--json"])
        by_line = any(schema.get("x-lines") for schema in of(row))
        for told in map(json.loads, done.stdout.splitlines() if by_line else [done.stdout]):
            problems = [_problem(schema, told) for schema in of(row)]
            assert "" in problems, f"{line}: {problems}"
            lists += [told] if by_line else [value for value in told.values() if isinstance(value, list) and value]
    assert lists, "nothing was listed that could have been wrong"


def _problem(schema: Any, told: Any) -> str:
    """The first thing that is wrong with an output, or nothing."""
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(closed(schema)).iter_errors(told))
    return "" if error is None else f"{schema['title']}: {error.json_path}: {error.message}"


def test_schemas_are_schemas() -> None:
    for row in ROWS:
        for schema in of(row):
            jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "told",
    [
        {"version": 2, "groups": []},
        {"version": 1, "groups": [{"group": "web"}]},
        {"version": 1, "groups": [{"group": "web", "guests": "web1"}]},
        {"version": 1, "groups": [{"group": "web", "guests": [], "colour": "red"}]},
        {"version": 1},
    ],
)
def test_what_is_wrong_is_seen(told: object) -> None:
    (row,) = (row for row in ROWS if title(row) == "list groups")
    assert all(_problem(schema, told) for schema in of(row))
