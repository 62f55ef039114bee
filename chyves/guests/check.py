"""Whether guests could start now: everything that a start looks at first, without the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from chyves.bhyve.facts import HostFacts
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError, Denied, Vanished
from chyves.guests import prepare, rollback, running
from chyves.guests.each import concerned
from chyves.guests.held import Held
from chyves.guests.memory import Memory
from chyves.host.facts import host_facts
from chyves.host.interfaces import Interface
from chyves.host.machine import Host
from chyves.network.plan import check_vlans, for_start, taps
from chyves.nics import vlans
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest
from chyves.targets import Target

COLUMNS = (Column("guest", "Guest"), Column("ready", "Ready"), Column("reason", "Reason"))


@dataclass(frozen=True)
class Seen:
    """What is looked at once for all guests: what others hold, the memory, the host's facts and interfaces."""

    held: Held
    memory: Memory
    facts: Callable[[bool], HostFacts]
    interfaces: Callable[[], Mapping[str, Interface]]


def check(host: Host, guest: Target) -> Table:
    """Whether each guest could start; of one that runs, whether it could start again with what is set now.

    What failed is that one could not. Templates are looked at only where they are named.
    """
    holdings = Holdings.read(host)
    wanted = concerned(host, holdings.find(guest), guest, _starts)
    facts = cache(lambda passthrough: host_facts(host, passthrough))
    seen = Seen(Held(host), Memory(host), facts, cache(host.interfaces.all))
    rows = tuple(_row(holdings, holding, seen) for holding in wanted)
    lacking = [str(row.values["guest"]) for row in rows if not row.values["ready"]]
    failed = f"{', '.join(lacking)}: could not start; see above why" if lacking else ""
    return Table("checks", COLUMNS, rows, failed=failed)


def _starts(holding: GuestHolding) -> bool:
    """Whether a guest is one to look at: no template, also where its properties cannot be read, as its row tells."""
    try:
        return not holding.properties.template
    except (Denied, Vanished):
        raise
    except ChyvesError:
        return True


def _row(holdings: Holdings, holding: GuestHolding, seen: Seen) -> Row:
    try:
        warnings = _looked_at(holdings, holding, seen)
        lacking = seen.memory.lacking(holdings, holding.properties)
    except ChyvesError as error:
        return _told(holding, str(error).removeprefix(f"{holding.name}: "), ())
    except PermissionError as error:  # hooks, shares and files that the guest's properties name may be for root alone
        return _told(holding, f"only root may look at {error.filename}; do this as root", ())
    return _told(holding, None, (*warnings, lacking) if lacking else warnings)


def _told(holding: GuestHolding, reason: str | None, warnings: tuple[str, ...]) -> Row:
    values: dict[str, Value] = {
        "guest": holding.name,
        "ready": reason is None,
        "reason": reason,
        "warnings": [*warnings],
    }
    told = "; ".join(warning.removeprefix(f"{holding.name}: ") for warning in warnings)
    return Row(values, {"ready": "YES" if reason is None else "NO", "reason": reason or told or "-"})


def _looked_at(holdings: Holdings, holding: GuestHolding, seen: Seen) -> tuple[str, ...]:
    """What is to be warned of; raises ChyvesError for what a start would be refused for."""
    guest, name = holding.properties, holding.name
    rollback.refuse_unfinished(holdings, name)
    launch = prepare.lines(holdings, holding, None, seen.facts(bool(guest.pcidev)))
    state = running.living(holdings.host, name)
    if state is None:
        prepare.refuse_taken(holdings, holding, seen.held)
    else:
        prepare.refuse_used(holding, seen.held, state)
    has = Guest(name, state.properties or guest.text).net_ifaces if state else ()
    new = [interface for interface in guest.net_ifaces if interface not in has]
    if taps(new):
        for_start(name, new, holdings.globals, seen.interfaces(), guest.tap_mtu, vlans(guest))
    if taps(guest.net_ifaces):
        check_vlans(name, guest.net_ifaces, holdings.globals, seen.interfaces(), vlans(guest))
    return launch.warnings
