"""A lab on the OpenZFS of this machine (`chyves lab create --zfs real`), in the place of the lab's own zfs and zpool.

`zfs` is the machine's. `zpool` is the machine's too, but for what is said of devices and places: a pool that is made or
imported has its mountpoints below the lab's tree (its altroot), and `/dev/ada1` is the lab's. The pools of a lab are
those with that altroot; they are destroyed with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.lab.place import Lab

PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DISK_SIZE = 64 << 30
"""Bytes of a disk that is only a name, in a file without blocks."""

_DISK = re.compile(r"(?:/dev/)?((?:ada|da|nda|nvd|nvme|vtbd|md|mmcsd)\d+(?:[ps]\d+[a-h]?)?)")
# What names devices, or makes the mountpoints of a pool appear; all else goes to the machine's program as it is.
_TRANSLATED = "create import add attach replace remove detach labelclear online offline".split()
_VALUED = {"create": "moORt", "import": "cdoRT"}

LAUNCHER = """\
#!/bin/sh
# The zpool of this machine; what names devices or places is put into the lab's words first.
case "${{1-}}" in
{translated}) exec {python} -IS {lab}/bin/.zpool "$@" ;;
esac
exec {zpool} "$@"
"""


def program(name: str) -> str:
    """Where the machine's zfs or zpool is; raises ChyvesError where there is none."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        raise ChyvesError(f"this machine has no {name}(8); install OpenZFS, or make the lab without --zfs real")
    return found


def check(pool: str) -> None:
    """Raise ChyvesError, with the reason, where this user on this machine cannot have a pool of this name."""
    if os.geteuid():
        raise ChyvesError("a lab on the machine's own ZFS needs root; run it as root, or without --zfs real")
    for name in ("zfs", "zpool"):
        program(name)
    asked = _zpool("list", "-H", "-o", "name")
    if asked.returncode:
        raise ChyvesError(f"the machine's ZFS does not work: {asked.stderr.strip()}; load its module first")
    if pool in asked.stdout.split():
        raise ChyvesError(f"this machine has a pool {pool} already, and the lab's is called so; export it first")


def write_launchers(lab: Lab) -> None:
    """Put the machine's programs in the place of the lab's own, of which one is kept for what it translates."""
    (lab.bin / "zpool").rename(lab.bin / ".zpool")
    (lab.bin / "zfs").unlink()
    (lab.bin / "zfs").symlink_to(program("zfs"))
    python = (lab.bin / ".zpool").read_text().split()[0].removeprefix("#!")
    text = LAUNCHER.format(python=python, lab=lab.top, zpool=program("zpool"), translated="|".join(_TRANSLATED))
    (lab.bin / "zpool").write_text(text)
    (lab.bin / "zpool").chmod(0o755)


def link_volumes(lab: Lab) -> None:
    """Show the machine's volumes where the lab's are; a link to a link, as /dev/zvol comes and goes with them."""
    (lab.root / "dev/zvol").rmdir()
    (lab.root / "dev/zvol").symlink_to("/dev/zvol")


def zpool(lab: Lab, argv: Sequence[str]) -> int:
    """Run the machine's zpool for a command line in the lab's words, and return its status."""
    return subprocess.run([program("zpool"), *translated(lab, argv)]).returncode


def translated(lab: Lab, argv: Sequence[str]) -> list[str]:
    """A command line of zpool with the lab's devices and places in it."""
    command, *rest = argv
    valued = [f"-{letter}" for letter in _VALUED.get(command, "o")]
    words: list[str] = []
    altroot = str(lab.root)
    while rest:
        word = rest.pop(0)
        if word == "-R" and rest:
            altroot = _below(lab, rest.pop(0))
        elif word in valued and rest:
            value = rest.pop(0)
            words += [word, _directory(lab, value) if word == "-d" else value]
        else:
            words.append(_device(lab, word, making=command != "import"))
    if command == "create":
        return [command, "-R", altroot, *words]
    if command == "import":
        return [command, "-R", altroot, *([] if "-d" in words else ["-d", str(lab.root / "dev")]), *words]
    return [command, *words]


def _below(lab: Lab, place: str) -> str:
    return place if Path(place).is_relative_to(lab.root) else f"{lab.root}{place}".rstrip("/")


def _directory(lab: Lab, place: str) -> str:
    """Where pools are looked for: in the lab's /dev, or in a directory of the machine that the lab has not."""
    inside = lab.inside(f"{place}/")
    return str(inside) if inside.exists() else place


def _device(lab: Lab, word: str, making: bool) -> str:
    """A device as the machine has it; a disk that is only a name becomes a file of many bytes and no blocks."""
    disk = _DISK.fullmatch(word)
    path = lab.root / "dev" / disk[1] if disk else lab.inside(word)
    if disk and making and (not path.exists() or (path.is_file() and not path.stat().st_size)):
        path.touch()
        os.truncate(path, DISK_SIZE)
    return str(path) if disk or word.startswith("/dev/") else word


def make_pool(lab: Lab, disk: str, given: str) -> None:
    """Make the lab's pool on its disk, or on the file or device that was given; a pool there already is imported.

    Raises ChyvesError with zpool's words, also for what has something else on it.
    """
    if not given:
        return _must(lab, *translated(lab, ["create", lab.pool, disk]))
    path = Path(given)
    if not path.is_file() and not path.is_block_device():
        raise ChyvesError(f"{given}: is no file or disk; name one for the pool of the lab")
    # A whole disk has partitions then, which are beside it.
    there = ["-d", str(path if path.is_file() else path.parent)]
    if re.search(rf"(?m)^\s*pool: {lab.pool}$", _zpool("import", *there).stdout):
        return _must(lab, "import", "-R", str(lab.root), *there, lab.pool)
    return _must(lab, "create", "-R", str(lab.root), lab.pool, given)


def _must(lab: Lab, *words: str) -> None:
    done = _zpool(*words)
    if done.returncode:
        raise ChyvesError(f"{lab.top}: its pool cannot be had: {done.stderr.strip()}")


def mountpoints(lab: Lab) -> list[str]:
    """Where file systems of the lab's pools are mounted."""
    rows = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [place for _, place, kind, *_ in rows if kind == "zfs" and Path(place).is_relative_to(lab.root)]


def remove(lab: Lab) -> None:
    """Destroy the pools of a lab; raises ChyvesError with zpool's words, as for a busy one."""
    for name, place in _pools():
        if Path(place) == lab.root or Path(place).is_relative_to(lab.root):
            done = _zpool("destroy", "-f", name)
            if done.returncode:
                raise ChyvesError(f"{lab.top}: its pool {name} cannot be destroyed: {done.stderr.strip()}")


def _pools() -> list[tuple[str, str]]:
    rows = _zpool("list", "-H", "-o", "name,altroot").stdout.splitlines()
    return [(name, place) for name, place in (row.split("\t") for row in rows)]


def _zpool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("zpool"), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
