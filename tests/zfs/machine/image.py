"""What a ZFS machine boots from: its kernel and root file system, and a disk with this checkout."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

Release = Literal["2.1", "2.3"]
RELEASES: tuple[Release, ...] = ("2.1", "2.3")

BUILD = Path(__file__).parent / "build"
CANNOT = 69
"""The status with which `build` ends where nothing is wrong with it, but with what this machine has."""

TOP = Path(__file__).parents[3]
CHECKOUT = "chyves tests demo docs man rc.d port setup bench setup.cfg pyproject.toml Makefile README.md".split()
PACKAGES = "sh argcomplete pytest pytest-timeout pytest-rerunfailures hypothesis jsonschema pexpect".split()
GUESTS_PYTHON = (3, 11)


class NoMachine(Exception):
    """This machine cannot have a ZFS machine, for the reason it tells."""


@dataclass(frozen=True)
class Image:
    """The pictures that tests/zfs/machine/build makes for a release of OpenZFS."""

    release: Release
    directory: Path

    @property
    def kernel(self) -> Path:
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.directory / "initrd"

    @property
    def root(self) -> Path:
        return self.directory / "root.img"


def built(release: Release) -> Image:
    """The pictures of a release, taken from the cache or built (some minutes).

    Raises NoMachine where they cannot be built here, and RuntimeError where building them fails.
    """
    if shutil.which("apt-get") is None:
        raise NoMachine("the ZFS machine is built from packages of Debian 12, and here is no apt-get")
    done = subprocess.run([BUILD, release], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode == CANNOT:
        raise NoMachine(f"no ZFS machine can be built here: {done.stderr.strip().splitlines()[-1]}")
    if done.returncode:
        raise RuntimeError(f"the ZFS machine cannot be built:\n{done.stderr[-4000:]}")
    return Image(release, Path(done.stdout.strip()))


def house_disk(place: Path) -> Path:
    """Make a file system in `place` with this checkout as it stands, and the Python packages that its tests need.

    In the machine it is at /house, with the packages in /house/packages.
    """
    tree = place / "house"
    packages = tree / "packages"
    packages.mkdir(parents=True)
    for name in CHECKOUT:
        _copy(TOP / name, tree / name)
    for distribution in _needed():
        _copy_distribution(distribution, packages)
    if sys.version_info[:2] == GUESTS_PYTHON:
        # Compiling takes the machine many times as long as importing what is compiled.
        compileall.compile_dir(tree, quiet=2, stripdir=str(tree), prependdir="/house")
    disk = place / "house.img"
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", tree, disk, "128M"],
        check=True,
        capture_output=True,
        env={**os.environ, "PATH": path},
    )
    shutil.rmtree(tree)
    return disk


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _needed() -> list[metadata.Distribution]:
    """The packages of PACKAGES and all that they need, as they are installed beside the Python that runs now."""
    found: dict[str, metadata.Distribution] = {}
    wanted = [Requirement(name) for name in PACKAGES]
    while wanted:
        requirement = wanted.pop()
        if requirement.name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[requirement.name] = metadata.distribution(requirement.name)
        wanted += map(Requirement, found[requirement.name].requires or ())
    return list(found.values())


def _copy_distribution(distribution: metadata.Distribution, packages: Path) -> None:
    for file in distribution.files or ():
        if ".." not in file.parts:
            _copy(Path(str(distribution.locate_file(file))), packages / file)
