"""Guests that have crashed, as others see them: one that waits to be booted again, is kept for a look, or is off.

Of one that is off it is told in a small file beside what is written down of those that run, until its next start.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

from chyves.guests import running
from chyves.host.log import plain
from chyves.host.machine import Host

PREFIX = ".crashed."
"""What the file's name begins with, which no guest's name does; the guest's follows."""


def note(host: Host, guest: str, crash: str) -> None:
    """Have it told of a guest that it is off because of a crash; raises ChyvesError."""
    host.files.write(_file(host, guest), f"{crash}\n")


def forget(host: Host, guest: str) -> None:
    """Tell it no longer; raises ChyvesError."""
    if _file(host, guest).exists():
        host.files.remove(_file(host, guest))


def noted(host: Host) -> dict[str, str]:
    """What is told of each guest that is off because of a crash."""
    found: dict[str, str] = {}
    for path in host.path(running.RUN).glob(f"{PREFIX}*"):
        try:
            found[path.name.removeprefix(PREFIX)] = plain(path.read_text(errors="replace").strip())
        except OSError:
            continue  # it has been started meanwhile
    return found


def told(state: running.Running) -> str:
    """What is told of a guest that crashed and is still looked after."""
    if state.again is None:
        return f"{state.crash}, kept"
    return f"{state.crash}; boots again in {max(0, math.ceil(state.again - time.monotonic()))} s"


def taken(host: Host, guest: str) -> str:
    """Why a guest cannot be started that has a supervisor, and what to do."""
    state = running.read(host, guest)
    if state is None or not running.crashed(state):
        return f"{guest}: runs already"
    return f"{guest}: {told(state)}; end that first with: chyves {guest} stop"


def _file(host: Host, guest: str) -> Path:
    return host.path(f"{running.RUN}/{PREFIX}{guest}")
