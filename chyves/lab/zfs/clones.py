"""`zfs clone` and `zfs promote`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from chyves.lab.zfs import checks, content, create, datasets, mounts, names, settings, space, volumes
from chyves.lab.zfs.datasets import FILESYSTEM, HEADS, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.options import Options, assignments
from chyves.lab.zfs.properties import at_least
from chyves.lab.zfs.refusals import BadUsage, Refused, cannot
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State


def clone(state: State, words: Sequence[str]) -> int:
    """zfs clone."""
    options = Options(words, "o:pu" if at_least(state.lab.release, "15.0") else "o:p")
    properties = assignments(options.values("o"))
    if len(options.operands) < 2:
        raise BadUsage(f"missing {'target' if options.operands else 'source'} dataset argument")
    if len(options.operands) > 2:
        raise BadUsage("too many arguments")
    source, target = options.operands
    with state.changing():
        origin = datasets.require(state, source, [SNAPSHOT])
        if "p" in options and not names.fault(target, HEADS):
            found = datasets.find(state, target)
            if found and found.kind in HEADS:
                return 0
            create.make_ancestors(state, target)
        made = _make(state, origin, target, properties)
        complaint = _settle(state, origin, made, mounting="u" not in options)
    if complaint:
        print(f"{complaint}\nfilesystem successfully created, but not mounted", file=sys.stderr)
    return 1 if complaint else 0


def _make(state: State, origin: Dataset, target: str, properties: dict[str, str]) -> Dataset:
    action = f"cannot create '{target}'"
    create.require_free(state, target, [FILESYSTEM], action)
    kept = checks.checked(state.lab.release, origin.head, properties, action, creating=False)
    if names.pool(target) != names.pool(origin.name):
        raise Refused(f"{action}: source and target pools differ")
    if datasets.find(state, target):
        raise Refused(f"{action}: dataset already exists")
    size, block = int(kept.pop("volsize", origin.volsize or 0)), origin.volblocksize
    if kept.get("refreservation") == checks.AUTO and block:
        kept["refreservation"] = str(volumes.reservation(size, block))
    reserved = int(kept.get("refreservation", "0"))
    space.require_room(state, names.parent(target) or target, reserved, f"{action}: out of space")
    volumes.require_possible(state.store, size, action)
    made = datasets.add(
        state, target, origin.head, origin.head, origin=origin.id, volsize=size or None, volblocksize=block
    )
    settings.put(state, made, kept)
    return made


def _settle(state: State, origin: Dataset, made: Dataset, mounting: bool) -> str | None:
    source, staged = state.stored(origin.id), state.staged(made.id)
    if made.kind == VOLUME:
        content.copy_volume(source, staged)
        place = mounts.node(state, Settings(state, ["volmode"], made.name), made.name)
        state.then("move", staged, place or state.stored(made.id))
        mounts.record(state, made, place)
        if made.volsize != origin.volsize:
            state.then("resize", place or state.stored(made.id), number=made.volsize or 0)
        return None
    content.copy_tree(source, staged, ())
    state.then("move", staged, state.stored(made.id))
    return mounts.settle(state, made, Settings(state, of=made.name), mounting)


def promote(state: State, words: Sequence[str]) -> int:
    """zfs promote: the clone takes over the snapshot it came from, and all older ones."""
    if words and words[0].startswith("-"):
        raise BadUsage(f"invalid option '{words[0][1:2]}'")
    if not words:
        raise BadUsage("missing clone filesystem argument")
    if len(words) > 1:
        raise BadUsage("too many arguments")
    with state.changing():
        _promote(state, datasets.require(state, words[0], HEADS))
    return 0


def _promote(state: State, branch: Dataset) -> None:
    if branch.origin is None:
        raise cannot("promote", branch.name, "not a cloned filesystem")
    origin = datasets.by_id(state, branch.origin)
    trunk = datasets.require(state, names.head(origin.name), HEADS)
    moving = [one for one in datasets.snapshots(state, trunk.name) if (one.txg, one.id) <= (origin.txg, origin.id)]
    for one in moving:
        name = f"{branch.name}@{one.name.partition('@')[2]}"
        wrong = names.fault(name, [SNAPSHOT])
        if wrong:
            raise cannot("promote", branch.name, wrong)
        if datasets.find(state, name):
            text = f"conflicting snapshot '{names.tag(name)}' from parent '{origin.name}'"
            raise cannot("promote", branch.name, text)
    for mark in datasets.bookmarks(state, trunk.name):
        if mark.txg <= origin.txg:
            moved = f"{branch.name}#{mark.name.partition('#')[2]}"
            state.db.execute("UPDATE dataset SET name = ? WHERE id = ?", (moved, mark.id))
    for one in moving:
        name = f"{branch.name}@{one.name.partition('@')[2]}"
        if trunk.kind == VOLUME and trunk.place:
            state.then("remove", f"{trunk.place}@{name.partition('@')[2]}")
        state.db.execute("UPDATE dataset SET name = ? WHERE id = ?", (name, one.id))
    state.db.execute("UPDATE dataset SET origin = ? WHERE id = ?", (trunk.origin, branch.id))
    state.db.execute("UPDATE dataset SET origin = ? WHERE id = ?", (origin.id, trunk.id))
    for head in (trunk, branch):
        state.then("view", "", number=head.id)
