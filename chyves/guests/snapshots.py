"""Snapshots of guests: take, list and delete them, and bring a guest back to one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress

from chyves.cli.sizes import rounded
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError, ProgramFailed
from chyves.guests import history, leftovers, rollback, running, snapshot_set
from chyves.guests.each import each
from chyves.guests.freeze import frozen_guests
from chyves.guests.history import LIVE, OF_CLONES, History, Snapshot
from chyves.guests.journal import Journal
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.host.zfs import portions
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.targets import Target

AUTO = "@chyves-auto-named-snapshot-%Y%m%d-%H%M.%S"
LONGEST = 255
"""Characters that a dataset and a snapshot of it can have together (zfs(8))."""

COLUMNS = (
    Column("guest", "Guest"),
    Column("snapshot", "Snapshot"),
    Column("created", "Taken"),
    Column("used", "Used", right=True),
    Column("live", "Live"),
    Column("missing", "Missing on"),
)


def take(host: Host, guest: Target, snapshot: str | None = None, freeze: bool = False) -> None:
    """Take a snapshot of guests, of all datasets of a guest at the same moment.

    With `freeze` those that run have their file systems frozen, all before the first is taken; then all are taken, or
    none.
    """
    if snapshot is not None and snapshot.startswith(OF_CLONES):
        raise ChyvesError(f"{snapshot}: such a name is kept for clones; choose another")
    with host.locks.hold("all"), ExitStack() as held:
        holdings = leftovers.settled(host)
        wanted = holdings.find(guest)
        taking = _Taking(holdings, snapshot or time.strftime(AUTO), _existing(host, wanted))
        if freeze:
            taking.frozen(wanted, held)
            return
        taken = taking.together(wanted, held) if len(wanted) > 1 else ()
        each(host, wanted, lambda holding: taking.tell(holding) if holding.name in taken else taking.alone(holding))


def _existing(host: Host, holdings: Iterable[GuestHolding]) -> frozenset[str]:
    """The snapshots of guests' datasets, by their whole names."""
    asked = [holding.dataset for holding in holdings]
    return frozenset(row["name"] for row in host.zfs.list(*asked, types="snapshot", recursive=True))


class _Taking:
    """Snapshots of one name that are taken of guests; `existing` are those that there are."""

    def __init__(self, holdings: Holdings, snapshot: str, existing: frozenset[str]) -> None:
        self.holdings, self.host, self.existing = holdings, holdings.host, existing
        self._snapshot = snapshot
        self._names: dict[str, str] = {}

    def together(self, wanted: Sequence[GuestHolding], held: ExitStack) -> set[str]:
        """Take those that can be taken at the same moment; the guests whose are.

        What keeps another from it is told when its turn comes, to be taken alone.
        """
        self.host.locks.make_room(len(wanted))
        by_pool: dict[str, dict[str, GuestHolding]] = {}
        for holding in wanted:
            with suppress(ChyvesError):
                held.enter_context(self.host.locks.hold(f"guest.{holding.name}", wait=0))
                by_pool.setdefault(holding.pool.name, {})[self._name(holding)] = holding
        taken: set[str] = set()
        for guests in by_pool.values():
            for names in portions(guests):
                with suppress(ProgramFailed):
                    self._take([guests[name] for name in names])
                    taken.update(guests[name].name for name in names)
        return taken

    def frozen(self, wanted: Sequence[GuestHolding], held: ExitStack) -> None:
        """Take those of all guests while those that run are frozen; raises ChyvesError, and then there is none."""
        held.enter_context(self.host.locks.hold(*(f"guest.{holding.name}" for holding in wanted)))
        by_pool: dict[str, list[str]] = {}
        for holding in wanted:
            by_pool.setdefault(holding.pool.name, []).append(self._name(holding))
        moments = [names for of_pool in by_pool.values() for names in portions(of_pool)]
        awake = [holding.name for holding in wanted if running.living(self.host, holding.name) is not None]
        with frozen_guests(self.host, awake) as still_frozen:
            snapshot_set.take(self.holdings, moments, still_frozen)
            for holding in wanted:
                self._note(holding.name)
                self.tell(holding)

    def alone(self, holding: GuestHolding) -> None:
        """Take that of one guest; raises ChyvesError."""
        with self.host.locks.hold(f"guest.{holding.name}"):
            self._name(holding)
            self._take([holding])
            self.tell(holding)

    def tell(self, holding: GuestHolding) -> None:
        """Tell of one that is taken."""
        self.host.terminal.say(1, f"{holding.name}: {self._names[holding.name]} taken")

    def _name(self, holding: GuestHolding) -> str:
        """The whole name of a guest's snapshot; raises ChyvesError where it cannot have that."""
        rollback.refuse_unfinished(self.holdings, holding.name)
        name = self._snapshot + (LIVE if running.living(self.host, holding.name) is not None else "")
        longest = max(holding.rows, key=len) + name
        if len(longest) > LONGEST:
            raise ChyvesError(f"{longest}: is longer than {LONGEST} characters; choose a shorter name")
        if any(dataset + name in self.existing for dataset in holding.rows):
            raise ChyvesError(f"{holding.name}: {name}: there is such a snapshot already; choose another name")
        self._names[holding.name] = name
        return holding.dataset + name

    def _take(self, holdings: Sequence[GuestHolding]) -> None:
        names = [holding.dataset + self._names[holding.name] for holding in holdings]
        with Undo() as undo:
            undo.do(lambda: self.host.zfs.snapshot(*names))
            for holding in holdings:
                self._note(holding.name)

    def _note(self, guest: str) -> None:
        self.host.events.note("snapshot_taken", guest, snapshot=self._names[guest])


def show(host: Host, guest: str) -> Table:
    """The snapshots of one guest."""
    return _table(host, guest)


def show_all(host: Host, guest: str | None = None) -> Table:
    """The snapshots of every guest, or of one."""
    return _table(host, guest)


def _table(host: Host, guest: str | None) -> Table:
    holdings = Holdings.read(host)
    if guest is None:
        below = [pool.guests_dataset for pool in holdings.pools.values() if pool.guests_dataset in pool.rows]
        histories = history.read(host, list(holdings.guests.values()), below)
    else:
        histories = history.read(host, [holdings.guest(guest)])
    rows = (_row(past.holding, snapshot) for past in histories.values() for snapshot in past.snapshots)
    return Table("snapshots", COLUMNS, tuple(rows))


def _row(holding: GuestHolding, snapshot: Snapshot) -> Row:
    when, missing = time.localtime(snapshot.created), snapshot.missing(holding)
    values: dict[str, Value] = {
        "guest": holding.name,
        "snapshot": snapshot.name,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z", when),
        "used": snapshot.used,
        "live": snapshot.live,
        "missing": list(missing),
    }
    shown = {"created": time.strftime("%Y-%m-%d %H:%M", when), "used": rounded(snapshot.used)}
    return Row(values, shown)


def delete(host: Host, guest: str, snapshots: str | None = None, yes: bool = False) -> None:
    """Delete a snapshot, a range of them, or the latest, after showing them and the space that is freed."""
    with host.locks.hold("all", f"guest.{guest}"):
        holding = leftovers.settled(host).guest(guest)
        past = history.read(host, [holding])[guest]
        doomed = past.chosen(snapshots) if snapshots is not None else [_latest(past)]
        if not doomed:
            raise ChyvesError(f"{guest}: {snapshots}: there is nothing between these but snapshots of clones")
        history.refuse_bound(past, doomed)
        names = [snapshot.name for snapshot in doomed]
        gone, size = host.zfs.reclaimed(holding.dataset, names)
        lines = [*(f"{guest}: {name} will be destroyed" for name in gone), f"{guest}: {rounded(size)} will be freed"]
        if not host.dry and not host.terminal.confirm(f"{guest}: delete {', '.join(names)}?", yes, lines):
            return
        with Undo() as undo:
            undo.do(lambda: host.zfs.destroy_snapshots(holding.dataset, names))
            for name in names:
                host.events.note("snapshot_deleted", guest, snapshot=name)
        _warn_of_revert(host, holding, names)
        host.terminal.say(1, f"{guest}: {', '.join(names)} deleted; {rounded(size)} freed")


def _latest(past: History, whole: bool = False) -> Snapshot:
    """The snapshot that is meant where none is named; raises ChyvesError."""
    found = past.latest(whole)
    if found is None:
        of_all = " that all its datasets have" if whole and past.snapshots else ""
        name = past.holding.name
        raise ChyvesError(f"{name}: has no snapshot{of_all}; take one with: chyves {name} snapshot")
    return found


def _warn_of_revert(host: Host, holding: GuestHolding, gone: Sequence[str]) -> None:
    properties = holding.properties
    if properties.revert_to_snapshot in gone and properties.revert_to_snapshot_method != "off":
        host.terminal.warn(
            f"{holding.name}: revert_to_snapshot: {properties.revert_to_snapshot} is deleted; set another, or none"
        )


def go_back(host: Host, guest: str, snapshot: str | None = None, yes: bool = False) -> None:
    """Bring a guest that does not run back to a snapshot, or to the latest, after asking; what is newer is lost."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        rollback.refuse_unfinished(holdings, guest)
        if running.supervisor(host, guest) is not None:
            raise ChyvesError(f"{guest}: runs, so that it cannot go back; stop it first")
        past = history.read(host, [holding])[guest]
        chosen = past.find(snapshot) if snapshot is not None else _latest(past, whole=True)
        plan, words = rollback.plan(holdings, past, chosen)
        question = f"{guest}: go back to {chosen.name}, and lose what is newer?"
        if not host.dry and not host.terminal.confirm(question, yes, _lost(past, plan, words)):
            return
        with Undo():
            rollback.carry_out(holdings, plan)
            host.events.note("rolled_back", guest, snapshot=chosen.name)
        _tell(host, words)
        Journal(holdings, holding).write(1, f"went back to {chosen.name}")
        host.terminal.say(1, f"{guest}: is back to {chosen.name}" + _and_lost(plan))


def _lost(past: History, plan: rollback.Plan, words: Iterable[str]) -> Iterator[str]:
    """What goes and what changes, to be shown to somebody who is asked."""
    for snapshot in past.snapshots:
        if snapshot.name in plan.doomed:
            yield from (f"{past.holding.name}: {dataset}{snapshot.name} will be destroyed" for dataset in snapshot.rows)
    yield from (f"{past.holding.name}: {bookmark} will be destroyed" for bookmark in plan.bookmarks)
    yield from words


def _and_lost(plan: rollback.Plan) -> str:
    lost = ", ".join((*plan.doomed, *plan.bookmarks))
    return f"; {lost} is lost" if lost else ""


def _tell(host: Host, words: Iterable[str]) -> None:
    for line in words:
        host.terminal.say(2, line)
