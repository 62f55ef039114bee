"""Run inside a ZFS machine: dialogues of tests/lab/dialogues on a lab whose pools are real (`--zfs real`).

The text that the lab's own ZFS gave is what the real one has to give, letter by letter.
"""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab import create, destroy
from chyves.lab.place import SETTINGS, Lab
from tests.lab.dialogues.session import play, read, text
from tests.zfs.inside import forks

HERE = Path(__file__).parents[2] / "lab/dialogues"
FILES = sorted(HERE.glob("*.txt"))


@pytest.fixture
def real_lab() -> Iterator[Lab]:
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top), zfs="real")
    yield Lab.open(top)
    if (top / SETTINGS).exists():
        destroy.destroy(str(top), yes=True)
    shutil.rmtree(top, ignore_errors=True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dialogue_on_real_zfs(file: Path, real_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = read(file)
    forks.use(monkeypatch)
    with tempfile.TemporaryDirectory(prefix="d") as place:
        now = list(play(steps, real_lab, Path(place)))
    said, expected = text(now), text(steps)
    difference = difflib.unified_diff(expected.splitlines(), said.splitlines(), file.name, "now", lineterm="")
    assert said == expected, "\n" + "\n".join(difference)
