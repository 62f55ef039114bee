"""Make a lab: a FreeBSD host in a directory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from chyves.errors import ChyvesError, Interrupted
from chyves.lab import host_tree, launchers, real_zfs
from chyves.lab.kernel import Kernel
from chyves.lab.network import namespace
from chyves.lab.place import SETTINGS, Lab
from chyves.lab.releases import USUAL, check_machine
from chyves.lab.releases import release as known_release

POOL = "zroot"
PARTS = ("bin", "root", "state", SETTINGS)
POOL_DISK = "/dev/ada0p3"
LONGEST_PATH = 60
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

USE = """\
{top} is now a FreeBSD {release} host{machine}.
Work on it from anywhere, without privilege:
    export CHYVES_LAB={top}
or go inside, with its files at their FreeBSD paths:
    chyves lab shell
"""


def default_place() -> Path:
    """The lab meant when none is named: $CHYVES_LAB, else ~/.chyves-lab."""
    return Path(os.environ.get("CHYVES_LAB") or Path.home() / ".chyves-lab").resolve()


def create(directory: str | None, release: str | None = None, zfs: str = "model", machine: str = "amd64") -> str:
    """Make a lab with a pool `zroot`, and return how to use it.

    `machine` is amd64 or arm64; the release is 14.3 and 15.0 where none is given. `zfs` is `model`, the lab's own, or
    `real`, the machine's; the pool is then on a file in the lab, or on the file or device that is named after a colon
    (`real:/dev/vdb`), and imported where it is there already. A lab that could not be made whole leaves nothing behind.
    Raises ChyvesError for a directory that is not empty or whose name cannot be used, for a release or a machine that
    no lab plays, and for real ZFS where this machine has none.
    """
    release = release or USUAL.get(machine, USUAL["amd64"])
    known_release(release)
    check_machine(machine, release)
    kind, disk = _kind_of_zfs(zfs)
    # Open files are told by their real paths, so a lab goes by its own too.
    top = Path(directory).resolve() if directory else default_place()
    _check(top)
    made = [parent for parent in (top, *top.parents) if not parent.exists()]
    parts: list[Path] = []
    lab = Lab(top, release, POOL, kind, machine)
    with _signals_raise():
        try:
            top.mkdir(parents=True, exist_ok=True)
            with _undisturbed():
                parts += _claim(top)
            _build(lab, disk)
        except BaseException as error:
            _take_back(lab, parts, made)
            if isinstance(error, OSError):
                raise ChyvesError(
                    f"{top}: no lab can be made here: {error.strerror}; name another directory"
                ) from error
            raise
    return USE.format(top=top, release=release, machine=" of the machine arm64" if lab.is_arm64 else "")


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Let a request to end, as by closing the terminal, be an exception, so that what was begun is taken back."""

    def interrupt(number: int, _: object) -> None:
        raise Interrupted(number, "no lab was made")

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold signals back for a moment, so that what was made and what is known of it are the same."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _claim(top: Path) -> list[Path]:
    """Make the first directory, and return what is this program's to remove from now on.

    Raises ChyvesError when another program has begun a lab here at the same time.
    """
    try:
        (top / "state").mkdir()
    except FileExistsError:
        raise ChyvesError(f"{top}: is not empty; name a new directory or an empty one") from None
    return [top / name for name in PARTS]


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


def _kind_of_zfs(asked: str) -> tuple[str, str]:
    """What `--zfs` asks for: `model` or `real`, and the disk of the latter, which may be none."""
    kind, colon, disk = asked.partition(":")
    if kind not in ("model", "real") or (colon and (kind == "model" or not disk)):
        raise ChyvesError(f"{asked}: is no ZFS of a lab; take model (its own), real (the machine's) or real:DISK")
    if kind == "real":
        real_zfs.check(POOL)
    return kind, disk


def _build(lab: Lab, disk: str) -> None:
    host_tree.write(lab)
    namespace.make(lab)
    launchers.write(lab)
    # The settings come last but for the pool: a directory without them is not taken for a lab.
    settings = {"release": lab.release, "pool": POOL, **({"zfs": lab.zfs} if lab.on_real_zfs else {})}
    settings |= {"machine": lab.machine} if lab.is_arm64 else {}
    (lab.top / SETTINGS).write_text(json.dumps(settings, indent=4) + "\n")
    host_tree.write_dmesg(lab)
    Kernel(lab).database.close()
    _make_pool(lab, disk)


def _make_pool(lab: Lab, disk: str) -> None:
    if lab.on_real_zfs:
        real_zfs.link_volumes(lab)
        real_zfs.make_pool(lab, POOL_DISK, disk)
        return
    done = subprocess.run(
        [lab.bin / "zpool", "create", lab.pool, POOL_DISK], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise ChyvesError(f"{lab.top}: its pool cannot be made: {done.stderr.strip()}")


def _take_back(lab: Lab, parts: list[Path], made: list[Path]) -> None:
    """Remove the parts of the lab, then the directories that were made for it and are empty again."""
    if parts:
        namespace.remove(lab)
        if lab.on_real_zfs:
            real_zfs.remove(lab)
    for part in parts:
        with contextlib.suppress(OSError):
            part.unlink() if part.is_file() else shutil.rmtree(part)
    for directory in made:
        with contextlib.suppress(OSError):
            directory.rmdir()
