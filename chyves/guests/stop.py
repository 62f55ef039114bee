"""Shut guests down: by their ACPI button, by their agent where they have no button, or by pulling the plug."""

from __future__ import annotations

import signal

from chyves import names
from chyves.bhyve import arm64
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

BUTTON, AGENT = ("its power button", "is pressed"), ("its guest agent's shutdown", "is under way")
"""By what a guest is asked to go off, and how that is, for messages."""
PATIENCE = 10
"""Seconds that each step of pulling the plug is given."""


def stop(host: Host, guest: Target, how: str | None = None) -> None:
    """Stop guests; with `force` at once, else by their ACPI button, waiting stop_timeout seconds for each.

    Those on arm64 have no button, and their agents are asked. All are asked before the first is waited for.
    """
    wanted = Holdings.read(host).find(guest)
    wanted = [holding for holding in wanted if holding.name in named(guest) or running.recorded_of(host, holding.name)]
    if how == "force":
        each(host, wanted, lambda holding: force_off(host, holding.name))
        return
    with Undo():  # so that a signal meanwhile is acted on where they are waited for, and told what they are then
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
    """Press the button through the supervisor, which also sees to it that the guest stays off; the supervisor.

    Where the guest has no button, its agent is asked.
    """
    if asked_by(host, name) is AGENT:
        return _ask_agent(host, name)
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


def asked_by(host: Host, name: str) -> tuple[str, str]:
    """What asks a guest to go off: on arm64, where SIGTERM would pull the plug (freebsd.md 1.9), its agent."""
    state = running.read(host, name)
    return AGENT if state is not None and state.properties.get("loader") == arm64.LOADER else BUTTON


def _ask_agent(host: Host, name: str) -> int:
    """Have a guest's agent shut it down; the supervisor, which has been told that it is to stay off."""
    from chyves.guests.agent_shutdown import ask
    from chyves.guests.agent_verbs import has_port

    if not has_port(host, name):
        raise ChyvesError(
            f"{name}: has no power button, as no guest on {arm64.MACHINE} has; shut it down from inside, have its "
            f"agent do so (agent=yes, from the next start on), or pull the plug: chyves {name} stop force"
        )
    return ask(host, name)[0]


def _stop(host: Host, holding: GuestHolding, pressed: bool) -> None:
    asked = asked_by(host, holding.name)
    supervisor = running.supervisor(host, holding.name) if pressed else press(host, holding.name)
    await_off(host, holding, supervisor, *asked)


def await_off(host: Host, holding: GuestHolding, supervisor: int | None, asked: str, how: str) -> None:
    """Wait stop_timeout seconds for a guest that was asked to go off, by what and how is for the messages."""
    name, seconds = holding.name, _patience(holding)
    with told(name, f"{asked} {how}, so that it may still go off; see: chyves list"):
        host.terminal.say(1, f"{name}: stopping")
        if supervisor is not None and not host.dry and not host.processes.wait_for_end(supervisor, seconds):
            raise ChyvesError(
                f"{name}: did not react to {asked} within {seconds} s (stop_timeout); "
                f"try again, or pull the plug: chyves {name} stop force"
            )
    all_off(host, name)


def all_off(host: Host, name: str) -> None:
    """Free what is left of a guest that has gone off, and say that it has."""
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
    _kill_with_children(host, supervisor)
    if not host.processes.wait_for_end(supervisor, patience):
        raise ChyvesError(f"{name}: process {supervisor} cannot be ended; see: ps -l -p {supervisor}")


def _kill_with_children(host: Host, supervisor: int) -> None:
    """Kill a supervisor and the programs it waits for: one that hangs would free later what others have by then."""
    host.processes.signal(supervisor, signal.SIGSTOP)  # it begins no other meanwhile
    begun: list[int] = []
    try:
        begun = host.processes.children(supervisor)
    finally:
        for pid in (supervisor, *begun):
            host.processes.signal(pid, signal.SIGKILL)
