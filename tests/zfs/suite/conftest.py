"""The grounds that the suite of chyves's hands on ZFS is run on, and the hands.

pytest tests/zfs/suite                                       the lab's zfs
CHYVES_TEST_POOL=NAME pytest tests/zfs/suite                 also OpenZFS of this machine, as root (Linux, FreeBSD)

The named pool must be there. Only NAME/chyves-test-PID is written to, and destroyed afterwards.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from chyves.errors import ProgramFailed
from chyves.host.run import PLACES, DryRunner, Runner
from chyves.host.zfs import Zfs
from chyves.host.zfs.libzfs import Libzfs
from chyves.host.zfs.zfs8 import Zfs8
from chyves.lab import create, destroy

POOL = "CHYVES_TEST_POOL"
WAYS = ["lab", "zfs8", "libzfs"]


class Counted(Runner):
    """Runs programs, and counts the questions."""

    asked = 0

    def _ask(self, argv: Sequence[str], timeout: float) -> tuple[int, str, str]:
        self.asked += 1
        return super()._ask(argv, timeout)


@dataclass(frozen=True)
class Ground:
    """Where datasets can be made: below `top`, with mountpoints below `place`; `devices` are those of volumes.

    Mountpoints are set without `altroot`, and told with it.
    """

    top: str
    place: Path
    altroot: str
    devices: Path
    real: bool
    environ: dict[str, str]
    path: str


@pytest.fixture(scope="session")
def of_lab() -> Iterator[Ground]:
    top = tempfile.mkdtemp(prefix="lab")
    create.create(top, "14.3")
    root = Path(top, "root")
    try:
        environ, path = {"CHYVES_LAB": top}, f"{top}/bin:{PLACES}"
        yield Ground("zroot", root / "zroot", str(root), root / "dev/zvol", False, environ, path)
    finally:
        destroy.destroy(top, yes=True)
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(scope="session")
def of_machine() -> Iterator[Ground]:
    pool = os.environ.get(POOL)
    if not pool:
        pytest.skip(f"OpenZFS of this machine is tested as root, on a pool that is named: {POOL}=NAME")
    if os.geteuid() != 0:
        pytest.skip(f"OpenZFS of this machine is tested by root alone; {POOL} is set")
    top = f"{pool}/chyves-test-{os.getpid()}"
    place = Path(tempfile.mkdtemp(prefix="chyves-test"))
    subprocess.run(["zfs", "create", "-o", f"mountpoint={place}", top], check=True)
    try:
        yield Ground(top, place, "", Path("/dev/zvol"), True, {}, PLACES)
    finally:
        subprocess.run(["zfs", "destroy", "-R", top], check=True)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    if request.param == "libzfs":
        try:
            importlib.import_module("libzfs")
        except ImportError as error:
            pytest.skip(f"py-libzfs cannot be imported here: {error}")
    return str(request.param)


@pytest.fixture
def ground(way: str, request: pytest.FixtureRequest) -> Ground:
    found: Ground = request.getfixturevalue("of_lab" if way == "lab" else "of_machine")
    return found


@pytest.fixture
def runner(ground: Ground) -> Counted:
    return Counted(ground.environ, ground.path)


@pytest.fixture
def zfs(way: str, runner: Counted) -> Zfs:
    """The adapter under test; libzfs is asked from the first question on."""
    return Libzfs(runner, patience=0) if way == "libzfs" else Zfs8(runner)


@pytest.fixture
def dry(way: str, ground: Ground) -> Zfs:
    runner = DryRunner(ground.environ, ground.path)
    return Libzfs(runner, patience=0) if way == "libzfs" else Zfs8(runner)


@pytest.fixture
def top(ground: Ground, request: pytest.FixtureRequest) -> Iterator[str]:
    """A file system of the test's own, and nothing below it."""
    run = Runner(ground.environ, ground.path)
    name = f"{ground.top}/{request.node.originalname.removeprefix('test_')[:40]}"
    run.do("zfs", "create", name)
    yield name
    try:
        run.do("zfs", "destroy", "-R", name)
    except ProgramFailed:
        _release(run, name)
        run.do("zfs", "destroy", "-R", name)


def _release(run: Runner, name: str) -> None:
    """Let go what a test that failed has left held."""
    for line in run.ask("zfs", "list", "-H", "-o", "name", "-t", "snapshot", "-r", name).splitlines():
        for held in run.ask("zfs", "holds", "-H", line).splitlines():
            run.do("zfs", "release", held.split("\t")[1], line)


@pytest.fixture
def costs(way: str, runner: Counted) -> Callable[[int], None]:
    """Check how many processes were asked since the last look; libzfs needs none."""

    def check(processes: int) -> None:
        assert runner.asked == (0 if way == "libzfs" else processes)
        runner.asked = 0

    return check
