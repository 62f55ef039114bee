"""Groups of guests: what the property `groups` of each says."""

from __future__ import annotations

from chyves.cli.tables import Column, Row, Table
from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings

COLUMNS = (Column("group", "Group"), Column("guests", "Guests"))


def show(host: Host) -> Table:
    """The groups, and the guests in each."""
    found = members(Holdings.read(host))
    return Table("groups", COLUMNS, tuple(Row({"group": group, "guests": [*found[group]]}) for group in sorted(found)))


def members(holdings: Holdings) -> dict[str, list[str]]:
    """The guests of each group; those whose groups cannot be read are warned of."""
    found: dict[str, list[str]] = {}
    for name, guest in holdings.each_properties(holdings.host.terminal.warn).items():
        try:
            for group in guest.groups:
                found.setdefault(group, []).append(name)
        except ChyvesError as error:
            holdings.host.terminal.warn(str(error))
    return found
