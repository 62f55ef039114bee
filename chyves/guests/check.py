"""Whether guests could start now: everything that a start looks at first, without the start."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from chyves.bhyve.facts import HostFacts
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError
from chyves.guests import prepare, rollback, running
from chyves.guests.each import concerned
from chyves.guests.held import Held
from chyves.host.facts import host_facts
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.targets import Target

COLUMNS = (Column("guest", "Guest"), Column("ready", "Ready"), Column("reason", "Reason"))


def check(host: Host, guest: Target) -> Table:
    """Whether each guest could start; of one that runs, whether it could start again with what is set now.

    What failed is that one could not. Templates are looked at only where they are named.
    """
    holdings = Holdings.read(host)
    wanted = concerned(host, holdings.find(guest), guest, lambda holding: not holding.properties.template)
    asked = cache(lambda passthrough: host_facts(host, passthrough))
    held = Held(host)
    rows = tuple(_row(holdings, holding, held, asked) for holding in wanted)
    lacking = [str(row.values["guest"]) for row in rows if not row.values["ready"]]
    failed = f"{', '.join(lacking)}: could not start; see above why" if lacking else ""
    return Table("checks", COLUMNS, rows, failed=failed)


def _row(holdings: Holdings, holding: GuestHolding, held: Held, asked: Callable[[bool], HostFacts]) -> Row:
    try:
        warnings = _looked_at(holdings, holding, held, asked)
    except ChyvesError as error:
        return _told(holding, str(error).removeprefix(f"{holding.name}: "), ())
    return _told(holding, None, warnings)


def _told(holding: GuestHolding, reason: str | None, warnings: tuple[str, ...]) -> Row:
    values: dict[str, Value] = {
        "guest": holding.name,
        "ready": reason is None,
        "reason": reason,
        "warnings": [*warnings],
    }
    return Row(values, {"ready": "YES" if reason is None else "NO", "reason": reason or "; ".join(warnings) or "-"})


def _looked_at(
    holdings: Holdings, holding: GuestHolding, held: Held, asked: Callable[[bool], HostFacts]
) -> tuple[str, ...]:
    """What is to be warned of; raises ChyvesError for what a start would be refused for."""
    guest, name = holding.properties, holding.name
    rollback.refuse_unfinished(holdings, name)
    launch = prepare.lines(holdings, holding, None, asked(bool(guest.pcidev)))
    state = running.living(holdings.host, name)
    if state is None:
        prepare.refuse_taken(holdings, holding, held)
    else:
        prepare.refuse_used(holding, held, own_port=state.vnc_port)
    return launch.warnings
