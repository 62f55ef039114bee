"""What is set otherwise than running guests run with: it counts when their properties are read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chyves.cli.tables import Column, Row, Table
from chyves.errors import ChyvesError
from chyves.guests import prepare, running
from chyves.guests.each import concerned
from chyves.host.machine import Host
from chyves.masking import holds_secret
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest
from chyves.section import When
from chyves.targets import Target

COLUMNS = (
    Column("guest", "Guest"),
    Column("property", "Property"),
    Column("running", "Running"),
    Column("configured", "Configured"),
)
DISK = "disk"


class Change(NamedTuple):
    """A property, or a disk's path, with what a guest runs with and what is set now; empty for none."""

    name: str
    runs: str
    will: str
    secret: bool = False

    def __str__(self) -> str:
        if self.secret:
            return f"{self.name}: is read again; it is a secret, so that nothing is written down of what it was"
        if self.name == DISK:
            return f"{self.will} comes" if self.will else f"{self.runs} goes"
        return f"{self.name}: {self.runs or '(not set)'} becomes {self.will or '(not set)'}"


def diff(host: Host, guest: Target) -> Table:
    """What is different for guests that run. Raises ChyvesError for one that is named and does not."""
    holdings = Holdings.read(host)
    wanted = concerned(host, holdings.find(guest), guest, lambda holding: bool(running.living(host, holding.name)))
    rows = [Row({"guest": holding.name, **_values(each)}) for holding in wanted for each in _of(host, holding)]
    return Table("changes", COLUMNS, tuple(rows))


def _of(host: Host, holding: GuestHolding) -> Iterator[Change]:
    state = running.living(host, holding.name)
    if state is None:
        raise ChyvesError(
            f"{holding.name}: does not run; what is set counts when it starts: chyves {holding.name} get all"
        )
    return changes(holding, state)


def _values(change: Change) -> dict[str, str | None]:
    return {"property": change.name, "running": change.runs or None, "configured": change.will or None}


def changes(holding: GuestHolding, state: running.Running) -> Iterator[Change]:
    """What will be different from what the guest runs with; raises ChyvesError where that was not written down."""
    if not state.properties:
        raise ChyvesError(f"{holding.name}: what it runs with was not written down by the chyves that started it")
    before, after = Guest(holding.name, state.properties), holding.properties
    for name in sorted({*before.text, *after.text}):
        row = Guest.row(name)
        was, will = before.text.get(name, ""), after.text.get(name, "")
        if holds_secret(f"{name}={will}"):
            yield Change(name, "", "", secret=True)
        elif row is not None and row.when is When.START and was != will:
            yield Change(name, was, will)
    disks = prepare.held_disks(holding)
    yield from (Change(DISK, "", path) for path in disks if path not in state.disks)
    yield from (Change(DISK, path, "") for path in state.disks if path not in disks)
