"""The map of a guest's PCI buses: which device sits where."""

from __future__ import annotations

from chyves.bhyve.launch import bus
from chyves.bhyve.slots import places
from chyves.cli.tables import Column, Row, Table
from chyves.guests import prepare
from chyves.host.machine import Host
from chyves.masking import masked
from chyves.pools.holdings import Holdings

COLUMNS = (
    Column("bus", "Bus", right=True),
    Column("slot", "Slot", right=True),
    Column("function", "Function", right=True),
    Column("names", "Device"),
    Column("line", "As bhyve has it"),
)


def slots(host: Host, guest: str) -> Table:
    """What sits where on each bus, as at the next start. Raises ChyvesError where there is no room for all."""
    holdings = Holdings.read(host)
    holding = holdings.guest(guest)
    facts = prepare.facts(holdings, holding)
    named: dict[tuple[int, int, int], list[str]] = {}
    for name, place in places(holding.properties, facts).items():
        named.setdefault(place.spot, []).append(name)
    rows = [
        Row(
            {"bus": place.bus, "slot": place.slot, "function": place.function, "names": [*found], "line": masked(line)},
            {"names": ", ".join(found) or "-"},
        )
        for place, line in bus(holding.properties, facts).items()
        for found in [named.get(place.spot, [])]
    ]
    return Table("slots", COLUMNS, tuple(rows))
