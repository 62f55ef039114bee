"""Make a lab: a FreeBSD host in a directory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.lab import host_tree, launchers
from chyves.lab.kernel import Kernel
from chyves.lab.network import namespace
from chyves.lab.place import SETTINGS, Lab
from chyves.lab.releases import release as known_release

POOL = "zroot"
POOL_DISK = "/dev/ada0p3"
LONGEST_PATH = 60

USE = """\
{top} is now a FreeBSD {release} host.
Work on it from anywhere, without privilege:
    export CHYVES_LAB={top}
or go inside, with its files at their FreeBSD paths:
    chyves lab shell
"""


def default_place() -> Path:
    """The lab meant when none is named: $CHYVES_LAB, else ~/.chyves-lab."""
    return Path(os.environ.get("CHYVES_LAB") or Path.home() / ".chyves-lab").absolute()


def create(directory: str | None, release: str = "14.3") -> str:
    """Make a lab with a pool `zroot`, and return how to use it.

    A lab that could not be made whole leaves nothing behind. Raises ChyvesError for a directory that is not empty or
    whose name cannot be used, and for a release that no lab plays.
    """
    known_release(release)
    top = Path(os.path.abspath(directory)) if directory else default_place()
    _check(top)
    missing = [parent for parent in (top, *top.parents) if not parent.exists()]
    try:
        _build(top, release)
    except BaseException as error:
        _take_back(top, missing)
        if isinstance(error, OSError):
            raise ChyvesError(f"{top}: no lab can be made here: {error.strerror}; name another directory") from error
        raise
    return USE.format(top=top, release=release)


def _check(top: Path) -> None:
    """A lab's path goes into the words of bhyve, into sysctls and into the names of sockets, so it has to be plain."""
    if found := re.search(r"[,%\s'\"\\]", str(top)):
        raise ChyvesError(
            f"{top}: has {found[0]!r} in its path, which bhyve's options cannot hold; name another directory"
        )
    if len(os.fsencode(top)) > LONGEST_PATH:
        raise ChyvesError(
            f"{top}: is longer than {LONGEST_PATH} bytes, too long for sockets below; name a shorter path"
        )
    if (top / SETTINGS).exists():
        raise ChyvesError(f"{top}: is a lab already; use it, or remove it with: chyves lab destroy {top}")
    if top.exists() and not top.is_dir():
        raise ChyvesError(f"{top}: is not a directory; name a new one")
    if top.is_dir() and any(top.iterdir()):
        raise ChyvesError(f"{top}: is not empty; name a new directory or an empty one")


def _build(top: Path, release: str) -> None:
    top.mkdir(parents=True, exist_ok=True)
    lab = Lab(top, release, POOL)
    lab.state.mkdir()
    host_tree.write(lab)
    namespace.make(lab)
    launchers.write(lab)
    # The settings come last but for the pool: a directory without them is not taken for a lab.
    (top / SETTINGS).write_text(json.dumps({"release": release, "pool": POOL}, indent=4) + "\n")
    host_tree.write_dmesg(lab)
    Kernel(lab).database.close()
    _make_pool(lab)


def _make_pool(lab: Lab) -> None:
    done = subprocess.run(
        [lab.bin / "zpool", "create", lab.pool, POOL_DISK], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise ChyvesError(f"{lab.top}: its pool cannot be made: {done.stderr.strip()}")


def _take_back(top: Path, made: list[Path]) -> None:
    namespace.remove(Lab(top, "", POOL))
    for child in top.iterdir() if top.is_dir() else ():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)
    for directory in made:
        with contextlib.suppress(OSError):
            directory.rmdir()
