"""Packages of `zfs send -R`, `-I` and `-p`: which datasets and snapshots are in one, in which order, and what is told.

Parents come before children, what was cloned after what it was cloned from, snapshots from old to new.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from chyves.lab.zfs import datasets, names, properties, settings
from chyves.lab.zfs.datasets import HEADS, Dataset
from chyves.lab.zfs.options import Options
from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.sending import Part
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State
from chyves.lab.zfs.stream import Told

Header = Told


class Choice(NamedTuple):
    """What -R and -I ask for: the snapshots of `top` up to `tag`, from `first` on or from the beginning."""

    top: Dataset
    tag: str
    first: str | None
    replicate: bool
    between: bool
    from_origin: bool
    skip_missing: bool
    excluded: frozenset[str]


def heads(state: State, choice: Choice) -> list[Dataset]:
    """The file systems and volumes of a package; raises Refused where one lacks the snapshot and is older than it."""
    top = choice.top
    found = [top, *datasets.heads_below(state, top.name)] if choice.replicate else [top]
    wanted = [one for one in found if not _inside_any(one.name, choice.excluded)]
    taken = datasets.find(state, f"{top.name}@{choice.tag}")
    lacking = [one for one in wanted if not datasets.find(state, f"{one.name}@{choice.tag}")]
    for one in lacking:
        if taken and one.txg > taken.txg:
            continue
        if not choice.skip_missing:
            text = f"cannot send {top.name}@{choice.tag}{' recursively' * choice.replicate}"
            raise Refused(f"{text}: snapshot {one.name}@{choice.tag} does not exist")
        text = f"WARNING: skipping dataset {one.name} and its children: snapshot {choice.tag} does not exist"
        print(text, file=sys.stderr)
    without = frozenset(one.name for one in lacking)
    return [one for one in wanted if not _inside_any(one.name, without)]


def _inside_any(name: str, tops: frozenset[str]) -> bool:
    return any(name == top or name.startswith(f"{top}/") for top in tops)


def describe(state: State, sent: Sequence[Dataset], choice: Choice | None, options: Options) -> Header:
    """What a package says of itself and of the datasets in it."""
    with_properties = bool(choice and choice.replicate) or "p" in options or "b" in options
    top = sent[0]
    return {
        "package": True,
        "name": f"{names.head(top.name)}@{choice.tag if choice else names.tag(top.name)}",
        "first": choice.first if choice else None,
        "recursive": bool(choice and choice.replicate),
        "datasets": [
            _described(state, datasets.require(state, names.head(one.name), HEADS), with_properties, options)
            for one in sent
        ],
    }


def _described(state: State, head: Dataset, with_properties: bool, options: Options) -> Told:
    snapshots = datasets.snapshots(state, head.name)
    told: Told = {
        "name": head.name,
        "origin": datasets.by_id(state, head.origin).guid if head.origin is not None else 0,
        "snapshots": {str(one.guid): names.tag(one.name) for one in snapshots},
    }
    if with_properties:
        told["properties"] = _properties(state, head, received_only="b" in options)
        told["of snapshots"] = {str(one.guid): _properties(state, one, False) for one in snapshots}
    if "h" in options:
        query = "SELECT tag FROM hold WHERE snapshot = ? ORDER BY tag"
        told["holds"] = {str(one.guid): [row[0] for row in state.db.execute(query, (one.id,))] for one in snapshots}
    return told


def _properties(state: State, one: Dataset, received_only: bool) -> dict[str, str]:
    """What was set on a dataset or received by it, and can be set by who receives it."""
    if received_only:
        return settings.received(state, one)
    known = properties.table(state.lab.release)
    own = Settings(state, of=one.name).local.get(one.name, {})
    return {name: value for name, value in own.items() if name not in known or not known[name].readonly}


def parts(state: State, sent: Sequence[Dataset], choice: Choice) -> tuple[list[Part], bool]:
    """The streams of a package in their order, and whether something asked for is missing, which has been said."""
    found: list[Part] = []
    failed = False
    waiting = list(sent)
    inside = {one.id for one in sent}
    done: set[int] = set()
    while waiting:
        ready = [one for one in waiting if _origin_head(state, one) not in inside - done] or waiting
        head = ready[0]
        waiting.remove(head)
        done.add(head.id)
        mine, wrong = _of_head(state, head, choice)
        found += mine
        failed = failed or wrong
    return found, failed


def _origin_head(state: State, head: Dataset) -> int | None:
    if head.origin is None:
        return None
    return datasets.require(state, names.head(datasets.by_id(state, head.origin).name), HEADS).id


def _of_head(state: State, head: Dataset, choice: Choice) -> tuple[list[Part], bool]:
    snapshots = datasets.snapshots(state, head.name)
    tags = [names.tag(one.name) for one in snapshots]
    last = tags.index(choice.tag)
    missing = choice.first is not None and choice.first not in tags
    begin = tags.index(choice.first) if choice.first is not None and not missing else -1
    if missing and not choice.replicate:
        return [], _warn(head, choice, "does not exist")
    if begin > last and not choice.replicate:
        return [], _warn(head, choice, "does not exist")
    if begin >= last:
        return [], _warn(head, choice, "is not earlier than it")
    between = choice.between or (choice.replicate and choice.first is None)
    wanted = snapshots[begin + 1 : last + 1]
    if not between:
        wanted = [one for one in wanted if one.id == snapshots[last].id or datasets.clones(state, one.id)]
    before = snapshots[begin] if begin >= 0 else None
    whole = before is None and head.origin is not None and (choice.replicate or choice.from_origin)
    origin = datasets.by_id(state, head.origin) if whole and head.origin is not None else None
    found = []
    for one in wanted:
        base = before or origin
        hint = names.tag(before.name) if before else None
        found.append(Part(one, base, before is None and origin is not None, hint))
        before = one
    return found, False


def _warn(head: Dataset, choice: Choice, what: str) -> bool:
    text = f"WARNING: could not send {head.name}@{choice.tag}:\nincremental source ({head.name}@{choice.first}) {what}"
    print(text, file=sys.stderr)
    return True
