"""Free clones from their parents: each takes over the snapshots that it hangs on, and its parent becomes the clone."""

from __future__ import annotations

from collections.abc import Iterable

from chyves.errors import ChyvesError
from chyves.guests import leftovers, lineage, succession
from chyves.guests.each import each
from chyves.guests.lineage import origins, owner
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import GuestHolding, Holdings, Rows
from chyves.targets import Target, named


def promote(host: Host, guest: Target) -> None:
    """Promote guests, each with all its datasets or not at all; who is named and no clone is refused before any."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        wanted = [holding for holding in holdings.find(guest) if holding.name in named(guest) or any(origins(holding))]
        family = _Family(holdings, wanted)
        for holding in wanted:
            family.refuse(holding)
        each(host, wanted, lambda holding: family.promote(holding.name))


class _Family:
    """What hangs on what among some guests and those they were cloned from, asked once and kept as they are promoted.

    `snapshots` are those of each dataset by name, with the transaction that took each, `clones` what was cloned from a
    dataset. After a failure, which may have left anything, all is asked again.
    """

    def __init__(self, holdings: Holdings, wanted: Iterable[GuestHolding]) -> None:
        self.host = holdings.host
        self.names = [holding.name for holding in wanted]
        self._read(holdings)

    def _read(self, holdings: Holdings) -> None:
        self.holdings, self.certain, self.clones = holdings, True, lineage.cloned(holdings)
        hanging = [origin for name in self.names for origin in origins(holdings.guest(name))]
        both = dict.fromkeys(name for origin in hanging for name in (origin.dataset, origin.snapshot.partition("@")[0]))
        self.snapshots: dict[str, dict[str, int]] = {name: {} for name in both}
        columns = ("name", "createtxg")
        for row in self.host.zfs.list(*both, properties=columns, types="snapshot", depth=1) if both else ():
            head, _, tag = row["name"].partition("@")
            self.snapshots[head][tag] = int(row["createtxg"])

    def refuse(self, holding: GuestHolding) -> None:
        """Refuse what is no clone, and one that has a snapshot of the same name as one that would come to it."""
        hanging = list(origins(holding))
        if not hanging:
            raise ChyvesError(f"{holding.name}: is no clone, so that it hangs on nothing; see: chyves list clones")
        for origin in hanging:
            head, _, tag = origin.snapshot.partition("@")
            own = self.snapshots[origin.dataset]
            twice = ", ".join(sorted(f"@{moving}" for moving in self._moving(head, tag) if moving in own))
            if twice:
                raise ChyvesError(
                    f"{holding.name}: {origin.dataset} has {twice}, as {head}, whose would come to it; "
                    "rename one with: zfs rename"
                )

    def _moving(self, head: str, tag: str) -> dict[str, int]:
        """The snapshots of a dataset that go to a clone of one of them: that, and all older ones."""
        last = self.snapshots[head].get(tag, 0)
        return {older: txg for older, txg in self.snapshots[head].items() if txg <= last}

    def promote(self, name: str) -> None:
        """Promote one guest, whose origins those before it may have changed; raises ChyvesError, and then it is not."""
        if not self.certain:
            self._read(Holdings.read(self.host))
        self.certain = False
        holding = self.holdings.guest(name)
        with self.host.locks.hold(f"guest.{name}"):
            self.refuse(holding)
            hanging = list(origins(holding))
            self.host.terminal.say(1, f"{name}: promoting")
            with Undo():
                succession.succeed(self.holdings, name, {origin.dataset: origin.snapshot for origin in hanging})
                self.host.events.note("promoted", name)
        for origin in hanging:
            self._swap(holding.pool.rows, origin.dataset)
        self.certain = True
        former = hanging[0].guest or hanging[0].snapshot.partition("@")[0]
        self.host.terminal.say(2, f"{name}: hangs on {former} no more, which is its clone now")
        self._tell_of_next(holding, former, [origin.dataset for origin in hanging])

    def _swap(self, rows: Rows, dataset: str) -> None:
        """Note what zfs-promote(8) has done: snapshots went to the clone, and with them all that hangs on them."""
        head, _, tag = rows[dataset]["origin"].partition("@")
        moving = self._moving(head, tag)
        self.snapshots[dataset] |= moving
        self.snapshots[head] = {kept: txg for kept, txg in self.snapshots[head].items() if kept not in moving}
        above = rows[head]["origin"] if head in rows else "-"
        for clone in self.clones.pop(head):
            of, _, on = rows[clone]["origin"].partition("@")
            if of == head:  # which is no longer so of one that was promoted, or was a parent then
                self._hang(rows, clone, f"{dataset if on in moving else head}@{on}")
        self._hang(rows, dataset, above)
        self._hang(rows, head, f"{dataset}@{tag}")

    def _hang(self, rows: Rows, dataset: str, snapshot: str) -> None:
        if dataset in rows:
            rows[dataset]["origin"] = snapshot
            self.clones.setdefault(snapshot.partition("@")[0], []).append(dataset)

    def _tell_of_next(self, holding: GuestHolding, former: str, datasets: Iterable[str]) -> None:
        """Tell of a guest that hangs on another now, which its former parent hung on."""
        for dataset in datasets:
            snapshot = holding.pool.rows[dataset]["origin"]
            if snapshot != "-":
                name, heir = holding.name, owner(holding.pool, snapshot) or snapshot
                self.host.terminal.say(
                    1, f"{name}: is a clone of {heir} now, as {former} was; promote it again to be free of that"
                )
                return
