"""Free clones from their parents: each takes over the snapshots that it hangs on, and its parent becomes the clone."""

from __future__ import annotations

from chyves.errors import ChyvesError
from chyves.guests import leftovers, succession
from chyves.guests.each import each
from chyves.guests.lineage import origins, owner
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.targets import Target, named


def promote(host: Host, guest: Target) -> None:
    """Promote guests, each with all its datasets or not at all; who is named and no clone is refused before any."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        wanted = [holding for holding in holdings.find(guest) if holding.name in named(guest) or any(origins(holding))]
        for holding in wanted:
            _refuse(host, holding)
        each(host, wanted, lambda holding: _promote(host, holding.name))


def _refuse(host: Host, holding: GuestHolding) -> None:
    """Refuse what is no clone, and one that has a snapshot of the same name as one that would come to it."""
    hanging = {origin.dataset: origin.snapshot for origin in origins(holding)}
    if not hanging:
        raise ChyvesError(f"{holding.name}: is no clone, so that it hangs on nothing; see: chyves list clones")
    heads = {name: snapshot.partition("@")[0] for name, snapshot in hanging.items()}
    both = dict.fromkeys((*heads, *heads.values()))
    rows = host.zfs.list(*both, properties=("name", "createtxg"), types="snapshot", depth=1)
    taken = {row["name"]: int(row["createtxg"]) for row in rows}
    for name, head in heads.items():
        last = taken.get(hanging[name], 0)
        moving = {snap.partition("@")[2] for snap, txg in taken.items() if snap.startswith(f"{head}@") and txg <= last}
        twice = ", ".join(sorted(f"@{tag}" for tag in moving if f"{name}@{tag}" in taken))
        if twice:
            raise ChyvesError(
                f"{holding.name}: {name} has {twice}, as {head}, whose would come to it; rename one with: zfs rename"
            )


def _promote(host: Host, name: str) -> None:
    """Promote one guest, whose origins the one before it may have changed."""
    holdings = Holdings.read(host)
    holding = holdings.guest(name)
    with host.locks.hold(f"guest.{name}"):
        _refuse(host, holding)
        hanging = list(origins(holding))
        host.terminal.say(1, f"{name}: promoting")
        succession.succeed(holdings, name, {origin.dataset: origin.snapshot for origin in hanging})
    former = hanging[0].guest or hanging[0].snapshot.partition("@")[0]
    host.terminal.say(2, f"{name}: hangs on {former} no more, which is its clone now")
    above = [holding.pool.rows.get(origin.snapshot.partition("@")[0], {}).get("origin", "-") for origin in hanging]
    for snapshot in above:
        if snapshot != "-":
            heir = owner(holding.pool, snapshot) or snapshot
            host.terminal.say(
                1, f"{name}: is a clone of {heir} now, as {former} was; promote it again to be free of that"
            )
            return
