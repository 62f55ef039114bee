"""`zfs hold`, `release` and `holds`: what keeps a snapshot from being destroyed."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from chyves.lab.zfs import datasets, destroy, names, properties
from chyves.lab.zfs.datasets import HEADS, SNAPSHOT, Dataset
from chyves.lab.zfs.options import Options
from chyves.lab.zfs.refusals import BadUsage, Refused, cannot
from chyves.lab.zfs.state import State

_NO_TAG = "no such tag on this dataset"


def hold(state: State, words: Sequence[str]) -> int:
    """zfs hold."""
    return _each_snapshot(state, words, holding=True)


def release(state: State, words: Sequence[str]) -> int:
    """zfs release; a snapshot whose destruction was deferred goes with its last hold."""
    return _each_snapshot(state, words, holding=False)


def _each_snapshot(state: State, words: Sequence[str], holding: bool) -> int:
    options = Options(words, "rt" if holding else "r")
    if len(options.operands) < 2:
        raise BadUsage("")
    tag, *operands = options.operands
    if holding and tag.startswith("."):
        raise BadUsage("tag may not start with '.'")
    status = 0
    for operand in operands:
        try:
            with state.changing():
                _hold_or_release(state, tag, operand, "r" in options, holding)
        except Refused as why:
            print(why, file=sys.stderr)
            status = 1
    return status


def _hold_or_release(state: State, tag: str, operand: str, recursive: bool, holding: bool) -> None:
    name, at, short = operand.partition("@")
    if not at:
        raise Refused(f"'{operand}' is not a snapshot")
    head = datasets.require(state, name, HEADS)
    heads = [head, *(datasets.heads_below(state, name) if recursive else [])]
    found = [one for head in heads if (one := datasets.find(state, f"{head.name}@{short}"))]
    verb = "hold snapshot" if holding else "release hold from snapshot"
    if not found:
        raise cannot(verb, operand, "dataset does not exist")
    if not holding and not any(_is_held(state, one, tag) for one in found):
        # OpenZFS tells of the dataset that it looked at last.
        lacking = "dataset does not exist" if names.head(found[-1].name) != heads[-1].name else _NO_TAG
        raise cannot(verb, operand, lacking)
    for one in found:
        held = _is_held(state, one, tag)
        if holding and held:
            raise cannot(verb, one.name, "tag already exists on this dataset")
        if holding and len(tag.encode()) > 255:
            raise cannot(verb, one.name, "tag too long")
        if holding:
            state.db.execute("INSERT INTO hold VALUES (?, ?, ?)", (one.id, tag, int(time.time())))
        else:
            state.db.execute("DELETE FROM hold WHERE snapshot = ? AND tag = ?", (one.id, tag))
            destroy.settle_deferred(state, one.id)


def _is_held(state: State, snapshot: Dataset, tag: str) -> bool:
    query = "SELECT 1 FROM hold WHERE snapshot = ? AND tag = ?"
    return state.db.execute(query, (snapshot.id, tag)).fetchone() is not None


def holds(state: State, words: Sequence[str]) -> int:
    """zfs holds."""
    options = Options(words, "rHp" if properties.at_least(state.lab.release, "14.0") else "rH")
    if not options.operands:
        raise BadUsage("")
    status, rows, wide, seen = 0, list[tuple[str, str, str]](), 0, False
    for operand in options.operands:
        try:
            for one in _named(state, operand, "r" in options):
                seen = True
                wide = max(wide, len(one.name))
                rows += _rows(state, one, "p" in options)
        except Refused as why:
            print(why, file=sys.stderr)
            status = 1
    _show(rows, wide, "H" in options)
    if not seen:
        print("no datasets available", file=sys.stderr)
    return status


def _named(state: State, operand: str, recursive: bool) -> list[Dataset]:
    name, at, short = operand.partition("@")
    if not at:
        raise Refused(f"'{operand}' is not a snapshot")
    if not recursive:
        return [datasets.require(state, operand, [SNAPSHOT])]
    heads = [datasets.require(state, name, HEADS), *datasets.heads_below(state, name)]
    return [one for head in heads if (one := datasets.find(state, f"{head.name}@{short}"))]


def _rows(state: State, snapshot: Dataset, exact: bool) -> list[tuple[str, str, str]]:
    found = state.db.execute("SELECT tag, time FROM hold WHERE snapshot = ? ORDER BY tag", (snapshot.id,))
    form = "%a %b %e %k:%M %Y"
    return [
        (snapshot.name, tag, str(then) if exact else time.strftime(form, time.localtime(then))) for tag, then in found
    ]


def _show(rows: Sequence[tuple[str, str, str]], wide: int, scripted: bool) -> None:
    if scripted:
        for row in rows:
            print("\t".join(row))
        return
    tags = max((len(tag) for _, tag, _ in rows), default=0)
    for name, tag, then in [("NAME", "TAG", "TIMESTAMP"), *rows]:
        print(f"{name:<{wide}}  {tag:<{tags}}  {then}")
