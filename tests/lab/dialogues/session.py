"""Dialogues: text files that read like an administrator's session, run line by line on a lab and compared whole.

    # says something to the reader
    % zpool create tank /dev/ada1      must succeed and is not looked at further: it prepares
    $ chyves web1 create 1G            is looked at: what follows is all that it says and changes
    > a line on standard output
    ! a line on standard error
    ? 1                                its status, where that is not 0
    - a line of the host's state that is gone (state.py), and
    + one that has come

A line is given to sh in a directory of its own, with the lab's programs in PATH and the lab's directory in $LAB. What
differs from run to run is written as <lab>, <uuid>, <mac>, <serial>, <eui64>, <pid>, <guid>, <date>, <version>,
<password>. Serial numbers that chyves made for new disks are left out of long lines and of what has changed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import chyves
from chyves.lab.place import Lab
from tests.lab.dialogues.state import state

PROPERTY = re.compile(r"([\w.-]+): \w+=.*")
OUTCOME = "> ! ? + -".split()
ROLES = "supervisor|recorder|loader|bhyve"
PROGRAM = (
    f'#!/bin/sh\nPYTHONPATH={Path(chyves.__file__).parent.parent}:$PYTHONPATH exec {sys.executable} -m chyves "$@"\n'
)


@dataclass
class Step:
    """A line of a session; `told` is what it says and changes, as the file has it."""

    line: str
    told: list[str] = field(default_factory=list)

    @property
    def looked_at(self) -> bool:
        return self.line.startswith("$ ")

    @property
    def changes(self) -> list[str]:
        return [line for line in self.told if line[0] in "+-"]

    @property
    def status(self) -> int:
        return next((int(line[2:]) for line in self.told if line.startswith("? ")), 0)

    @property
    def words(self) -> tuple[str, ...] | None:
        """What chyves is given, where the line runs it; nothing of what the shell is to do with its output."""
        line = re.sub(r"^env (-u \w+ |\w+=\S* )*", "", self.line[2:])
        words = shlex.split(re.split(r" 2?[|<>]", line)[0]) if self.looked_at else []
        return tuple(words[1:]) if words[:1] == ["chyves"] else None


def read(file: Path) -> list[Step]:
    """The steps of a file; lines that are not run (comments, blank ones) are steps too, to be kept."""
    steps: list[Step] = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line[:1] in OUTCOME:
            assert steps and steps[-1].looked_at, f"{file.name}:{number}: nothing before this says it"
            steps[-1].told.append(line)
        else:
            assert not line or line[:2] in ("$ ", "% ", "# "), f"{file.name}:{number}: {line}"
            steps.append(Step(line))
    return steps


def text(steps: Sequence[Step]) -> str:
    """The file that has these steps."""
    return "".join(f"{line}\n" for step in steps for line in (step.line, *step.told))


def play(steps: Sequence[Step], lab: Lab, place: Path) -> Iterator[Step]:
    """Run the steps on a lab; each with what it says and changes now. `place` is an empty directory of a short name."""
    environment = _environment(lab, place)
    before: set[str] | None = None
    for step in steps:
        done = Step(step.line)
        if step.line[:2] in ("$ ", "% "):
            before = state(lab) if step.looked_at and before is None else before
            said = subprocess.run(
                ["sh", "-c", step.line[2:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=environment,
                cwd=place / "work",
                timeout=180,
            )
            if step.looked_at:
                now = state(lab)
                done.told = _told(said, lab, place) + _difference(before or set(), now)
                before = now
            else:
                assert said.returncode == 0, f"{step.line}\n{said.stderr}"
                before = None
        yield done


def _environment(lab: Lab, place: Path) -> dict[str, str]:
    (place / "bin").mkdir()
    (place / "work").mkdir()
    program = place / "bin/chyves"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    paths = f"{place / 'bin'}:{lab.bin}:{os.environ['PATH']}"
    own = {"PATH": paths, "LAB": str(lab.top), "CHYVES_LAB": str(lab.top), "CHYVES_LAB_GUEST": "hollow"}
    return {**os.environ, **own, "HOME": str(place / "work"), "TZ": "UTC", "LC_ALL": "C.UTF-8"}


def _told(said: subprocess.CompletedProcess[str], lab: Lab, place: Path) -> list[str]:
    """What a command said, as a file has it."""
    out = [f"> {line}".rstrip() for line in _constant(said.stdout, lab, place).splitlines()]
    err = [f"! {line}".rstrip() for line in _constant(said.stderr, lab, place).splitlines()]
    return out + err + ([f"? {said.returncode}"] if said.returncode else [])


def _difference(before: set[str], after: set[str]) -> list[str]:
    """What has gone and what has come; where a file of properties has gone, one line for all of them."""
    owners = {line.partition(":")[0] for line in after if PROPERTY.match(line)}
    gone = {
        PROPERTY.sub(r"\1: all its properties", line)
        if PROPERTY.match(line) and line.partition(":")[0] not in owners
        else line
        for line in before - after
    }
    lines = [(_regular(line), "-") for line in gone] + [(_regular(line), "+") for line in after - before]
    return [f"{mark} {line}" for line, mark in sorted(lines, key=lambda pair: (pair[0], pair[1] == "+"))]


def _constant(said: str, lab: Lab, place: Path) -> str:
    """The text without what differs from run to run; columns whose width depends on that are closed up."""
    said = said.replace(str(lab.top), "<lab>").replace(str(place / "work"), "<here>")
    regular = _regular(said)
    varies = "<lab>" in regular or "<pid>" in regular or "<version>" in regular
    return re.sub(r"(?<=\S) {2,}(?=\S)", "  ", regular) if varies else regular


def _regular(said: str) -> str:
    said = said.replace(sys.executable, "<python>")
    for pattern, name in (
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b58:9c:fc(:[0-9a-f]{2}){3}\b", "<mac>"),
        (r"(?: disk\d+_serial|,ser)=CHY-[0-9A-F]{16}\b", ""),
        (r"(?<=eui64=)0x(?!0100[0-9a-f]{4}20)[0-9a-f]{10}fc9c58\b", "<eui64>"),
        (r"\bCHY-[0-9A-F]{16}\b|\bBHYVE(-[0-9A-F]{4}){3}\b", "<serial>"),
        (r"\b20\d{2}-\d\d-\d\d \d\d:\d\d\b|\b20\d{6}-\d{4}(\.?\d\d)?\b", "<date>"),
        (r"\b20\d{2}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?[+-]\d{4}\b", "<date>"),
        (r'(?<="by": )"\w+"', '"<somebody>"'),
        (r'(?m)(?<=, by )\w+(?="\}$)', "<somebody>"),
        (r"(?m)^(<date>\t\w+\t\S+\t)\w+$", r"\1<somebody>"),
        (r"(?<=password=)[A-Za-z0-9]{8}\b", "<password>"),
        (rf"(?<!pci\.){re.escape(chyves.__version__)}", "<version>"),
        (r'(?<=YES \()\d+(?=\))|(?<=process )\d+|(?<="running": )\d+', "<pid>"),
        (rf"(?m)(?<=[ \t])({ROLES})([ \t]+)\d+([ \t]+)\d+:[\d.]+([ \t]+)[\d.]+[KMG]?\b", r"\1\2<pid>\3<cpu>\4<memory>"),
        (r'(?<="pid": )\d+', "<pid>"),
        (r'(?<="cpu_seconds": )[\d.]+', "<cpu>"),
        (r'(?<="memory": )\d+', "<memory>"),
        (r"(chyves\.guests\.watch guest=\S+) bhyve=\d+ lock=\d+", r"\1 bhyve=<pid> lock=<number>"),
        (r"(?<=chyves:moving=)\d+", "<guid>"),
        (r"(?m), by \w+$", ", by <somebody>"),
        (r"(ssh -L \S+) \S+,", r"\1 <host>,"),
        (r"\b\w+ on pts/\d+ \(process", "<somebody> (process"),
        (r"\b\w+ \(process", "<somebody> (process"),
        (r"(?<=kill -s TERM )\d+|(?<=kill -s USR1 )\d+", "<pid>"),
    ):
        said = re.sub(pattern, name, said)
    return said
