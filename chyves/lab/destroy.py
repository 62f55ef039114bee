"""Remove a lab and all that is in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.lab import real_zfs, vmm
from chyves.lab.create import default_place
from chyves.lab.network import namespace
from chyves.lab.place import SETTINGS, Lab
from chyves.lab.processes import at_work

PATIENCE = 10.0


def destroy(directory: str | None, yes: bool = False) -> str:
    """Remove a lab, after ending the guests that run in it, and return what was done.

    Asks on a terminal unless `yes`. Raises ChyvesError for a directory that is not a lab, and when not confirmed.
    """
    lab = Lab.open(Path(directory).resolve() if directory else default_place())
    _refuse_what_is_not_its_own(lab)
    if not yes:
        _ask(lab)
    ended = _end_guests(lab)
    _end_processes(lab)
    namespace.remove(lab)
    if lab.on_real_zfs:
        real_zfs.remove(lab)
    _remove(lab)
    told = f"{lab.top} is removed"
    return f"{told}; its guests were ended first: {', '.join(ended)}\n" if ended else f"{told}\n"


def _refuse_what_is_not_its_own(lab: Lab) -> None:
    """Raise ChyvesError when the directory is no lab but for its settings, or something is mounted in it."""
    if not lab.state.is_dir() and len(list(lab.top.iterdir())) > 1:
        raise ChyvesError(f"{lab.top}: has {SETTINGS} but is no lab; look at it and remove it by hand")
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    own = [str(namespace.place(lab)), *(real_zfs.mountpoints(lab) if lab.on_real_zfs else ())]
    for place in mounted:
        if place.startswith(f"{lab.top}/") and place not in own:
            raise ChyvesError(f"{lab.top}: something is mounted on {place}; unmount it first")


def _remove(lab: Lab) -> None:
    """Remove the directory; what tells that it is a lab goes last, for a next try where this one is ended."""
    last = (lab.state, lab.top / SETTINGS)
    for path in (*(path for path in lab.top.iterdir() if path not in last), *last):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    lab.top.rmdir()


def _ask(lab: Lab) -> None:
    if not sys.stdin.isatty():
        raise ChyvesError(f"{lab.top}: would be removed with all that is in it; say --yes to do so")
    if input(f"Remove {lab.top} and all guests, disks and media in it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise ChyvesError(f"{lab.top}: nothing was removed")


def _end_guests(lab: Lab) -> list[str]:
    """Pull the plug of every virtual machine; a bhyve whose machine is gone ends by itself."""
    names = vmm.names(lab)
    for name in names:
        subprocess.run([lab.bin / "bhyvectl", f"--vm={name}", "--destroy"], stdin=subprocess.DEVNULL, check=False)
    return names


def _end_processes(lab: Lab) -> None:
    """Wait for what still works in the lab, as a supervisor that tidies up; then tell it to end, then make it."""
    mine = {os.getpid(), os.getppid()}
    for number in (0, signal.SIGTERM, signal.SIGKILL):
        for pid in set(at_work(lab)) - mine if number else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        late = time.monotonic() + PATIENCE
        while set(at_work(lab)) - mine:
            if time.monotonic() > late:
                break
            time.sleep(0.05)
