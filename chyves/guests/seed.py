"""The seed of a guest's cloud-init: files `.cloud-init/NAME` in its dataset, and the image that is made of them.

The files are in the guest's own dataset, so that snapshots, clones and a rename have them with it. The image is made at
each start, and stays as it is until the guest is off or its properties are read again.
"""

from __future__ import annotations

import shlex
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from chyves.bhyve.devices import seed_image
from chyves.bhyve.facts import Facts
from chyves.bhyve.seed import DIRECTORY, FILES, Image
from chyves.errors import ChyvesError, Denied
from chyves.guests import running
from chyves.host.files import printf
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding

PROGRAM = "makefs"
OWNER_ALONE, SECRET, NO_SECRET = 0o700, 0o600, 0o644
OTHERS = 0o077
"""What may not be in the mode of the directory: user-data often has passwords in it."""


def looked_at(holding: GuestHolding, facts: Facts) -> Facts:
    """The facts with the administrator's files, for a guest that has a seed; raises ChyvesError."""
    if holding.properties.cloudinit == "no":
        return facts
    if not holding.host.run.has(PROGRAM):
        raise ChyvesError(f"{holding.name}: cloudinit: {PROGRAM}(8) is not there; it is part of FreeBSD: mend the host")
    return replace(facts, seed=_files(holding))


def _files(holding: GuestHolding) -> dict[str, str]:
    """What the administrator has written, by name; raises ChyvesError for what others may read or have written."""
    directory = holding.mountpoint / DIRECTORY
    if not directory.is_symlink() and not directory.exists():
        return {}
    _refuse(holding, directory)
    try:
        there = [name for name in FILES if (directory / name).is_symlink() or (directory / name).exists()]
    except PermissionError:
        raise Denied(f"{holding.name}: cloudinit: only root may read {directory}; do this as root") from None
    for name in there:
        _refuse(holding, directory / name)
    return {name: holding.host.files.read(directory / name) for name in there}


def _refuse(holding: GuestHolding, path: Path) -> None:
    facts = path.lstat()
    if path.name == DIRECTORY and not stat.S_ISDIR(facts.st_mode):
        raise ChyvesError(f"{holding.name}: cloudinit: {path} is no directory; put one there")
    if facts.st_uid != holding.host.owner:
        raise ChyvesError(f"{holding.name}: cloudinit: {path} is not root's own; use: chown root {path}")
    if path.name == DIRECTORY and facts.st_mode & OTHERS:
        raise ChyvesError(f"{holding.name}: cloudinit: others may look into {path}; use: chmod 0700 {path}")


def there(facts: Facts) -> bool:
    """Whether a running guest has its image already."""
    return Path(seed_image(facts.scratch)).exists()


def make(host: Host, image: Image | None) -> None:
    """Make the image that a guest is about to begin with; raises ChyvesError with what makefs said."""
    if image is None:
        return
    _clear(host, Path(image.place))
    for directory in image.directories:
        host.files.make_directory(Path(directory), OWNER_ALONE)
    for path, text in image.files.items():
        source = image.sources.get(path)
        if source is not None and host.dry:
            host.files.copy(Path(source), Path(path), SECRET)
        else:
            host.files.write(Path(path), text, SECRET if source else NO_SECRET)
    host.run.do(*image.line)


def lines(image: Image) -> Iterator[str]:
    """What `make` does where nothing is left of an earlier image, as lines for a shell."""
    for directory in image.directories:
        yield shlex.join(("mkdir", "-p", "-m", f"{OWNER_ALONE:o}", directory))
    for path, text in image.files.items():
        if source := image.sources.get(path):
            yield shlex.join(("install", "-m", f"{SECRET:o}", source, path))
        else:
            yield f"{shlex.join(printf(text))} > {shlex.quote(path)}"
    yield shlex.join(image.line)


def forget(host: Host, name: str) -> None:
    """Have the next boot make the image anew; raises ChyvesError."""
    _clear(host, Path(seed_image(str(running.directory(host, name)))).parent)


def _clear(host: Host, place: Path) -> None:
    if not place.exists():
        return
    if host.dry:
        host.run.do("rm", "-rf", str(place))
        return
    try:
        shutil.rmtree(place)
    except OSError as error:
        raise ChyvesError(f"{place}: cannot be removed: {error.strerror}; see to that and try again") from None
