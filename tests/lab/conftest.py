"""A fresh lab for each test, and its programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from chyves.host.run import Runner
from chyves.lab import create, destroy
from chyves.lab.place import SETTINGS, Lab
from tests.host_commands import done

Program = Callable[..., subprocess.CompletedProcess[str]]


def run_program(lab: Lab, name: str, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """What a program of a lab does with these words."""
    environment = {**os.environ, "PATH": f"{lab.bin}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [lab.bin / name, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
        timeout=timeout,
    )


@pytest.fixture
def new_lab() -> Iterator[Callable[..., Lab]]:
    """Makes labs of any release and hardware: `new_lab("11.0", cpu="amd")`; they are gone after the test.

    They are made below the machine's temporary directory, not below tmp_path, whose long names leave no room for
    sockets.
    """
    made: list[Path] = []

    def make(release: str = "14.3", **hardware: object) -> Lab:
        top = Path(tempfile.mkdtemp(prefix="lab"))
        made.append(top)
        create.create(str(top), release)
        if hardware:
            settings = json.loads((top / SETTINGS).read_text())
            (top / SETTINGS).write_text(json.dumps({**settings, "hardware": hardware}))
        return Lab.open(top)

    yield make
    for top in made:
        if (top / SETTINGS).exists():
            destroy.destroy(str(top), yes=True)
        shutil.rmtree(top, ignore_errors=True)


@contextmanager
def hollow_lab() -> Iterator[Lab]:
    """A lab for all tests of a module, with chyves on its pool and hollow guests."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top))
    lab = Lab.open(top)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHYVES_LAB_GUEST", "hollow")
        done(lab, "dataset", lab.pool, "install")
        yield lab
    destroy.destroy(str(top), yes=True)
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that chyves has asked in this process."""
    programs: list[str] = []
    ask = Runner._ask

    def counting(self: Runner, argv: Sequence[str], timeout: float) -> tuple[int, str, str]:
        programs.append(argv[0])
        return ask(self, argv, timeout)

    monkeypatch.setattr(Runner, "_ask", counting)
    return programs


@pytest.fixture
def program_in() -> Program:
    """Runs a program of any lab: `program_in(lab, "ifconfig", "-l").stdout`."""
    return run_program


@pytest.fixture
def lab(new_lab: Callable[..., Lab]) -> Lab:
    """A lab that plays FreeBSD 14.3."""
    return new_lab()


@pytest.fixture
def program(lab: Lab) -> Program:
    """Runs a program of the lab: `program("ifconfig", "-l").stdout`."""

    def run(name: str, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return run_program(lab, name, *words, timeout=timeout)

    return run


@pytest.fixture
def ifconfig(program: Program) -> Program:
    """Runs a line of ifconfig: `ifconfig("bridge0 addm tap0 up")`."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return program("ifconfig", *line.split())

    return run
