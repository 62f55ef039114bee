"""Which datasets a command of zfs(8) that reads is about: its operands, types and depth, and their order."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence

from chyves.lab.zfs import datasets, mounts, names, properties
from chyves.lab.zfs.datasets import BOOKMARK, DATASETS, FILESYSTEM, HEADS, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.refusals import BadUsage, Refused
from chyves.lab.zfs.state import State

_TYPES = {
    "filesystem": (FILESYSTEM,), "volume": (VOLUME,), "snapshot": (SNAPSHOT,), "snap": (SNAPSHOT,),
    "bookmark": (BOOKMARK,), "all": (*DATASETS, BOOKMARK),
}  # fmt: skip
_SHORT = {"fs": (FILESYSTEM,), "vol": (VOLUME,)}


def types(release: str, text: str, command: str) -> set[str]:
    """The kinds of dataset that `-t` names; `fs` and `vol` are words of `zfs list` since OpenZFS 2.2."""
    short = properties.at_least(release, "15.0" if command == "get" else "14.0")
    known = _TYPES | (_SHORT if short else {})
    found: set[str] = set()
    for word in text.split(","):
        if word not in known:
            raise BadUsage(f"invalid type '{word}'")
        found.update(known[word])
    return found


def depth(text: str | None) -> int | None:
    """The number after `-d`."""
    if text is None:
        return None
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise BadUsage(f"{text} is not an integer")
    if text.startswith("-"):
        raise BadUsage("Depth can not be negative.")
    return int(digits)


class Choice:
    """The datasets asked for; `failed` when an operand was none, which has then been said on standard error.

    `most` is the depth below the operands (0 is themselves, None no limit); `snapshots_too` shows snapshots where
    the pool's property `listsnapshots` is on.
    """

    def __init__(
        self, state: State, operands: Sequence[str], kinds: Collection[str], most: int | None, snapshots_too: bool
    ) -> None:
        self._state, self._kinds, self._most = state, set(kinds), most
        self._listed = _pools_that_list(state) if snapshots_too else None
        self.failed = False
        found: dict[int, Dataset] = {}
        if not operands:
            for pool in datasets.select(state, "WHERE name IN (SELECT name FROM pool WHERE NOT exported)"):
                self._take(pool, most, found)
        for operand in operands:
            try:
                self._take(self._open(operand), most, found)
            except Refused as why:
                print(why, file=sys.stderr)
                self.failed = True
        self.found = sorted(found.values(), key=by_name)

    def _open(self, operand: str) -> Dataset:
        kinds = set(self._kinds)
        if self._most != 0:
            kinds.add(FILESYSTEM)
            if kinds & {SNAPSHOT, BOOKMARK}:
                kinds.add(VOLUME)
        if operand.startswith(("/", "./")):
            return _mounted_there(self._state, operand)
        return datasets.require(self._state, operand, kinds)

    def _take(self, top: Dataset, most: int | None, found: dict[int, Dataset]) -> None:
        if self._wanted(top, asked=True):
            found.setdefault(top.id, top)
        if most == 0 or top.kind not in HEADS:
            return
        base = top.name.count("/")
        inside = datasets.below if self._kinds - set(HEADS) else datasets.heads_below
        for one in inside(self._state, top.name):
            deep = one.name.count("/") - base + (one.kind not in HEADS)
            if (most is None or deep <= most) and self._wanted(one):
                found.setdefault(one.id, one)

    def _wanted(self, one: Dataset, asked: bool = False) -> bool:
        if one.kind == SNAPSHOT and self._listed is not None and not asked:
            return names.pool(one.name) in self._listed
        return one.kind in self._kinds


def _pools_that_list(state: State) -> set[str]:
    query = "SELECT pool FROM pool_property WHERE name = 'listsnapshots' AND value = 'on'"
    return {row[0] for row in state.db.execute(query)}


def _mounted_there(state: State, path: str) -> Dataset:
    real = os.path.realpath(state.lab.inside(path))
    if not os.path.exists(real):
        raise Refused(f"cannot open '{path}': No such file or directory")
    above, others = real, mounts.mounted(state)
    while above != "/":
        if above in others:
            return others[above]
        above = os.path.dirname(above)
    raise Refused(f"'{path}': not a ZFS filesystem")


def by_name(one: Dataset) -> tuple[str, int, int, int]:
    """The order of zfs(8): by name, each dataset before its snapshots, those by age."""
    name, at, _ = one.name.partition("@")
    return name, 1 if at else 0, one.txg if at else 0, one.id if at else 0
