"""What comes between two boots of a guest: it goes back to a snapshot, or its properties are read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from chyves.errors import Busy, ChyvesError, Interrupted
from chyves.guests import leftovers, prepare, reload, revert, running, screen
from chyves.guests.held import Held
from chyves.guests.journal import Journal
from chyves.guests.reclaim import free_vmm
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import for_start, held_taps
from chyves.network.taps import carry_out, take_down
from chyves.nics import vlans
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest

PATIENCE = 1
"""Seconds of waiting for other commands, between two looks at whether the guest is to end."""


def read_again(
    host: Host, guest: Guest, state: running.Running, journal: Journal, ending: Callable[[], bool]
) -> Holdings | None:
    """Do what is to be done before a guest's next boot; all that there is then, or None where nothing has changed.

    `guest` are the properties that it ran with, `state` what is written down of it, whose taps may become others.
    Raises ChyvesError where the guest cannot boot again, Interrupted where a signal has ended it meanwhile.
    """
    name = guest.owner
    reloads = reload.asked(host, name)
    if not reloads and not revert.wanted(guest, "reboot"):
        return None
    with _alone(host, name, ending):
        holdings = leftovers.settled(host)
        holding = holdings.guest(name)
        says = holding.properties if reloads else guest
        reverted = revert.wanted(says, "reboot") and revert.revert(host, holdings, holding, says, "reboot")
        if reverted:
            holdings = Holdings.read(host)
            holding = holdings.guest(name)
        try:
            _ready(host, holdings, holding, state)
        except Interrupted:
            raise
        except ChyvesError as error:
            if reverted:
                raise
            journal.write(1, f"properties are not read again, it goes on with those it had: {error}")
            return None
        finally:
            if reloads:
                reload.done(host, name)
        journal.write(1, "properties are read again")
        return holdings


@contextmanager
def _alone(host: Host, name: str, ending: Callable[[], bool]) -> Iterator[None]:
    """Hold the locks of a command that changes the guest, however long others do; raises ChyvesError at its end."""
    with ExitStack() as held:
        while True:
            if ending():
                raise ChyvesError(f"{name}: was stopped when it was about to boot again")
            with suppress(Busy):
                held.enter_context(host.locks.hold("all", f"guest.{name}", wait=PATIENCE))
                break
        yield


def _ready(host: Host, holdings: Holdings, holding: GuestHolding, state: running.Running) -> None:
    """Check all as for a start, make the taps that came, and destroy those that went; raises ChyvesError."""
    free_vmm(host, holding.name)
    read, holding.properties = holding.properties, screen.guarded(host, holding.properties)
    prepare.lines(holdings, holding, state.medium)
    prepare.preflight(holdings, holding, Held(host))
    prepare.keep(holdings, holding, read)
    interfaces = holding.properties.net_ifaces
    existing, before = host.interfaces.all(), state.taps
    steps = for_start(
        holding.name, interfaces, holdings.globals, existing, holding.properties.tap_mtu, vlans(holding.properties)
    )
    state.taps = list(dict.fromkeys((*before, *held_taps(steps, interfaces, existing))))
    running.write(host, holding.name, state)
    try:
        with Undo() as undo:
            carry_out(host, undo, steps)
    except ChyvesError:
        state.taps = before
        raise
    gone = [tap for tap in state.taps if tap not in interfaces]
    take_down(host, gone)
    state.taps = [tap for tap in state.taps if tap not in gone]
