"""Shut guests down: by their ACPI button, or by pulling the plug."""

from __future__ import annotations

import signal

from chyves import names
from chyves.errors import Busy, ChyvesError
from chyves.guests import running
from chyves.guests.each import each
from chyves.guests.leftovers import settle_guest
from chyves.guests.reclaim import UNKILLABLE, clear
from chyves.host.machine import Host
from chyves.host.signals import told
from chyves.host.undo import Undo
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest
from chyves.targets import Target, named

PATIENCE = 10
"""Seconds that each step of pulling the plug is given."""


def stop(host: Host, guest: Target, how: str | None = None) -> None:
    """Stop guests; with `force` at once, else by their ACPI button, waiting stop_timeout seconds for each.

    All buttons are pressed before the first is waited for.
    """
    wanted = Holdings.read(host).find(guest)
    wanted = [holding for holding in wanted if holding.name in named(guest) or running.recorded_of(host, holding.name)]
    if how == "force":
        each(host, wanted, lambda holding: force_off(host, holding.name))
        return
    pressed = {holding.name for holding in wanted if len(wanted) > 1 and _press_quietly(host, holding.name)}
    rest = "not waited for, with their buttons pressed" if pressed else "not begun"
    each(host, wanted, lambda holding: _stop(host, holding, holding.name in pressed), rest)


def _press_quietly(host: Host, name: str) -> bool:
    """Press a guest's button; False where it could not be, which is told when its turn comes."""
    try:
        press(host, name)
    except ChyvesError:
        return False
    return True


def press(host: Host, name: str) -> int:
    """Press the button through the supervisor, which also sees to it that the guest stays off; the supervisor."""
    try:
        with host.locks.hold(f"guest.{name}"):
            settle_guest(host, name)
            supervisor = running.supervisor(host, name)
            if supervisor is None:
                raise ChyvesError(f"{name}: does not run")
            host.processes.signal(supervisor, signal.SIGTERM)
            return supervisor
    except Busy as error:
        raise Busy(f"{error}, or pull the plug: chyves {name} stop force") from None


def _stop(host: Host, holding: GuestHolding, pressed: bool) -> None:
    name, seconds = holding.name, _patience(holding)
    supervisor = running.supervisor(host, name) if pressed else press(host, name)
    with told(name, "its power button is pressed, so that it may still go off; see: chyves list"):
        host.terminal.say(1, f"{name}: stopping")
        if supervisor is not None and not host.dry and not host.processes.wait_for_end(supervisor, seconds):
            raise ChyvesError(
                f"{name}: did not react to its power button within {seconds} s (stop_timeout); "
                f"try again, or pull the plug: chyves {name} stop force"
            )
    with Undo():
        free_rest(host, name)
    host.terminal.say(2, f"{name}: is off", logged=True)


def _patience(holding: GuestHolding) -> int:
    """Seconds that a guest is given; one whose file cannot be read any more can be stopped all the same."""
    try:
        return holding.properties.stop_timeout
    except ChyvesError as error:
        seconds = Guest(holding.name, {}).stop_timeout
        holding.host.terminal.warn(f"{error}; {holding.name} is given {seconds} s to go off")
        return seconds


def free_rest(host: Host, name: str) -> None:
    """Free what the supervisor could not, or did not live to; raises ChyvesError for what cannot be."""
    if running.recorded_of(host, name) and not host.dry:
        with host.locks.hold(f"guest.{name}"):
            state = running.read(host, name)
            if state is not None and running.supervisor(host, name) is None:
                host.terminal.say(2, f"{name}: freeing what its supervisor has left")
                clear(host, name, state)


def force_off(host: Host, name: str, patience: float = PATIENCE) -> None:
    """Pull a guest's plug: power off by the kernel, then kill, then destroy (bhyvectl(8)); raises ChyvesError.

    `patience` is how many seconds each of the steps is given.
    """
    state, supervisor = running.read(host, name), running.supervisor(host, name)
    if state is None and supervisor is None and not running.vmm(host, name):
        raise ChyvesError(f"{name}: does not run")
    with Undo():
        _pull(host, name, state, supervisor, patience)


def _pull(host: Host, name: str, state: running.Running | None, supervisor: int | None, patience: float) -> None:
    host.terminal.say(1, f"{name}: pulling the plug")
    if supervisor is not None:
        host.processes.signal(supervisor, signal.SIGUSR1)
    if state is not None and state.loader is not None:
        host.processes.signal(state.loader, signal.SIGKILL)
    _power_off(host, name)
    if supervisor is not None and not host.dry and not host.processes.wait_for_end(supervisor, patience):
        _kill(host, name, supervisor, patience)
    if running.supervisor(host, name) is None or host.dry:
        clear(host, name, running.read(host, name), patience)
    host.terminal.say(2, f"{name}: is off", logged=True)


def _power_off(host: Host, name: str) -> None:
    """Let the kernel end the guest; it may have ended by itself meanwhile, so that a failure decides nothing."""
    if running.vmm(host, name):
        try:
            host.run.do("bhyvectl", f"--vm={names.vm(name)}", "--force-poweroff")
        except ChyvesError as error:
            host.terminal.say(2, f"{name}: {error}")


def _kill(host: Host, name: str, supervisor: int, patience: float) -> None:
    """Kill what did not end: a loader or bhyve first, then the supervisor itself, unless that has these to wait for."""
    state = running.read(host, name)
    found = {"the loader": state.loader, "bhyve": state.bhyve} if state else {}
    programs = {what: pid for what, pid in found.items() if pid is not None}
    for pid in programs.values():
        host.processes.signal(pid, signal.SIGKILL)
    if host.processes.wait_for_end(supervisor, patience):
        return
    for what, pid in programs.items():
        if host.processes.alive(pid):
            raise ChyvesError(f"{name}: {what}, process {pid}, {UNKILLABLE.format(pid)}")
    host.processes.signal(supervisor, signal.SIGKILL)
    if not host.processes.wait_for_end(supervisor, patience):
        raise ChyvesError(f"{name}: process {supervisor} cannot be ended; see: ps -l -p {supervisor}")
