"""Have a running guest's properties read again at its next boot, which else come from its start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.guests import leftovers, prepare, running
from chyves.guests.diff import changes
from chyves.guests.each import each
from chyves.guests.held import Held
from chyves.host.interfaces import Interface
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import check_vlans, for_start
from chyves.nics import vlans
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest
from chyves.targets import Target, named


def reload(host: Host, guest: Target) -> None:
    """Check the properties of running guests, tell what will change, and have them read at the next boot."""
    found = Holdings.read(host).find(guest)
    named_ones, runs = named(guest), running.all_supervised(host)
    wanted = [holding for holding in found if holding.name in named_ones or holding.name in runs]
    if wanted:
        with host.locks.hold("all"):
            holdings, held, existing = leftovers.settled(host), Held(host), host.interfaces.all()
            each(host, wanted, lambda holding: _reload(holdings, holding.name, held, existing))


def _reload(holdings: Holdings, name: str, held: Held, existing: Mapping[str, Interface]) -> None:
    host = holdings.host
    with host.locks.hold(f"guest.{name}"):
        holding = holdings.guest(name)
        state = running.read(host, name)
        if state is None or running.supervisor(host, name) is None:
            raise ChyvesError(f"{name}: does not run; its properties are read when it starts")
        _check(holdings, holding, state, held, existing)
        for line in changes(holding, state) if state.properties else ("what it runs with was not written down",):
            host.terminal.say(1, f"{name}: {line}")
        with Undo() as undo:
            undo.do(lambda: host.files.write(_mark(host, name), ""))
            host.events.note("reloaded", name)
        host.terminal.say(1, f"{name}: its properties are read again at its next boot")


def _check(
    holdings: Holdings, holding: GuestHolding, state: running.Running, held: Held, existing: Mapping[str, Interface]
) -> None:
    """Refuse what the guest could not boot with; raises ChyvesError."""
    for warning in prepare.lines(holdings, holding, state.medium).warnings:
        holdings.host.terminal.warn(warning)
    prepare.refuse_used(holding, held, state)
    has = Guest(holding.name, state.properties).net_ifaces
    guest, settings = holding.properties, holdings.globals
    new = [interface for interface in guest.net_ifaces if interface not in has]
    for_start(holding.name, new, settings, existing, guest.tap_mtu, vlans(guest))
    check_vlans(holding.name, guest.net_ifaces, settings, existing, vlans(guest))


def _mark(host: Host, name: str) -> Path:
    """The file that asks a guest's supervisor to read the properties again."""
    return running.directory(host, name) / "reload"


def asked(host: Host, name: str) -> bool:
    """Whether the properties are to be read again at the next boot."""
    return _mark(host, name).exists()


def done(host: Host, name: str) -> None:
    """They have been read, or could not be."""
    host.files.remove(_mark(host, name))
