"""The snapshots that guests have: read at once, and seen as the guest's, not as those of each of its datasets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.names import PROCESS
from chyves.pools.holdings import GuestHolding, Rows

COLUMNS = ("name", "creation", "createtxg", "used", "userrefs", "clones")
LIVE = "-LIVE-SYSTEM"
"""What the name of a snapshot ends in that was taken while the guest ran."""

OF_CLONES = f"@{PROCESS}"
"""What the names of snapshots begin with that are taken to clone a guest, and on which its clones hang."""


@dataclass(frozen=True)
class Snapshot:
    """Those of a guest's datasets' snapshots that have one name, `@` before it; `rows` are by dataset."""

    name: str
    rows: Rows

    @property
    def txg(self) -> int:
        """Its place in the order of time, which clocks do not move."""
        return max(int(row["createtxg"]) for row in self.rows.values())

    @property
    def created(self) -> int:
        """When it was taken, in seconds since 1970."""
        return max(int(row["creation"]) for row in self.rows.values())

    @property
    def used(self) -> int:
        """Bytes that come back when it alone is deleted."""
        return sum(int(row["used"]) for row in self.rows.values())

    @property
    def live(self) -> bool:
        """Whether the guest ran when it was taken."""
        return self.name.endswith(LIVE)

    @property
    def of_clones(self) -> bool:
        """Whether chyves took it to clone the guest."""
        return self.name.startswith(OF_CLONES)

    @property
    def held(self) -> bool:
        """Whether somebody holds it (zfs hold), so that it cannot be destroyed."""
        return any(row["userrefs"] not in ("0", "-") for row in self.rows.values())

    @property
    def clones(self) -> list[str]:
        """The datasets that were cloned from it."""
        return [clone for row in self.rows.values() for clone in row["clones"].split(",") if clone not in ("", "-")]

    def missing(self, holding: GuestHolding) -> list[str]:
        """The guest's datasets that do not have it, by the last part of their names; `.` is the guest's own."""
        return [dataset[len(holding.dataset) + 1 :] or "." for dataset in holding.rows if dataset not in self.rows]


@dataclass
class History:
    """The snapshots of one guest, oldest first, and the bookmarks of its datasets with their places in time."""

    holding: GuestHolding
    snapshots: list[Snapshot] = field(default_factory=list)
    bookmarks: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> Snapshot:
        """A snapshot by its exact name; raises ChyvesError."""
        for snapshot in self.snapshots:
            if snapshot.name == name:
                return snapshot
        guest = self.holding.name
        raise ChyvesError(f"{guest}: {name}: there is no such snapshot; see: chyves {guest} snapshot list")

    def latest(self, whole: bool = False) -> Snapshot | None:
        """The latest snapshot but those of clones; `whole` is one that all datasets of the guest have."""
        for snapshot in reversed(self.snapshots):
            if not snapshot.of_clones and not (whole and snapshot.missing(self.holding)):
                return snapshot
        return None

    def newer(self, than: Snapshot) -> list[Snapshot]:
        """The snapshots that came to a dataset of the guest after this one."""
        at = {dataset: int(row["createtxg"]) for dataset, row in than.rows.items()}
        return [
            snapshot
            for snapshot in self.snapshots
            if any(int(row["createtxg"]) > at.get(dataset, 0) for dataset, row in snapshot.rows.items())
        ]

    def newer_bookmarks(self, than: Snapshot) -> list[str]:
        """The bookmarks of the guest's datasets that are younger than a snapshot."""
        return [name for name, txg in self.bookmarks.items() if txg > than.txg]

    def chosen(self, spec: str) -> list[Snapshot]:
        """The snapshots of `@name`, or of a range `@name%name` as zfs-destroy(8) has it; raises ChyvesError.

        An end that is left out is the oldest or the latest. Snapshots of clones are passed over in a range.
        """
        first, percent, last = spec.removeprefix("@").partition("%")
        if not percent:
            return [self.find(spec)]
        start = self.snapshots.index(self.find(f"@{first}")) if first else 0
        end = self.snapshots.index(self.find(f"@{last}")) if last else len(self.snapshots) - 1
        if start > end:
            raise ChyvesError(f"{self.holding.name}: {spec}: @{first} is the newer of the two; write @{last}%{first}")
        return [snapshot for snapshot in self.snapshots[start : end + 1] if not snapshot.of_clones]


def read(host: Host, holdings: Sequence[GuestHolding], below: Iterable[str] = ()) -> dict[str, History]:
    """The snapshots of guests by the guests' names: one zfs process, however many there are.

    `below` are the datasets to ask for instead of those of each guest, for a listing of all.
    """
    histories = {holding.name: History(holding) for holding in holdings}
    of_dataset = {dataset: holding.name for holding in holdings for dataset in holding.rows}
    asked = list(below) or [holding.dataset for holding in holdings]
    found: dict[str, dict[str, Rows]] = {name: {} for name in histories}
    rows = host.zfs.list(*asked, properties=COLUMNS, types="snapshot,bookmark", recursive=True) if asked else []
    for row in rows:
        dataset, mark, name = row["name"].replace("#", "@#", 1).partition("@")
        guest = of_dataset.get(dataset)
        if guest is None:
            continue
        if name.startswith("#"):
            histories[guest].bookmarks[dataset + name] = int(row["createtxg"])
        else:
            found[guest].setdefault(mark + name, {})[dataset] = row
    for guest, history in histories.items():
        snapshots = (Snapshot(name, rows) for name, rows in found[guest].items())
        history.snapshots = sorted(snapshots, key=lambda snapshot: snapshot.txg)
    return histories


def refuse_bound(history: History, doomed: Iterable[Snapshot]) -> None:
    """Refuse to lose snapshots that something was cloned from, or that somebody holds; raises ChyvesError."""
    guest = history.holding.name
    for snapshot in doomed:
        if snapshot.clones:
            hanging = ", ".join(dict.fromkeys(_owner(history.holding, clone) for clone in snapshot.clones))
            raise ChyvesError(
                f"{guest}: {snapshot.name}: {hanging} was cloned from it and hangs on it; delete or promote that first"
            )
        if snapshot.held:
            dataset = next(iter(snapshot.rows))
            raise ChyvesError(
                f"{guest}: {snapshot.name}: is held; see who does with: zfs holds -r {dataset}{snapshot.name}"
            )


def _owner(holding: GuestHolding, dataset: str) -> str:
    """The guest that a dataset belongs to, or the dataset's own name where it is of none, or of this one."""
    below = f"{holding.pool.guests_dataset}/"
    guest = dataset.removeprefix(below).partition("/")[0] if dataset.startswith(below) else ""
    return dataset if guest in ("", holding.name) or guest.startswith(".") else guest
