"""What `--dry-run` prints, pasted into sh, does what the command does: for every command that changes something."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chyves.cli.parser import parse
from chyves.command import Command
from chyves.commands import COMMANDS
from tests.host_commands import environment
from tests.json_schemas import title
from tests.torture.house import House, State, a_house, same, state, until
from tests.torture.operations import EXPORT, FILE, OF_AGENTS, OPERATIONS
from tests.torture.trial import Operation, Prepared

FURTHER = {
    "delete force all": Operation(("all", "delete", "force", "--yes")),
    "start with a seed": Operation(("a", "start"), (("a", "set", "cloudinit=cd"),)),
    "import what nobody has": Operation(
        ("import", FILE), (("network", "a", "remove", "tap50"), EXPORT, ("a", "delete", "--yes"))
    ),
    "start by grub-bhyve": Operation(("a", "start"), (("a", "set", "loader=grub-bhyve"),)),
}
ALIKE = (
    "clone -ie",
    "clone a template",
    "clone to a pool",
    "clone with variables",
    "create on a pool",
    "create with a preset",
    "delete a clone",
    "delete force",
    "disk description",
    "disk resize image",
    "import",
    "rollback to a tap of another",
    "template",
    "unset on many",
)
"""Operations whose lines are of the same kind as those of another one of the same command: they take long.

Which properties an imported guest cannot keep is known once it is received, and is not in the lines.
"""
OF_THE_AGENT = ("<guest> agent freeze <seconds>", "<guest> agent shutdown", "<guest> agent thaw", "<guest> agent time")
APART = dict.fromkeys(OF_THE_AGENT, "its lines wait as long as an agent may be silent; tests/lab/dialogues has them")
ALL = {name: operation for name, operation in OPERATIONS.items() if name not in (*ALIKE, *OF_AGENTS)} | FURTHER
SUPERVISED = ("start", "start by grub-bhyve", "start with a seed", "boot")
"""Of these the last line is bhyve, which the supervisor runs: that, and what it writes down, is not in the lines."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


def seen(house: House, name: str) -> State:
    """All that is there, with the files of what runs and the locks of sessions."""
    found = state(house)
    places = (house.lab.root / "var/run/chyves", house.lab.root / "var/spool/lock")
    files = (path for place in places for path in place.rglob("*") if path.is_file() and path.suffix != ".lock")
    found |= {f"{path} is there": "" for path in files}
    return {key: value for key, value in found.items() if name not in SUPERVISED or "/run/chyves" not in key}


@contextmanager
def pasted(house: House, name: str, lines: str) -> Iterator[None]:
    """Lines that have been given to sh; of a start, whose last does not end, they have come as far as that."""
    words, place = ["sh", "-e"], environment(house.lab)
    if name not in SUPERVISED:
        done = subprocess.run(words, input=lines, text=True, capture_output=True, env=place, cwd="/", timeout=60)
        assert done.returncode == 0, f"{lines}\n{done.stderr}"
        yield
        return
    with subprocess.Popen([*words, "-c", lines], env=place, cwd="/", start_new_session=True) as shell:
        until(lambda: any(key.startswith("process bhyve: ") for key in state(house)))
        yield
        house.quiet()
        shell.wait(60)


@pytest.mark.parametrize("name", ALL)
def test_pasted(house: House, name: str) -> None:
    """The state after is the same, and a dry run itself changes nothing. What the lines set off is waited for."""
    prepared = Prepared(house, name, ALL[name])
    if prepared.live:
        prepared.go_back()
    house.done(*prepared.words)
    wanted = seen(house, name)
    prepared.go_back()
    before = seen(house, name)
    lines = house.done(*prepared.words, "--dry-run")
    print(lines)
    same(seen(house, name), before)
    with pasted(house, name, lines):
        if prepared.live or name in SUPERVISED:
            until(lambda: seen(house, name) == wanted)
        same(seen(house, name), wanted)
    assert wanted != before
    house.forget(f"trial {name}")


def _row(operation: Operation) -> Command:
    return parse(operation.words).command


def test_every_command_that_changes_something_is_pasted_or_has_its_reason() -> None:
    """A new row needs an operation (here, or in tests.torture.operations), or a reason why it has none."""
    covered = {title(_row(operation)) for operation in ALL.values()}
    assert {title(row) for row in COMMANDS if row.changes} - covered == set(APART)
    assert not set(APART) & covered and all(APART.values())
    assert {title(_row(OPERATIONS[name])) for name in ALIKE} <= covered
