"""Programs of the administrator's at the turns of a guest's life: executables `.hooks/EVENT` in its dataset.

They are in the guest's own dataset, so that snapshots, clones, copies and a rename have them with it. What they are
told is in their environment (`environment`).
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.programs import Programs
from chyves.host import bounded
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding
from chyves.properties import Guest

DIRECTORY = ".hooks"
EVENTS = ("prestart", "started", "reboot", "crashed", "stopped")
"""prestart: before the guest boots first; started: each time that its bhyve is up; reboot: before it boots again as the
guest wanted; crashed: after a triple fault or a failure of bhyve; stopped: it is off, and what it holds is freed next.
"""

OTHERS = stat.S_IWGRP | stat.S_IWOTH
LINES = 10
"""Lines of what prestart said that are told to who starts the guest; the log has more."""

Tell = Callable[[int, str], None]


class Life(Protocol):
    """What is asked of chyves.guests.life.Life."""

    host: Host
    name: str
    holding: GuestHolding
    state: running.Running
    seen_up: bool
    programs: Programs


class Hooks:
    """The hooks of one guest that is looked after; `status` is that of the last bhyve that ended, if one has."""

    def __init__(self, life: Life, tell: Tell) -> None:
        self._life, self._tell = life, tell
        self.status: int | None = None
        self._ready: bool = False

    def before(self) -> None:
        """Run prestart, which may take until the guest is stopped; raises ChyvesError where it failed."""
        life = self._life
        self._run("prestart", "", lambda: life.programs.ending)
        self._ready = True

    def after(self, event: str, crash: str = "") -> None:
        """Run the hook of what has happened; that it failed is told in the log. No stopped without a prestart."""
        if event == "stopped" and not (self._ready or self._life.seen_up):
            return
        try:
            self._run(event, crash, lambda: False)
        except ChyvesError as error:
            self._tell(1, str(error))

    def _run(self, event: str, crash: str, ending: Callable[[], bool]) -> None:
        life = self._life
        program = find(life.holding, event)
        if program is None:
            return
        seconds = life.holding.properties.hook_timeout
        told = environment(life.holding, event, life.state) | _ends(self.status, crash)
        try:
            ended = bounded.run(str(program), life.host.run.environ | told, seconds, ending, self._note)
        except OSError as error:
            raise ChyvesError(f"{life.name}: hook {event}: cannot be started: {_refused(error)}") from None
        finally:
            self._note(None)
        self._tell(1, "\n".join(f"hook {event}: {line}" for line in ended.said.splitlines()))
        if ended.status != 0:
            raise ChyvesError(f"{life.name}: hook {event}: {_why(ended, seconds, ending())}: {_words(ended.said)}")

    def _note(self, pid: int | None) -> None:
        """Have it written down which process it is, to be ended where this one is killed."""
        if self._life.state.hook != pid:
            self._life.state.hook = pid
            running.write(self._life.host, self._life.name, self._life.state)


def _refused(error: OSError) -> str:
    """Why the kernel does not execute a hook that is there, and what to do."""
    if error.errno == errno.ENOENT:
        return "its first line names a program that this host does not have; mend it, such as #!/bin/sh"
    if error.errno == errno.ENOEXEC:
        return "it is no program, and no script either; begin it with a line such as #!/bin/sh"
    return f"{error.strerror}; mend it"


def _why(ended: bounded.Ended, seconds: int, stopped: bool) -> str:
    if ended.status is None:
        return "was ended, as the guest is to stop" if stopped else f"was ended after {seconds} s (hook_timeout)"
    return f"ended by signal {-ended.status}" if ended.status < 0 else f"failed with status {ended.status}"


def _words(said: str) -> str:
    return " / ".join(said.splitlines()[-LINES:]) or "it said nothing"


def _ends(status: int | None, crash: str) -> dict[str, str]:
    return {"CHYVES_STATUS": "" if status is None else str(status), "CHYVES_CRASH": crash}


def find(holding: GuestHolding, event: str) -> Path | None:
    """The hook of an event, or None where there is none; raises ChyvesError for one that others may have changed.

    PermissionError where this user may not look.
    """
    below = holding.mountpoint / DIRECTORY
    program = below / event
    try:
        program.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    for path in (holding.mountpoint, below, program):
        _refuse(holding, event, path)
    if not stat.S_ISREG(program.lstat().st_mode):
        raise ChyvesError(f"{holding.name}: hook {event}: {program} is no plain file; put the program itself there")
    if not program.lstat().st_mode & stat.S_IXUSR:
        raise ChyvesError(f"{holding.name}: hook {event}: cannot be executed; use: chmod 0755 {program}")
    return program


def _refuse(holding: GuestHolding, event: str, path: Path) -> None:
    """Refuse what is not of the host's own user, or may be written by others: it runs as root."""
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode) and path.name == DIRECTORY:
        raise ChyvesError(f"{holding.name}: hook {event}: {path} is a link; put a directory there")
    if facts.st_uid != holding.host.owner:
        raise ChyvesError(f"{holding.name}: hook {event}: {path} is not root's own; use: chown root {path}")
    if facts.st_mode & OTHERS and not stat.S_ISLNK(facts.st_mode):
        raise ChyvesError(f"{holding.name}: hook {event}: others may write {path}; use: chmod go-w {path}")


def check(holding: GuestHolding) -> None:
    """Raise ChyvesError for a hook that would be refused when its turn comes."""
    for event in EVENTS:
        find(holding, event)


def environment(holding: GuestHolding, event: str, state: running.Running) -> dict[str, str]:
    """What a hook is told of its guest; what there are several of has blanks between."""
    guest: Guest = holding.properties
    path = holding.host.path
    facts: dict[str, object] = {
        "GUEST": holding.name,
        "EVENT": event,
        "VM": names.vm(holding.name),
        "POOL": holding.pool.name,
        "DATASET": holding.dataset,
        "DIRECTORY": holding.mountpoint,
        "UUID": guest.uuid or "",
        "DISKS": " ".join(state.disks),
        "TAPS": " ".join(state.taps),
        "INTERFACES": " ".join(guest.net_ifaces),
        "CONSOLE": path(f"/dev/{guest.serial}B") if guest.serial else "",
        "MEDIUM": state.medium or "",
        "PID": state.bhyve or "",
        "REBOOTS": state.reboots,
    }
    return {f"CHYVES_{name}": str(value) for name, value in facts.items()}


def print_prestart(holding: GuestHolding, state: running.Running) -> None:
    """Print the line of prestart, for a dry run."""
    program = find(holding, "prestart")
    if program is not None:
        words = [f"{name}={value}" for name, value in environment(holding, "prestart", state).items()]
        holding.host.run.do("env", *words, str(program))


def end_left_over(host: Host, name: str, state: running.Running | None) -> None:
    """End the hook of a guest whose supervisor was killed."""
    if state is None or state.hook is None:
        return
    if f"/{name}/{DIRECTORY}/" in (host.processes.title(state.hook) or ""):
        bounded.end_group(state.hook)
    state.hook = None
