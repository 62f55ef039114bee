"""Dialogues of tests/lab on real pools: played by tests/zfs/inside/dialogues.py in a ZFS machine, told here one by one.

The one that asks most of ZFS, as a machine under emulation takes some minutes for each.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest

from tests.zfs.conftest import MachineOf
from tests.zfs.machine.image import Release

CHOSEN: tuple[tuple[Release, str], ...] = (("2.3", "08-disks"),)
LONGEST = 3000
"""Seconds for all dialogues of a release on a machine that does much else."""

Outcome = dict[str, str]
REPORT = "/tmp/dialogues.xml"


@pytest.fixture(scope="session")
def played(machine_of: MachineOf, request: pytest.FixtureRequest) -> Callable[[Release], Outcome]:
    """Plays the dialogues of a release that are to be tested, all at once: how each failed, or nothing."""
    outcomes: dict[Release, Outcome] = {}
    wanted = {item.name for item in request.session.items}

    def play(release: Release) -> Outcome:
        if release not in outcomes:
            files = [name for of, name in CHOSEN if of == release and any(f"{of}-{name}" in item for item in wanted)]
            said = machine_of(release).python(
                *("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--timeout={LONGEST}", f"--junitxml={REPORT}"),
                *("tests/zfs/inside/dialogues.py", "-k", " or ".join(files)),
                timeout=LONGEST,
            )
            assert said.status in (0, 1), said
            outcomes[release] = _outcome(machine_of(release).get(REPORT))
        return outcomes[release]

    return play


def _outcome(report: bytes) -> Outcome:
    cases = ElementTree.fromstring(report).iter("testcase")
    return {
        case.get("name", "").partition("[")[2].rstrip("]"): "\n".join(part.text or "" for part in case)
        for case in cases
    }


@pytest.mark.timeout(LONGEST)
@pytest.mark.parametrize(("release", "name"), CHOSEN)
def test_a_dialogue_on_a_real_pool(release: Release, name: str, played: Callable[[Release], Outcome]) -> None:
    if failure := played(release)[name]:
        pytest.fail(failure, pytrace=False)
