"""Begin anew with what the firmware of a guest keeps for it."""

from __future__ import annotations

from chyves.bhyve.firmware import has_variables, missing
from chyves.errors import ChyvesError
from chyves.guests import leftovers, rollback, running, variables
from chyves.guests.template import refuse_template
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import GuestHolding, Holdings


def reset(host: Host, guest: str, yes: bool = False) -> None:
    """Put empty variables in the place of those of a guest that is off, after asking; raises ChyvesError."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        _refuse(host, holdings, holding)
        empty = variables.empty(holdings, holding.properties)
        lines = [f"{variables.file(holding)} will be as empty as {empty}"]
        if not (host.dry or host.terminal.confirm(f"{guest}: lose its UEFI variables?", yes, lines, named=True)):
            return
        with Undo() as undo:
            undo.do(lambda: variables.begin(holdings, holding))
            host.events.note("vars_reset", guest)
    host.terminal.say(1, f"{guest}: has empty UEFI variables")


def _refuse(host: Host, holdings: Holdings, holding: GuestHolding) -> None:
    name = holding.name
    refuse_template(holding)
    rollback.refuse_unfinished(holdings, name)
    if not has_variables(holding.properties):
        raise ChyvesError(f"{name}: keeps no UEFI variables; set loader=uefi and uefi_vars=yes for that")
    if variables.empty(holdings, holding.properties) is None:
        raise ChyvesError(missing(holding.properties))
    if running.living(host, name) is not None:
        raise ChyvesError(f"{name}: runs; stop it first: chyves {name} stop")
