"""What settable properties are worth for a dataset, and where the value comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from chyves.lab.zfs import names
from chyves.lab.zfs.datasets import Dataset
from chyves.lab.zfs.properties import Property
from chyves.lab.zfs.state import State

NO_SOURCE, LOCAL, DEFAULTED, RECEIVED = "-", "local", "default", "received"
_UNMOUNTABLE = ("none", "legacy")


class Settings:
    """The properties that were set or received, of all datasets, with the rules of inheritance.

    Reads them in one query, so that a listing of thousands costs no more queries than one of ten: only the properties
    in `wanted`, when given, and only of the dataset `of` and those above it.
    """

    def __init__(self, state: State, wanted: Iterable[str] | None = None, of: str | None = None) -> None:
        self.local: dict[str, dict[str, str]] = {}
        some = None if wanted is None else list(wanted)
        lineage = [] if of is None else list(_lineage(of))
        conditions = [f"d.name IN ({_marks(lineage)})"] if lineage else []
        conditions += [] if some is None else [f"p.name IN ({_marks(some)})"]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        self._received: set[tuple[str, str]] = set()
        for table in ("property", "received"):
            query = f"SELECT d.name, p.name, p.value FROM dataset d JOIN {table} p ON d.id = p.dataset{where}"
            query += f" {'AND' if where else 'WHERE'} NOT p.hidden" * (table == "received")
            for dataset, name, value in state.db.execute(query, [*lineage, *(some or ())]):
                own = self.local.setdefault(dataset, {})
                if name not in own:
                    own[name] = value
                    self._received.update([(dataset, name)] if table == "received" else [])
        self._altroots: dict[str, str] = dict(state.db.execute("SELECT name, altroot FROM pool"))
        self._known: dict[tuple[str, str], tuple[str, str] | None] = {}

    def found(self, name: str, prop: str) -> tuple[str, str] | None:
        """The value that a dataset has or inherits, and the name of the dataset that it was set on."""
        key = (name, prop)
        if key not in self._known:
            mine = self.local.get(name, {}).get(prop)
            above = _above(name)
            self._known[key] = (mine, name) if mine is not None else self.found(above, prop) if above else None
        return self._known[key]

    def native(self, dataset: Dataset, row: Property) -> tuple[str, str]:
        """The raw value of a settable native property, and its source."""
        if not row.inheritable:
            head = names.head(dataset.name)
            mine = self.local.get(head, {}).get(row.name)
            return (row.default, DEFAULTED) if mine is None else (mine, self._source(head, head, row.name))
        found = self.found(dataset.name, row.name)
        if not found:
            return row.default, DEFAULTED
        return found[0], self._source(dataset.name, found[1], row.name)

    def user(self, dataset: Dataset, name: str) -> tuple[str, str]:
        """The value of a user property and its source; `-` and `-` when it is set nowhere above."""
        found = self.found(dataset.name, name)
        return (found[0], self._source(dataset.name, found[1], name)) if found else ("-", NO_SOURCE)

    def user_names(self, dataset: Dataset) -> list[str]:
        """The user properties that a dataset has or inherits, sorted."""
        lineage = _lineage(dataset.name)
        return sorted({prop for name in lineage for prop in self.local.get(name, {}) if ":" in prop})

    def mountpoint(self, name: str) -> tuple[str, str]:
        """Where a file system belongs, below the pool's altroot (or `none`, `legacy`), and the source of that."""
        found = self.found(name, "mountpoint")
        value, owner = found or ("/", "")
        source = self._source(name, owner, "mountpoint") if found else DEFAULTED
        if value in _UNMOUNTABLE:
            return value, source
        relative = name[len(owner) :].lstrip("/")
        altroot = self._altroots.get(names.pool(name), "").rstrip("/")
        path = f"{value.rstrip('/')}/{relative}" if relative else value
        return f"{altroot}{path}" if path != "/" or not altroot else f"{altroot}", source

    def mounts_at(self, name: str) -> str | None:
        """The directory that a file system's mountpoint means, normalised; None when it has none."""
        value, _ = self.mountpoint(name)
        if value in _UNMOUNTABLE:
            return None
        return "/" + "/".join(part for part in value.split("/") if part)

    def _source(self, name: str, owner: str, prop: str) -> str:
        if name != owner:
            return f"inherited from {owner}"
        return RECEIVED if (owner, prop) in self._received else LOCAL

    def word(self, name: str, prop: str, default: str) -> str:
        """The value alone of an inheritable property."""
        found = self.found(name, prop)
        return found[0] if found else default

    def canmount(self, name: str) -> str:
        """`on`, `off` or `noauto`: not inherited."""
        return self.local.get(name, {}).get("canmount", "on")


def _above(name: str) -> str | None:
    return names.head(name) if "@" in name or "#" in name else names.parent(name)


def _lineage(name: str) -> Iterator[str]:
    above: str | None = name
    while above:
        yield above
        above = _above(above)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def put(state: State, dataset: Dataset, values: dict[str, str]) -> None:
    """Record values as set on a dataset."""
    state.db.executemany(
        "INSERT OR REPLACE INTO property (dataset, name, value) VALUES (?, ?, ?)",
        [(dataset.id, name, value) for name, value in values.items()],
    )


def unset(state: State, dataset: Dataset, name: str, to_received: bool = False) -> None:
    """Forget a value set on a dataset; one that was received counts again, or (as usual) no longer."""
    state.db.execute("DELETE FROM property WHERE dataset = ? AND name = ?", (dataset.id, name))
    state.db.execute(
        "UPDATE received SET hidden = ? WHERE dataset = ? AND name = ?", (int(not to_received), dataset.id, name)
    )


def receive(state: State, dataset: Dataset, values: Mapping[str, str], excluded: Collection[str]) -> None:
    """Record values as received by a dataset, in place of all that it had received; `excluded` ones do not count."""
    state.db.execute("DELETE FROM received WHERE dataset = ?", (dataset.id,))
    state.db.executemany(
        "INSERT INTO received (dataset, name, value, hidden) VALUES (?, ?, ?, ?)",
        [(dataset.id, name, value, int(name in excluded)) for name, value in values.items()],
    )


def received(state: State, dataset: Dataset) -> dict[str, str]:
    """The values that came with a dataset, whether they count or not."""
    query = "SELECT name, value FROM received WHERE dataset = ?"
    return dict(state.db.execute(query, (dataset.id,)))
