"""What every property of a dataset is worth, as `zfs list` and `zfs get` show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cached_property

from chyves.lab.zfs import checks, datasets, names, properties, resuming, sizes, volumes
from chyves.lab.zfs.datasets import BOOKMARK, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.properties import NUMBER, Property
from chyves.lab.zfs.settings import DEFAULTED, LOCAL, NO_SOURCE, Settings
from chyves.lab.zfs.space import Space
from chyves.lab.zfs.state import State

_DATE = "%a %b %e %k:%M %Y"
_AS_IT_IS = ("guid", "createtxg", "objsetid", "pbkdf2iters")
_IN_BYTES = (
    "used",
    "available",
    "referenced",
    "usedbysnapshots",
    "usedbydataset",
    "usedbychildren",
    "usedbyrefreservation",
)
_OR_NONE = ("quota", "refquota", "reservation", "refreservation")
_FIXED_AT_CREATION = ("version", "utf8only", "normalization", "casesensitivity")
_UNLIMITED = 2**64 - 1
# Known to the table and never worth anything here.
_NEVER = ("encryptionroot", "keystatus", "snapshots_changed")


class Values:
    """The values of properties; `wanted` are the names that will be asked for, None for all."""

    def __init__(self, state: State, wanted: Iterable[str] | None) -> None:
        self._state, self._release = state, state.lab.release
        self._settings = Settings(state, wanted)
        self._spaces: dict[str, Space] = {}
        self._measured: dict[str, Callable[[Dataset], int]] = {
            "used": lambda one: self._space(one).used(one),
            "available": lambda one: self._space(one).available(one),
            "referenced": lambda one: self._space(one).referenced(one),
            "usedbysnapshots": lambda one: self._space(one).by_snapshots(one),
            "usedbydataset": lambda one: self._space(one).by_dataset(one),
            "usedbychildren": lambda one: self._space(one).by_children(one),
            "usedbyrefreservation": lambda one: self._space(one).by_refreservation(one),
            "written": lambda one: self._space(one).written(one),
            "logicalreferenced": lambda one: self._space(one).logical(one),
            "logicalused": lambda one: self._space(one).logical_used(one),
        }
        self._plain: dict[str, Callable[[Dataset], str | None]] = {
            "name": lambda one: one.name,
            "type": lambda one: one.kind,
            "creation": lambda one: str(one.creation),
            "guid": lambda one: str(one.guid),
            "createtxg": lambda one: str(one.txg),
            "objsetid": lambda one: str(one.id),
            "mounted": lambda one: "yes" if one.place else "no",
            "origin": self._origin,
            "receive_resume_token": lambda one: resuming.token_of(state, one.id),
            "clones": lambda one: ",".join(clone.name for clone in datasets.clones(state, one.id)) or None,
            "numclones": lambda one: str(len(datasets.clones(state, one.id))),
            "userrefs": lambda one: str(datasets.held(state, one.id)),
            "defer_destroy": lambda one: "on" if one.deferred else "off",
            "compressratio": lambda one: "1.00",
            "refcompressratio": lambda one: "1.00",
        }

    @cached_property
    def _received(self) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        for dataset, name, value in self._state.db.execute("SELECT dataset, name, value FROM received"):
            found.setdefault(dataset, {})[name] = value
        return found

    def _space(self, dataset: Dataset) -> Space:
        pool = names.pool(dataset.name)
        if pool not in self._spaces:
            self._spaces[pool] = Space(self._state, pool)
        return self._spaces[pool]

    def _origin(self, dataset: Dataset) -> str | None:
        return datasets.by_id(self._state, dataset.origin).name if dataset.origin is not None else None

    def raw(self, dataset: Dataset, row: Property) -> tuple[str | None, str]:
        """The value without any dressing, None where a dataset has none, and its source."""
        if not checks.fits(row, dataset.kind) or row.name in _NEVER:
            return None, NO_SOURCE
        if row.name in self._measured:
            return str(self._measured[row.name](dataset)), NO_SOURCE
        if row.name in self._plain:
            return self._plain[row.name](dataset), NO_SOURCE
        if row.name in ("volsize", "volblocksize"):
            return self._of_volume(dataset, row.name)
        if dataset.kind == SNAPSHOT and not checks.fits(row, dataset.head):
            return None, NO_SOURCE
        if row.name == "mountpoint":
            return self._settings.mountpoint(dataset.name)
        if row.name in _FIXED_AT_CREATION and resuming.is_made(self._state, dataset.id):
            return None, NO_SOURCE  # not yet received
        value, source = self._settings.native(dataset, row)
        return value, NO_SOURCE if row.name in _FIXED_AT_CREATION else source

    def _of_volume(self, dataset: Dataset, name: str) -> tuple[str | None, str]:
        if dataset.head != VOLUME:
            return None, NO_SOURCE
        if name == "volsize" and resuming.is_made(self._state, dataset.id):
            return "0", DEFAULTED
        if name == "volsize":
            return str(dataset.volsize), LOCAL
        usual = dataset.volblocksize == volumes.default_block(self._release)
        return str(dataset.volblocksize), DEFAULTED if usual else NO_SOURCE

    def shown(self, dataset: Dataset, row: Property, exact: bool) -> tuple[str | None, str]:
        """The value as a column shows it, or (`exact`, -p) in digits; None where a dataset has none."""
        value, source = self.raw(dataset, row)
        if value is None:
            return None, source
        if row.name.endswith("ratio"):
            return value if exact else f"{value}x", source
        if exact and value == checks.NO_LIMIT and row.type == NUMBER and not properties.at_least(self._release, "15.0"):
            return str(_UNLIMITED), source
        if exact or row.type != NUMBER or value == checks.NO_LIMIT or row.name in _AS_IT_IS:
            return value, source
        return _dressed(row.name, int(value)), source

    def user(self, dataset: Dataset, name: str) -> tuple[str, str]:
        """The value of a user property and its source; a bookmark has none."""
        return ("-", NO_SOURCE) if dataset.kind == BOOKMARK else self._settings.user(dataset, name)

    def received(self, dataset: Dataset, name: str, exact: bool) -> str:
        """The value with which a property was received, `-` where it was not."""
        value = self._received.get(dataset.id, {}).get(name, "-")
        row = properties.look_up(self._release, name)
        plain = exact or value == "-" or not row or row.type != NUMBER or value == checks.NO_LIMIT
        return value if plain else _dressed(name, int(value))

    def user_names(self, dataset: Dataset) -> list[str]:
        """The user properties that a dataset has or inherits."""
        return [] if dataset.kind == BOOKMARK else self._settings.user_names(dataset)

    def since(self, dataset: Dataset, word: str, exact: bool) -> str | None:
        """The value of `written@SNAPSHOT`; None when there is no such snapshot of the dataset."""
        family, _, short = word.partition("@")
        named = short if "@" in short or "/" in short else f"{names.head(dataset.name)}@{short}"
        base = datasets.find(self._state, named) if family == "written" else None
        if not base or base.kind != SNAPSHOT or dataset.kind == BOOKMARK:
            return None
        written = self._space(dataset).written(dataset, base)
        return str(written) if exact else sizes.show(written)


def _dressed(name: str, number: int) -> str:
    if name == "creation":
        return time.strftime(_DATE, time.localtime(number))
    if name in _OR_NONE and not number:
        return "none"
    return sizes.show(number, "B" if name in _IN_BYTES or name in _OR_NONE else "")


def needed(rows: Iterable[Property | str]) -> list[str]:
    """The names of settable properties that the values of these (native rows, user names) depend on."""
    return [row if isinstance(row, str) else row.name for row in rows]


def parse_columns(release: str, text: str) -> list[Property | str]:
    """A comma list of properties: native ones as rows of the table, user and counted ones as words.

    Raises ValueError with the text of the refusal.
    """
    if not text:
        raise ValueError("bad property list: no properties specified")
    columns: list[Property | str] = []
    for word in text.removesuffix(",").split(","):
        if not word:
            raise ValueError("bad property list: empty property name")
        if word == "space":
            columns += parse_columns(
                release, "name,avail,used,usedbysnapshots,usedbydataset,usedbyrefreservation,usedbychildren"
            )
            continue
        row = properties.look_up(release, word)
        if not row and not properties.is_user(word) and not properties.is_counted(word):
            raise ValueError(f"bad property list: invalid property '{word}'")
        columns.append(row or word)
    return columns
