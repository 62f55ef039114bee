"""What the code itself must be for docs/security.md to be true: no shell, no archives, and tests that are there."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chyves.guests import running, tmux
from chyves.resources import unpack

HOUSE = Path(__file__).parents[2]
PRODUCT = [path for path in sorted((HOUSE / "chyves").rglob("*.py")) if "lab" not in path.relative_to(HOUSE).parts]

FORBIDDEN = {
    "os.system", "os.popen", "os.execl", "os.execlp", "os.spawnl", "os.spawnlp", "subprocess.getoutput",
    "subprocess.getstatusoutput", "subprocess.call", "eval", "exec", "compile", "pickle.loads", "pickle.load",
    "marshal.loads", "tempfile.mktemp", "yaml.load",
}  # fmt: skip
ARCHIVES = {"tarfile", "zipfile", "shutil.unpack_archive", "pickle", "marshal", "shelve", "yaml"}
STARTERS = {"os.execve", "os.posix_spawn", "subprocess.Popen", "sh.Command"}
STARTS = ("bounded", "children", "detached", "pipeline", "run")
MAY_START = {*(f"host/{name}.py" for name in STARTS), "guests/life.py"}
"""The only modules that start programs, and do so with a list of words."""


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """The calls in a module, by what is called as it is written."""
    found = ast.walk(ast.parse(path.read_text()))
    return [(ast.unparse(node.func), node) for node in found if isinstance(node, ast.Call)]


def test_nothing_is_given_to_a_shell_or_made_into_code() -> None:
    starts = set()
    for path in PRODUCT:
        for name, call in calls(path):
            assert name not in FORBIDDEN, f"{path}: {name}"
            given = [word for word in call.keywords if word.arg == "shell" and name != "shellcode"]
            assert not given, f"{path}: {name}"
            if name in STARTERS:
                starts.add(str(path.relative_to(HOUSE / "chyves")))
    assert starts == MAY_START


def test_no_archive_is_read_whose_members_could_lead_out_of_a_dataset() -> None:
    """Images come packed as one stream (gz, xz), which has no names, links or devices in it."""
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            modules = {*names, node.module or ""} if isinstance(node, ast.ImportFrom) else set(names)
            assert not modules & ARCHIVES, path
    assert unpack.__doc__


@pytest.mark.parametrize("name", ["web1", "$(touch x)", "a; touch x", "a'b", "-x", "a`touch x`b"])
def test_the_line_that_tmux_gives_to_a_shell_has_a_guests_name_as_one_word(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that no guest can have, should ZFS ever show one."""
    monkeypatch.setattr(running, "living", lambda host, name: None)
    host: Any = SimpleNamespace(run=SimpleNamespace(user={"SHELL": "/bin/my sh;x"}))
    _, split, keys = tmux._window(host, name, begin=True)
    words = shlex.split(split[-1], posix=True)
    assert words[words.index("console;") - 1] == name and words[-2:] == ["exec", "/bin/my sh;x"]
    assert ("--" in words) == name.startswith("-")
    assert keys[-2] == "-l" and name in shlex.split(keys[-1])


def rows(page: str) -> list[str]:
    """The rows of the tables of a page that tell what is held, without their headings."""
    lines = (HOUSE / "docs" / page).read_text().splitlines()
    return [line for line in lines if line.startswith("| ") and not re.match(r"\| (what|where|#) ", line)]


@pytest.mark.parametrize("page", ["security.md", "complaints.md"])
def test_every_row_of_a_page_names_a_test_that_is_there(page: str) -> None:
    """Of the complaints some have no answer here, and the row says why."""
    assert len(rows(page)) > 20
    for row in rows(page):
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named or "| not here: " in row, f"no test is named: {row}"
        for file, function in named:
            text = (HOUSE / file).read_text()
            assert re.search(rf"^def {function}\(", text, re.MULTILINE), f"{file} has no {function}"


def test_every_complaint_has_a_row() -> None:
    assert [int(row.split()[1]) for row in rows("complaints.md")] == list(range(1, 35))
