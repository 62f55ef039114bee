"""Which guests run, as a service tells it: in words, and by the exit status."""

from __future__ import annotations

from chyves.cli.tables import Column, Row, Table
from chyves.guests import crashes, running
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings
from chyves.targets import Target, named

COLUMNS = (Column("guest", "Guest"), Column("running", "Running"), Column("started", "Since"))


def status(host: Host, guest: Target) -> Table:
    """The guests named, and those of the others that run; what failed is that one named does not run, or none does."""
    found = {holding.name: running.living(host, holding.name) for holding in Holdings.read(host).find(guest)}
    found = {name: state for name, state in found.items() if state or name in named(guest)}
    off = [name for name, state in found.items() if state is None or running.crashed(state)]
    wrong = f"{', '.join(off)}: does not run" if off else ""
    if not found:
        wrong = "no guest runs; start one with: chyves GUEST start"
    return Table("guests", COLUMNS, tuple(_row(name, state) for name, state in found.items()), failed=wrong)


def _row(name: str, state: running.Running | None) -> Row:
    values = {"guest": name, "running": None, "started": state.started if state else None}
    if state is not None and running.crashed(state):
        return Row(values, {"running": f"NO, {crashes.told(state)}"})
    pid = (state.bhyve or state.supervisor) if state else None
    return Row({**values, "running": pid}, {"running": "NO" if pid is None else f"YES ({pid})"})
