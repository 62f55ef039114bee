"""Consoles in tmux(1): the session `chyves`, with a window a guest: on its left a shell, on its right the console."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import chyves
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.console import line_of
from chyves.guests.each import concerned
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings
from chyves.targets import Target

SESSION = "chyves"
EXACT = f"={SESSION}"
"""How tmux is told that the whole name is meant, not one that begins so."""

CURRENT = f"{EXACT}:"
"""The session's current window: a guest's name could not be told from `window.pane`."""


def tmux(host: Host, guest: Target) -> None:
    """Become tmux with the session before the user, the first guest's window in front.

    A window that is there is kept as it is. Within tmux its client is switched to the session; without a terminal the
    session is only made. Raises ChyvesError.
    """
    wanted = Holdings.read(host).find(guest)
    wanted = concerned(host, wanted, guest, lambda holding: holding.properties.serial is not None)
    for holding in wanted:
        line_of(holding)
    if not wanted:
        raise ChyvesError("all: no guest has a serial console; give one of them one with: chyves GUEST set serial=...")
    commands = [*_windows_of(host, [holding.name for holding in wanted]), *_shown(host, wanted[0].name)]
    if commands:
        host.run.become("tmux", *_joined(commands))


def _shown(host: Host, name: str) -> list[list[str]]:
    """The command that brings the session before the user, where there is a terminal."""
    if "TMUX" in host.run.user:
        return [["switch-client", "-t", EXACT]]
    if sys.stdin.isatty() and sys.stdout.isatty():
        return [["attach-session", "-t", EXACT]]
    host.terminal.say(1, f"{name}: there is no terminal here; see it on one with: tmux attach -t {SESSION}")
    return []


def _windows_of(host: Host, names: Sequence[str]) -> list[list[str]]:
    """The commands that make the windows that are missing, and bring the first guest's to the front."""
    windows = _windows(host)
    commands: list[list[str]] = []
    for name in reversed(names):  # the last window made is the one in front
        if name not in (windows or {}):
            commands += _window(host, name, begin=windows is None and not commands)
    if windows and names[0] in windows:
        commands.append(["select-window", "-t", windows[names[0]]])
    return commands


def _windows(host: Host) -> dict[str, str] | None:
    """The session's windows, names to numbers, None where there is no session; raises ChyvesError without tmux."""
    status, said = host.run.probe("tmux", "list-windows", "-t", EXACT, "-F", "#{window_name} #{window_id}")
    return dict(line.split(" ", 1) for line in said.splitlines()[::-1] if " " in line) if status == 0 else None


def _window(host: Host, name: str, begin: bool) -> list[list[str]]:
    """The commands that make a guest's window, each on the session's current one, and the session where it begins."""
    make = ["new-session", "-d", "-s", SESSION] if begin else ["new-window", "-t", CURRENT]
    # A server that runs already gives its windows its own environment.
    own = [f"-e{key}={value}" for key, value in host.run.user.items() if key.startswith("CHYVES_")]
    shell = host.run.user.get("SHELL", "/bin/sh")
    called = ("--", name) if name.startswith("-") else (name,)  # as 0.2.0 allowed
    join = f"{shlex.join((*_program(), *called, 'console'))}; exec {shlex.quote(shell)}"
    typed = "log -f" if running.living(host, name) else "start"
    return [
        [*make, *own, "-n", name, shell],
        ["split-window", "-h", "-t", CURRENT, *own, join],
        ["send-keys", "-t", f"{CURRENT}.{{left}}", "-l", f"chyves {shlex.join(called)} {typed} "],
    ]


def _program() -> tuple[str, ...]:
    """How chyves is called so that it is this one."""
    place = Path(chyves.__file__).parents[1]
    return ("env", f"PYTHONPATH={place}", sys.executable, "-m", "chyves")


def _joined(commands: Sequence[Sequence[str]]) -> list[str]:
    """One line of tmux that does several commands, one after the other."""
    words: list[str] = []
    for command in commands:
        words += [*([";"] if words else []), *command]
    return words
