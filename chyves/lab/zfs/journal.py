"""What a command still has to do to files once its change of state is committed.

A command that is killed leaves files and state agreeing, because it works in this order:

1. What takes long or can fail (copies for snapshots and clones) is made in the staging directory, to which nothing
   refers.
2. One SQLite transaction changes the state and writes the steps below, in order, into the table `journal`.
3. The steps are done one by one; each is struck off when done. The next command, whichever it is, first empties the
   staging directory or does the steps that are left.

So a kill before 2 changes nothing and a kill after 2 loses nothing. Only the step that was under way at the kill is
done twice, and each step may be: a move of a directory that users can reach names the inode that is to move, so what
somebody has meanwhile made in its place stays.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import NamedTuple


class Step(NamedTuple):
    """One change of files; what `source`, `target` and `number` mean depends on `act`."""

    act: str
    source: str
    target: str = ""
    number: int = 0


def inode(path: str) -> int:
    """What identifies a file however it is called; 0 where there is none."""
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0


def remove(path: str) -> None:
    """Remove a file or a whole tree, also of directories that are not writable; nothing there is fine."""
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
    except FileNotFoundError:
        return
    os.chmod(path, 0o700)
    for entry in os.listdir(path):
        remove(f"{path}/{entry}")
    os.rmdir(path)


def covered(stored: str) -> str:
    """Where the directory waits that a file system, kept at `stored` while unmounted, was mounted over."""
    above, name = os.path.split(stored)
    return f"{above}/covered/{name}"


def _move(step: Step) -> None:
    if (step.number and inode(step.source) != step.number) or not os.path.lexists(step.source):
        return
    os.makedirs(os.path.dirname(step.target), exist_ok=True)
    _rename(step.source, step.target)


def _rename(source: str, target: str) -> None:
    try:
        os.rename(source, target)
    except PermissionError:
        # Who is not root cannot take a directory elsewhere that he may not write into.
        mode = stat.S_IMODE(os.stat(source).st_mode)
        os.chmod(source, mode | stat.S_IWUSR)
        os.rename(source, target)
        os.chmod(target, mode)


def _mount(step: Step) -> None:
    """The file system at `source` appears at `target`; what was there is put aside, as a mount hides it."""
    if not os.path.lexists(step.source):  # moved before the kill; or somebody removed it while it was mounted
        os.makedirs(step.target, exist_ok=True)
        return
    os.makedirs(os.path.dirname(step.target), exist_ok=True)
    try:
        _rename(step.source, step.target)
    except OSError:
        aside = covered(step.source)
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        _rename(step.target, aside)
        _rename(step.source, step.target)


def _unmount(step: Step) -> None:
    """The file system at `source` goes to `target`; what it had hidden shows again."""
    _move(step)
    aside = covered(step.target)
    if os.path.lexists(aside) and not os.path.lexists(step.source):
        _rename(aside, step.source)


def _directory(step: Step) -> None:
    os.makedirs(step.source, exist_ok=True)


def _resize(step: Step) -> None:
    os.makedirs(os.path.dirname(step.source), exist_ok=True)
    with open(step.source, "ab") as volume:
        volume.truncate(step.number)


def _remove(step: Step) -> None:
    remove(step.source)


def _prune(step: Step) -> None:
    """Remove the directory `source`, and those above it as far as `target`, while they are empty."""
    path = step.source
    while path != step.target and path.startswith(step.target):
        try:
            os.rmdir(path)
        except FileNotFoundError:  # as far as a killed command came
            pass
        except OSError:
            return
        path = os.path.dirname(path)


_ACTS: dict[str, Callable[[Step], None]] = {
    "move": _move,
    "mount": _mount,
    "unmount": _unmount,
    "directory": _directory,
    "resize": _resize,
    "remove": _remove,
    "prune": _prune,
}


def do(step: Step) -> None:
    """Do a step that needs no more than files; `replay` has those that look into the state, too."""
    _ACTS[step.act](step)
