"""`zfs snapshot`, `rollback`, `bookmark` and the copies that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from chyves.lab.zfs import checks, content, datasets, destroy, mounts, names, resuming, settings, space
from chyves.lab.zfs.datasets import HEADS, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.options import Options, assignments
from chyves.lab.zfs.refusals import BadUsage, Refused
from chyves.lab.zfs.state import State

_MOST_SHOWN = 32


def snapshot(state: State, words: Sequence[str]) -> int:
    """zfs snapshot: all the snapshots that one command names are of the same moment, or none is made."""
    options = Options(words, "ro:")
    properties = assignments(options.values("o"))
    if not options.operands:
        raise BadUsage("missing snapshot argument")
    several = "r" in options or len(options.operands) > 1
    with state.changing():
        wanted = _wanted(state, options)
        try:
            _take_all(state, wanted, properties)
        except Refused as why:
            raise Refused(f"{why}\nno snapshots were created" if several else str(why)) from None
    return 0


def _wanted(state: State, options: Options) -> dict[str, Dataset]:
    wanted: dict[str, Dataset] = {}
    for operand in options.operands:
        name, at, tag = operand.partition("@")
        if not at:
            raise BadUsage("")
        try:
            head = datasets.require(state, name, HEADS)
        except Refused as why:
            raise BadUsage(str(why)) from None
        below = datasets.heads_below(state, name) if "r" in options else []
        wanted.update({f"{one.name}@{tag}": one for one in [head, *below]})
    return wanted


def _take_all(state: State, wanted: dict[str, Dataset], properties: dict[str, str]) -> None:
    for name in wanted:
        wrong = names.fault(name, [SNAPSHOT], changing=True)
        if wrong:
            raise Refused(f"cannot create snapshot '{name}': {wrong}")
    action = "cannot create snapshots "
    kept = checks.checked(state.lab.release, SNAPSHOT, properties, action, creating=True)
    if len({names.pool(name) for name in wanted}) > 1:
        raise Refused(f"{action}: operation crosses datasets or pools")
    if len({one.name for one in wanted.values()}) < len(wanted):
        raise Refused(f"{action}: multiple snapshots of same fs not allowed")
    taken = [name for name in wanted if datasets.find(state, name)]
    if taken:
        raise Refused("\n".join(f"cannot create snapshot '{name}': dataset already exists" for name in taken))
    partly = [name for name, head in wanted.items() if resuming.is_made(state, head.id)]
    if partly:
        raise Refused("\n".join(f"cannot create snapshot '{name}': dataset is busy" for name in partly))
    txg = datasets.next_txg(state, names.pool(next(iter(wanted))))
    for name, head in wanted.items():
        settings.put(state, take(state, head, name, txg), kept)


def take(state: State, head: Dataset, name: str, txg: int) -> Dataset:
    """Make one snapshot: a row, a copy in the staging directory, and the step that puts it into the store."""
    made = datasets.add(state, name, SNAPSHOT, head.head, txg=txg, volsize=head.volsize, volblocksize=head.volblocksize)
    source, staged = datasets.data(state, head), state.staged(made.id)
    others = mounts.mounted_below(state, [source])
    if head.kind == VOLUME:
        content.copy_volume(source, staged)
    else:
        content.copy_tree(source, staged, others)
    measured = space.measure(source, others)
    state.db.execute(
        "UPDATE dataset SET referenced = ?, logical = ? WHERE id = ?",
        (space.empty(head.kind) + measured.total, measured.logical, made.id),
    )
    state.then("move", staged, state.stored(made.id))
    state.then("view", "", number=head.id)
    return made


def rollback(state: State, words: Sequence[str]) -> int:
    """zfs rollback."""
    options = Options(words, "rRf")
    name = options.only("dataset")
    with state.changing():
        target = datasets.require(state, name, [SNAPSHOT])
        head = datasets.require(state, names.head(name), HEADS)
        newer = [
            one
            for one in datasets.snapshots(state, head.name) + datasets.bookmarks(state, head.name)
            if one.txg > target.txg
        ]
        _check_newer(state, name, newer, options)
        destroy.all_of(state, _with_clones(state, newer), "f" in options, phrase="'{}'")
        if head.kind == VOLUME:
            _return_volume(state, head, target)
        else:
            state.then("restore", "", number=target.id)
        state.then("view", "", number=head.id)
    return 0


def _check_newer(state: State, name: str, newer: Sequence[Dataset], options: Options) -> None:
    if "R" in options or not newer:
        return
    if "r" not in options:
        shown = [one.name for one in newer[:_MOST_SHOWN]]
        if len(shown) == _MOST_SHOWN:
            shown.append(f"Output limited to {_MOST_SHOWN} snapshots/bookmarks")
        raise Refused(
            f"cannot rollback to '{name}': more recent snapshots or bookmarks exist\n"
            "use '-r' to force deletion of the following snapshots and bookmarks:\n" + "\n".join(shown)
        )
    clones = [one.name for snap in newer for one in destroy.dependents(state, snap)]
    if clones:
        raise Refused(
            f"cannot rollback to '{name}': clones of previous snapshots exist\n"
            "use '-R' to force deletion of the following clones and dependents:\n" + "\n".join(clones)
        )


def _with_clones(state: State, newer: Sequence[Dataset]) -> list[Dataset]:
    doomed: dict[int, Dataset] = {}
    for one in newer:
        for dependent in [*destroy.dependents(state, one), one]:
            doomed.setdefault(dependent.id, dependent)
    return list(doomed.values())


def _return_volume(state: State, volume: Dataset, target: Dataset) -> None:
    state.db.execute("UPDATE dataset SET volsize = ? WHERE id = ?", (target.volsize, volume.id))
    state.then("refill", state.stored(target.id), datasets.data(state, volume))


def bookmark(state: State, words: Sequence[str]) -> int:
    """zfs bookmark: what is left of a snapshot is its name, guid and age."""
    options = Options(words, "")
    if len(options.operands) < 2:
        raise BadUsage(f"missing {'bookmark' if options.operands else 'source'} argument")
    source, name = options.operands[:2]
    if "@" not in source and "#" not in source:
        raise BadUsage(f"invalid source name '{source}': must contain a '@' or '#'")
    if "#" not in name:
        raise BadUsage(f"invalid bookmark name '{name}': must contain a '#'")
    if source[0] in "@#" and name[0] == "#":
        raise BadUsage("either source or bookmark must be specified as full dataset paths")
    source = names.head(name) + source if source[0] in "@#" else source
    name = names.head(source) + name if name[0] == "#" else name
    with state.changing():
        try:
            old = datasets.require(state, source, [SNAPSHOT if "@" in source else datasets.BOOKMARK])
        except Refused as why:
            raise BadUsage(str(why)) from None
        _add_bookmark(state, old, name)
    return 0


def _add_bookmark(state: State, old: Dataset, name: str) -> None:
    action = f"cannot create bookmark '{name}'"
    if names.fault(name, [datasets.BOOKMARK], changing=True):
        raise Refused(f"{action}: invalid argument")
    if names.pool(name) != names.pool(old.name):
        raise Refused(f"{action}: bookmark is in a different pool")
    if not datasets.find(state, names.head(name)):
        raise Refused(f"{action}: dataset does not exist")
    if names.head(name) != names.head(old.name):
        raise Refused(f"{action}: source is not an ancestor of the new bookmark's dataset")
    if datasets.find(state, name):
        raise Refused(f"{action}: bookmark exists")
    datasets.add(
        state,
        name,
        datasets.BOOKMARK,
        old.head,
        guid=old.guid,
        txg=old.txg,
        creation=old.creation,
        referenced=old.referenced,
        logical=old.logical,
    )
