"""An ordinary user, who does not own the lab, and what chyves does for one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

import chyves
from chyves.lab.place import Lab

NOBODY = 65534
# Each line is a process of its own, in which all that could be needed is there already. Those that follow what comes
# are ended by Ctrl-C once they have told something.
LINES = """\
import importlib, json, os, signal, sys, tempfile, time
from chyves.__main__ import main
from chyves.commands import COMMANDS
for row in COMMANDS:
    if not row.changes:
        importlib.import_module(row.run.partition(":")[0])
def run(words, typed):
    files = [tempfile.TemporaryFile("w+") for _ in range(3)]
    files[0].write(typed)
    files[0].seek(0)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.alarm(60)
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        status = main(words)
        sys.stdout.flush()
        os._exit(status)
    while "-f" in words and os.fstat(files[1].fileno()).st_size == 0 and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.05)
    if "-f" in words:
        os.kill(child, signal.SIGINT)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for file in files:
        file.seek(0)
    return [status, files[1].read(), files[2].read()]
print(json.dumps([run(*line) for line in json.load(sys.stdin)]))
"""


class Said(NamedTuple):
    """What a command ended with, and what it said."""

    status: int
    out: str
    error: str


def begin(lab: Lab) -> str:
    """The Python that an ordinary user can run, which the lab's programs have from now on.

    The test is skipped where there is none, or nobody can become such a user.
    """
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can become an ordinary user, with setpriv")
    for python in (str(Path(sys.executable).resolve()), "/usr/bin/python3"):
        if run(python, lab, "-m", "chyves", "--version").returncode == 0:
            break
    else:
        pytest.skip("an ordinary user cannot run a Python new enough, or cannot read this program where it lies")
    for program in lab.bin.iterdir():
        program.write_text(re.sub("^#!.* -IS", f"#!{python} -IS", program.read_text()))
    return python


def run(
    python: str, lab: Lab, *words: str, text: str = "", place: str = "/", further: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What Python does with these words for an ordinary user, who is at a `place` with a `further` environment."""
    # Not setpriv but a shell starts it: setpriv itself may still do what root may.
    argv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sh", "-c", 'exec "$@"', "sh"]
    environment = {**os.environ, "CHYVES_LAB": str(lab.top), "PYTHONPATH": str(Path(chyves.__file__).parents[1])}
    return subprocess.run(
        [*argv, python, *words],
        input=text,
        capture_output=True,
        text=True,
        env={**environment, **(further or {})},
        cwd=place,
    )


def told(python: str, lab: Lab, lines: Sequence[tuple[Sequence[str], str]], place: Path) -> list[Said]:
    """What chyves says to each of some lines, each with what is typed at it, at a place that is the user's own."""
    os.chown(place, NOBODY, NOBODY)
    said = run(python, lab, "-c", LINES, text=json.dumps(lines), place=str(place), further={"HOME": str(place)})
    assert said.returncode == 0, said.stderr
    return [Said(*one) for one in json.loads(said.stdout)]
