"""Completion in the real shells: what is on the line after TAB, with guests, images and snapshots of a lab."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from chyves.lab import create, destroy
from chyves.lab.place import Lab
from tests.host_commands import done

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "tcsh": ["tcsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
READ = {
    "bash": 'bind "set bell-style none"; PS1="%% "; eval "$(chyves completion bash)"',
    "zsh": 'PS1="%%%% "; unsetopt beep; autoload -Uz compinit && compinit -u; eval "$(chyves completion zsh)"',
    "tcsh": 'set prompt="%%%% "; set nobeep; set autolist; chyves completion tcsh > c.tcsh; source c.tcsh',
    "fish": 'function fish_prompt; echo "%% "; end; chyves completion fish | source',
}
TERMS = {"tcsh": "vt100"}
"""tcsh edits no line on a dumb terminal."""

LINES = [
    ("chyves web-one star", "start"),
    ("chyves web-", "web-one"),
    ("chyves db,web-", "db,web-one"),
    ("chyves web-one start sm", "small.iso"),
    ("chyves iso delete ", "small.iso"),
    ("chyves web-one set eject", "eject_iso_on_n_reboot="),
    ("chyves web-one set loader=ue", "loader=uefi"),
    ("chyves web-one set uefi_firmware=", "uefi_firmware=BHYVE.fd"),
    ("chyves web-one set disk0_n", "disk0_notes="),
    ("chyves web-one disk delete d", "disk0"),
    ("chyves create-nothing fr", ""),
    ("chyves dataset zr", "zroot"),
    ("chyves web-one start --dr", "--dry-run"),
]
"""Lines on which TAB has one thing to offer, and what the last word then is (empty: what it was)."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory with a lab that has guests, an image and a firmware, and `chyves` in bin."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top / "lab"))
    lab = Lab.open(top / "lab")
    done(lab, "dataset", lab.pool, "install")
    done(lab, "web-one,db", "create", "64M")
    for kind, name in (("iso", "small.iso"), ("firmware", "BHYVE.fd")):
        (top / name).write_text("something")
        done(lab, kind, "import", str(top / name))
    (top / "bin").mkdir()
    program = top / "bin/chyves"
    path = Path(__file__).parents[2]
    program.write_text(f'#!/bin/sh\n# PYTHON_ARGCOMPLETE_OK\nPYTHONPATH={path} exec {sys.executable} -m chyves "$@"\n')
    program.chmod(0o755)
    yield top
    destroy.destroy(str(top / "lab"), yes=True)
    shutil.rmtree(top)


def typed(shell: str, place: Path, line: str) -> str:
    """What is on the line once TAB was pressed at its end."""
    own = {"CHYVES_LAB": str(place / "lab"), "HOME": str(place), "TERM": TERMS.get(shell, "dumb"), "LC_ALL": "C.UTF-8"}
    path = f"{place / 'bin'}:{place / 'lab/bin'}:{os.environ['PATH']}"
    process = pexpect.spawn(
        START[shell][0],
        START[shell][1:],
        env={**os.environ, **own, "PATH": path},
        cwd=str(place),
        encoding="utf-8",
        dimensions=(24, 200),
        timeout=60,
    )
    try:
        process.sendline(READ[shell] + "; echo is re''ady")
        process.expect("is ready\r?\n")
        # Ctrl-A goes to the beginning: the line becomes an argument of printf, and what it had is shown.
        process.send(f"{line}\t")
        process.send("\x01printf '<%s>' \x05; echo ' is de''ne'\r")
        process.expect(" is dene\r?\n")
        words = re.findall(r"<([^<>]*)>", process.before or "")
        return words[-1] if words else ""
    finally:
        process.close(force=True)


@pytest.mark.parametrize(("line", "word"), LINES)
@pytest.mark.parametrize("shell", START)
def test_tab(shell: str, line: str, word: str, place: Path) -> None:
    """Complaint 23: shells completed neither guests nor options."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert typed(shell, place, line) == (word or line.rpartition(" ")[2])
