"""Enter a lab: run a program, or a shell, that takes the lab for its host."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.lab import launchers
from chyves.lab.create import default_place
from chyves.lab.file_tree import enter
from chyves.lab.place import Lab

NOT_FOUND, NOT_RUN = 127, 126


def shell(command: Sequence[str]) -> int:
    """Run a command (a shell unless told) inside the lab in use, and return its status (128+n for signal n).

    The lab's programs come first in PATH. Where the machine allows a private mount namespace (as root, or with user
    namespaces), the lab's files are at their FreeBSD paths, and the network is the lab's; where it does not, this is
    said on stderr and CHYVES_LAB is set instead. There is no process namespace: guests started inside go on
    living when the shell ends, and are seen from outside. Raises ChyvesError where there is no lab.
    """
    lab = Lab.open(default_place())
    # A lab that an older chyves made gets the programs of this one, if it is one's own.
    with contextlib.suppress(PermissionError):
        launchers.write(lab)
    words = list(command) or [os.environ.get("SHELL") or "/bin/sh"]
    environment = {name: value for name, value in os.environ.items() if name != "CHYVES_LAB"}
    environment["PATH"] = f"{lab.bin}:{_path_with_chyves()}"
    return run_inside(lab, words, environment)


def _path_with_chyves() -> str:
    """PATH, and at its end the directory of the chyves that runs now where it would not be found."""
    path = os.environ.get("PATH") or os.defpath
    here = Path(sys.executable).parent
    return path if shutil.which("chyves") or not (here / "chyves").exists() else f"{path}:{here}"


def run_inside(lab: Lab, words: list[str], environment: dict[str, str]) -> int:
    """Run a command in the lab's file tree, or where that is forbidden with CHYVES_LAB set, and return its status."""
    sys.stdout.flush()
    status, refusal = _run(lab, words, environment, inside=True)
    if refusal:
        print(f"lab shell: FreeBSD's paths are only below {lab.root}: {refusal}", file=sys.stderr)
        status, refusal = _run(lab, words, {**environment, "CHYVES_LAB": str(lab.top)}, inside=False)
    return status


def _run(lab: Lab, words: list[str], environment: dict[str, str], inside: bool) -> tuple[int, str]:
    """Run a command in a child: its status, and why the lab's file tree could not be entered."""
    refusals, refusing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(refusals)
        _become(lab, words, environment, refusing if inside else None)
    os.close(refusing)
    # The terminal's interrupt is for the command, which shares this process group.
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        with os.fdopen(refusals) as pipe:
            refusal = pipe.read()
        _, ended = os.waitpid(child, 0)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(ended)
    return (code if code >= 0 else 128 - code), refusal


def _become(lab: Lab, words: list[str], environment: dict[str, str], refusing: int | None) -> None:
    """Turn this process into the command; never returns."""
    try:
        if refusing is not None:
            enter(lab)
        os.execvpe(words[0], words, environment)
    except ChyvesError as error:
        os.write(refusing or 2, str(error).encode())
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN)
    os._exit(1)
