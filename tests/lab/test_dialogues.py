"""Dialogues of every command on a lab: the files in dialogues/ (session.py says how they are written).

After a change on purpose: pytest tests/lab/test_dialogues.py --rewrite-golden, then look at the difference.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from chyves.cli.parser import Request, general_options, parse
from chyves.command import Command, Many
from chyves.commands import COMMANDS, HEADLESS
from chyves.doctor.look import look
from chyves.errors import UsageError
from chyves.host.machine import Host
from chyves.lab.place import Lab
from tests.host_commands import environment
from tests.lab.dialogues.session import Step, play, read, text

FOUND = "# doctor finds: "
LOOKED_AT = (
    "03-create",
    "05-start-and-stop",
    "08-disks",
    "09-network",
    "10-delete",
    "15-snapshots",
    "17-rename-resources",
    "22-own-network",
    "31-clones",
    "32-promote",
    "33-rename",
    "34-templates",
    "35-upgrade",
    "37-move",
)
"""Dialogues after which doctor finds nothing, but for what they leave on purpose and say in their last line."""

RELEASE = re.compile(r"# On FreeBSD ([0-9.]+)")
"""How a dialogue begins that is on another release than most."""

FILES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dialogue(file: Path, new_lab: Callable[..., Lab], pytestconfig: pytest.Config) -> None:
    steps = read(file)
    release = RELEASE.match(file.read_text())
    lab = new_lab(release[1]) if release else new_lab()
    played = [step for step in steps if not step.line.startswith(FOUND)]
    with tempfile.TemporaryDirectory(prefix="d") as place:
        now = [*play(played, lab, Path(place)), *(found_by_doctor(lab) if file.stem in LOOKED_AT else ())]
    if pytestconfig.getoption("--rewrite-golden"):
        file.write_text(text(now))
        return
    difference = difflib.unified_diff(text(steps).splitlines(), text(now).splitlines(), file.name, "now", lineterm="")
    assert text(steps) == text(now), "\n" + "\n".join(difference)


def found_by_doctor(lab: Lab) -> list[Step]:
    """The last line of a dialogue that leaves something, on purpose, which does not fit."""
    kinds = {finding.kind.name for finding in look(Host.open(environment(lab))).findings}
    return [Step(f"{FOUND}{', '.join(sorted(kinds))}")] if kinds else []


Said = tuple[Request, Step]


@cache
def said_of() -> dict[Command, list[Said]]:
    """The steps of all dialogues that chyves understands, by the row of the table that they are."""
    found: dict[Command, list[Said]] = {row: [] for row in COMMANDS}
    for step in steps_of_all():
        if step.words is not None:
            try:
                request = parse(step.words)
            except UsageError:
                continue
            found[request.command].append((request, step))
    return found


def steps_of_all() -> Iterator[Step]:
    return (step for file in FILES for step in read(file))


def succeeded(row: Command) -> list[Said]:
    return [said for said in said_of()[row] if said[1].status == 0]


def title(row: Command) -> str:
    return " ".join(word if isinstance(word, str) else f"<{word.name}>" for word in row.words)


rows = pytest.mark.parametrize("row", COMMANDS, ids=title)


@rows
def test_each_command_has_a_dialogue(row: Command) -> None:
    assert succeeded(row), "no dialogue has it"


UNSEEN = ("agent time", "export")
"""What changes nothing that a dialogue looks at: tests/boot/test_agent.py sees the clock of a guest, and
tests/lab/test_export.py what is in the file of one."""


@rows
def test_what_changes_is_seen_to_change_to_be_repeated_and_to_be_refused(row: Command) -> None:
    said = said_of()[row]
    if not row.changes:
        return
    seen = row.name in UNSEEN or any(step.changes for _, step in said)
    assert seen, "no dialogue sees it change anything"
    lines = [step.line for _, step in said]
    assert len(set(lines)) < len(lines), "no dialogue says it twice"
    assert any(step.status == 1 for _, step in said), "no dialogue has it refused"


@rows
def test_each_form_of_a_command_is_in_a_dialogue(row: Command) -> None:
    wanted = set(forms(row))
    assert wanted, "a row has at least its plain form"
    had = {form for request, _ in succeeded(row) for form in forms_in(request)}
    assert not wanted - had, f"no dialogue has it with {sorted(wanted - had)}"


def forms(row: Command) -> Iterator[str]:
    """The ways in which a command can be said, by the table."""
    yield "nothing further"
    yield from (option for option in general_options(row) if option != "--yes")
    yield from (option.name for option in row.options)
    for arg in row.args:
        yield from arg.instead
        yield from arg.choices
        if arg.split:
            yield f"several {arg.name}s"
        if arg.many is Many.OPTIONAL:
            yield f"the {arg.name}"
            yield f"no {arg.name}"


def forms_in(request: Request) -> Iterator[str]:
    """The ways in which a command was said."""
    flags = ("--dry-run", request.dry_run), ("--json", request.json), (HEADLESS.name, request.headless)
    given = [name for name, there in flags if there]
    options = request.options
    given += [
        option.name
        for option in request.command.options
        if (options.get(option.key) == option.name if option.group else options.get(option.key))
    ]
    yield from given or ["nothing further"]
    for arg in request.command.args:
        value = request.args[arg.name]
        if isinstance(value, str):
            yield from (value, f"the {arg.name}")
        elif value is None:
            yield f"no {arg.name}"
        elif isinstance(value, tuple) and value:
            yield f"several {arg.name}s" if len(value) > 1 else f"the {arg.name}"


def test_what_only_shows_and_what_is_a_dry_run_changes_nothing() -> None:
    for row, said in said_of().items():
        for request, step in said:
            if (request.dry_run and "| sh" not in step.line) or not (row.changes or row.name in ("console", "prompt")):
                assert not step.changes, step.line


def test_what_fails_says_why_and_changes_nothing() -> None:
    for step in steps_of_all():
        if step.words is None or step.status not in (1, 2) or step.words[:2] == ("lab", "shell"):
            continue
        errors = [line for line in step.told if line.startswith("! chyves: ")]
        several = "," in step.words[0] or step.words[0] == "all"
        assert len(errors) == 1 or (several and errors), step.line
        waited = any(word.startswith("--wait") for word in step.words)  # the guest runs, and did not get as far
        # Modules are loaded before the host can be asked what it can do; a place on the bus, once given, is kept.
        changes = [line for line in step.changes if line[2:].split()[0] != "module" and ": pci_slots=" not in line]
        assert not changes or several or waited, step.line
