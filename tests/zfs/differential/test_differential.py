"""The lab's zfs and zpool against real OpenZFS: the same random sequences of commands on both.

The suite has a few sequences, the same ones each time: they were drawn at random once, and are in the files
beside. Others, as many as one likes:

    ZFS_SEQUENCES=500 .venv/bin/pytest -s tests/zfs/differential

The real OpenZFS is that of the ZFS machine, in two releases, and that of this machine ("here") where it has one and
root runs the tests: then on a pool of the test's own, on a file. What differs is shown as lines to paste, with both
answers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.zfs.conftest import MachineOf
from tests.zfs.differential.agent import Machine
from tests.zfs.differential.compare import Comparison, Difference, minimized, replay
from tests.zfs.differential.forms import FORMS
from tests.zfs.differential.guest_side import GuestSide
from tests.zfs.differential.lab_side import LabSide
from tests.zfs.differential.machine import Sequences
from tests.zfs.differential.steps import Side, Step, loaded

STEPS = 20
MOST_SHOWN = 5
TRIES = 20
OLDER = 2
"""Of the sequences on the older release every second is played: most of what they show is the same in both."""

# The release of FreeBSD whose ZFS is nearest to one of OpenZFS.
NEAREST = {"2.1": "13.2", "2.2": "14.3", "2.3": "15.0", "2.4": "15.0"}

Sides = tuple[LabSide, Side]


@pytest.fixture(params=["2.1", "2.3", "here"], scope="module")
def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    top = tmp_path_factory.mktemp("sides")
    real: Machine | GuestSide
    if request.param == "here":
        release, real = _of_this_machine(), Machine(top, "tank")
    else:
        machine_of: MachineOf = request.getfixturevalue("machine_of")
        release, real = request.param, GuestSide(machine_of(request.param))
    lab = LabSide(top / "lab", "tank", NEAREST[release])
    yield lab, real
    lab.close()
    real.close()


def _of_this_machine() -> str:
    if os.geteuid() != 0 or not os.path.exists("/dev/zfs") or not shutil.which("zfs"):
        pytest.skip("needs root and OpenZFS on this machine itself")
    said = subprocess.run(["zfs", "version"], capture_output=True, text=True).stdout
    release = said.removeprefix("zfs-")[:3]
    if release not in NEAREST:
        pytest.skip(f"no lab plays the ZFS of this machine: {said}")
    if subprocess.run(["zpool", "list", "tank"], capture_output=True).returncode == 0:
        pytest.skip("this machine has a pool `tank`, which is what the test calls its own")
    return release


class Told:
    """What came of sequences: how much was compared, and for each kind of difference the shortest sequence."""

    def __init__(self) -> None:
        self.sequences = self.commands = 0
        self.found: dict[str, tuple[Difference, list[Step]]] = {}

    def add(self, comparison: Comparison) -> None:
        self.sequences += 1
        self.commands += len(comparison.done)
        for difference, steps in comparison.differences:
            known = self.found.get(difference.key())
            if known is None:
                print("\n".join(map(str, ["", *steps, difference])), flush=True)
            if known is None or len(known[1]) > len(steps):
                self.found[difference.key()] = difference, steps

    def shown(self, lab: Side, real: Side) -> str:
        """The differences, the first ones with no more steps than they need."""
        shown = []
        for key, (difference, steps) in list(self.found.items())[:MOST_SHOWN]:
            fewest = minimized(steps, _shows(key, lab, real), TRIES)
            shown.append("\n".join(map(str, [*fewest, difference])))
        return "\n\n".join([f"{len(self.found)} differences", *shown])


def _shows(key: str, lab: Side, real: Side) -> Callable[[Sequence[Step]], bool]:
    return lambda steps: any(difference.key() == key for difference in replay(steps, lab, real))


@pytest.mark.skipif("ZFS_SEQUENCES" not in os.environ, reason="takes long: ZFS_SEQUENCES=N runs N random sequences")
@pytest.mark.timeout(0)
def test_random_sequences_end_the_same(sides: Sides, capsys: pytest.CaptureFixture[str]) -> None:
    lab, real = sides
    told = Told()

    def ended(comparison: Comparison) -> None:
        with capsys.disabled():
            told.add(comparison)

    Sequences.opened = staticmethod(lambda: Comparison(lab, real))
    Sequences.ended = staticmethod(ended)
    run_state_machine_as_test(
        Sequences,
        settings=settings(
            max_examples=int(os.environ["ZFS_SEQUENCES"]),
            stateful_step_count=STEPS,
            phases=(Phase.generate,),
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    with capsys.disabled():
        print(f"\n{told.sequences} sequences, {told.commands} commands compared, {len(told.found)} differences")
    assert told.commands > 0
    assert not told.found, told.shown(lab, real)


@pytest.mark.timeout(1800)
def test_sequences_of_the_suite_end_the_same(sides: Sides) -> None:
    release, every = ("2.1", OLDER) if sides[0].release == NEAREST["2.1"] else ("2.3", 1)
    sequences = Path(__file__).with_name(f"sequences-{release}.txt").read_text(encoding="utf-8").split("\n\n")
    for sequence in sequences[::every]:
        steps = [loaded(line) for line in sequence.splitlines()]
        found = replay(steps, *sides)
        assert not found, "\n".join(map(str, [*steps, *found]))


def test_every_form_that_chyves_uses_is_answered_the_same(sides: Sides) -> None:
    found = replay(FORMS, *sides)
    assert not found, "\n\n".join(map(str, found))
