"""ZFS machines for tests: one of each release, booted once and shared by the tests of a process.

A test that takes `zfs_machine` runs on each release, one with `machine_of` says itself on which. It leaves no pool
behind. Tests that cut the power boot machines of their own, with `house`, and see tests/zfs/machine/machine.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.zfs.machine.image import RELEASES, NoMachine, Release, built, house_disk
from tests.zfs.machine.machine import ZfsMachine

MachineOf = Callable[[Release], ZfsMachine]
BootMachine = Callable[..., ZfsMachine]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with this checkout, for all machines; the test is skipped, with the reason, where there can be none."""
    try:
        built(RELEASES[0])
    except NoMachine as reason:
        pytest.skip(str(reason))
    return house_disk(tmp_path_factory.mktemp("house"))


@pytest.fixture
def boot_machine(house: Path, tmp_path: Path) -> Iterator[BootMachine]:
    """Boots a machine of the test's own: `boot_machine("2.3", "512M")`; it ends with the test."""
    with ExitStack() as machines:

        def boot(release: Release, *disks: str) -> ZfsMachine:
            place = tmp_path / f"machine{len(os.listdir(tmp_path))}"
            return _enter(machines, release, place, disks, house)

        yield boot


@pytest.fixture(scope="session")
def machine_of(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineOf]:
    """The shared machine of a release, with two empty disks of 1 GB: `machine_of("2.1")`."""
    made: dict[Release, ZfsMachine] = {}
    with ExitStack() as machines:

        def machine(release: Release) -> ZfsMachine:
            if release not in made:
                place = tmp_path_factory.mktemp("machine")
                made[release] = _enter(machines, release, place, ("1G", "1G"), house)
            return made[release]

        yield machine


@pytest.fixture(params=RELEASES)
def zfs_machine(request: pytest.FixtureRequest, machine_of: MachineOf) -> ZfsMachine:
    """The shared machines, one after the other."""
    return machine_of(request.param)


def _enter(machines: ExitStack, release: Release, place: Path, disks: tuple[str, ...], house: Path) -> ZfsMachine:
    try:
        return machines.enter_context(ZfsMachine.boot(release, place, disks, house))
    except NoMachine as reason:
        pytest.skip(str(reason))
