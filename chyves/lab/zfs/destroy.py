"""`zfs destroy`: what depends on a dataset, what is refused, and the end of what is not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from chyves.lab.zfs import busy, datasets, locking, mounts, names, properties, sizes
from chyves.lab.zfs.datasets import BOOKMARK, FILESYSTEM, HEADS, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.options import Options
from chyves.lab.zfs.refusals import Refused, cannot
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State

_NOT_SUPPORTED = 255


def destroy(state: State, words: Sequence[str]) -> int:
    """zfs destroy."""
    options = Options(words, "vpndfrR")
    name = options.only("dataset")
    if "#" in name and "@" not in name and (wrong := _not_for_bookmarks(options)):
        print(wrong, file=sys.stderr)
        return _NOT_SUPPORTED
    with state.changing():
        if "@" in name:
            _destroy_snapshots(state, name, options)
        elif "#" in name:
            _destroy_bookmark(state, name)
        else:
            _destroy_dataset(state, name, options)
    return 0


def dependents(state: State, dataset: Dataset) -> list[Dataset]:
    """What must go before a dataset can, in the order in which it must: children, snapshots, and clones of those."""
    found: dict[int, Dataset] = {}
    _gather(state, dataset, found, {dataset.id})
    return list(found.values())


def _gather(state: State, dataset: Dataset, found: dict[int, Dataset], above: set[int]) -> None:
    if dataset.kind == SNAPSHOT:
        inner = datasets.clones(state, dataset.id)
    elif dataset.kind in HEADS:
        inner = datasets.children(state, dataset.name) + datasets.snapshots(state, dataset.name)
    else:
        inner = []
    for one in inner:
        if one.id in above:
            continue
        _gather(state, one, found, above | {one.id})
        found.setdefault(one.id, one)


def _destroy_dataset(state: State, name: str, options: Options) -> None:
    target = datasets.require(state, name, [SNAPSHOT] if "d" in options else datasets.DATASETS)
    recursive = "r" in options or "R" in options
    if not recursive and target.kind == FILESYSTEM and "/" not in name:
        raise Refused(
            f"cannot destroy '{name}': operation does not apply to pools\n"
            f"use 'zfs destroy -r {name}' to destroy all datasets in the pool\n"
            f"use 'zpool destroy {name}' to destroy the pool itself"
        )
    doomed = dependents(state, target)
    if "R" not in options:
        _refuse_dependents(target, doomed, recursive)
    doomed.append(target)
    _tell(doomed, options)
    if "n" in options:
        return
    doomed += [one for head in doomed if head.kind in HEADS for one in datasets.bookmarks(state, head.name)]
    # A pool's own file system stays: zfs(8) destroys all that is in it.
    all_of(state, [one for one in doomed if "/" in one.name or one.kind != FILESYSTEM], "f" in options)


def _inside(target: Dataset, one: Dataset) -> bool:
    return one.name.startswith((f"{target.name}/", f"{target.name}@"))


def _refuse_dependents(target: Dataset, doomed: Sequence[Dataset], recursive: bool) -> None:
    """Children need -r; what was cloned and is elsewhere needs -R, once -r is given or a snapshot is to go."""
    inner = [] if recursive else [one.name for one in doomed if _inside(target, one)]
    if inner:
        raise Refused(
            f"cannot destroy '{target.name}': {target.kind} has children\n"
            "use '-r' to destroy the following datasets:\n" + "\n".join(inner)
        )
    outer = [one.name for one in doomed if not _inside(target, one)]
    if outer and (recursive or target.kind == SNAPSHOT):
        raise Refused(
            f"cannot destroy '{target.name}': {target.kind} has dependent clones\n"
            "use '-R' to destroy the following datasets:\n" + "\n".join(outer)
        )


def _tell(doomed: Iterable[Dataset], options: Options, reclaimed: int | None = None) -> None:
    if "v" not in options and "p" not in options:
        return
    would = "would" if "n" in options else "will"
    for one in doomed:
        print(f"destroy\t{one.name}" if "p" in options else f"{would} destroy {one.name}")
    if reclaimed is not None:
        print(f"reclaim\t{reclaimed}" if "p" in options else f"{would} reclaim {sizes.show(reclaimed, 'B')}")


def all_of(state: State, doomed: Sequence[Dataset], force: bool = False, phrase: str = "snapshot {}") -> None:
    """Destroy datasets in the order given; raises Refused, with nothing destroyed, for one that is held or in use.

    `phrase` is how a held snapshot is named in the refusal.
    """
    held = [one for one in doomed if one.kind == SNAPSHOT and datasets.held(state, one.id)]
    if held:
        raise Refused("\n".join(f"cannot destroy {phrase.format(one.name)}: {_held(state, one)}" for one in held))
    _refuse_sent(state, [one for one in doomed if one.kind == SNAPSHOT], phrase)
    _refuse_open(state, [one for one in doomed if one.kind == VOLUME])
    mounts.refuse_if_used(state, [one for one in doomed if one.kind == FILESYSTEM], force)
    changed: set[str] = set()
    freed: set[int] = set()
    kept = mounts.directories_kept(Settings(state, ["mountpoint"]), [one for one in doomed if one.kind == FILESYSTEM])
    for one in doomed:
        if one.kind in HEADS:
            freed.update([one.origin] if one.origin is not None else [])
            mounts.discard(state, one, one.id in kept)
        elif one.kind == SNAPSHOT:
            changed.add(names.head(one.name))
            _discard_snapshot(state, one)
        datasets.drop(state, one)
    for name in sorted(changed):
        head = datasets.find(state, name)
        if head:
            state.then("view", "", number=head.id)
    for snapshot in freed:
        settle_deferred(state, snapshot)


def _held(state: State, snapshot: Dataset) -> str:
    if properties.at_least(state.lab.release, "15.0"):
        return f"it's being held. Run 'zfs holds -r {snapshot.name}' to see holders."
    return "dataset is busy"


def _refuse_sent(state: State, snapshots: Sequence[Dataset], phrase: str) -> None:
    for one in snapshots:
        with locking.tried(state.stored(one.id)) as free:
            if not free:
                raise Refused(f"cannot destroy {phrase.format(one.name)}: dataset is busy")


def _refuse_open(state: State, volumes: Sequence[Dataset]) -> None:
    used = busy.in_use([one.place for one in volumes if one.place], ()) if volumes else None
    for one in volumes:
        if used and one.place == used:
            raise cannot("destroy", one.name, "dataset is busy")


def _discard_snapshot(state: State, snapshot: Dataset) -> None:
    head = datasets.find(state, names.head(snapshot.name))
    if head and head.kind == VOLUME and head.place:
        state.then("remove", f"{head.place}@{snapshot.name.partition('@')[2]}")
    state.then("remove", state.stored(snapshot.id))


def settle_deferred(state: State, number: int) -> None:
    """Destroy a snapshot that was only waiting for its last clone or hold to go."""
    found = datasets.select(state, "WHERE id = ? AND deferred", (number,))
    if found and not datasets.clones(state, number) and not datasets.held(state, number):
        all_of(state, found)


def _not_for_bookmarks(options: Options) -> str | None:
    for letter, what in (("n", "dryrun"), ("d", "defer destroy"), ("r", "recursive"), ("R", "recursive")):
        if letter in options:
            return f"{what} is not supported with bookmark"
    return None


def _destroy_bookmark(state: State, name: str) -> None:
    found = datasets.find(state, name)
    if not found or found.kind != BOOKMARK:
        raise Refused(f"bookmark '{name}' does not exist.")
    datasets.drop(state, found)


def _destroy_snapshots(state: State, operand: str, options: Options) -> None:
    name, _, spec = operand.partition("@")
    head = datasets.require(state, name, HEADS)
    recursive = "r" in options or "R" in options
    heads = [head, *(datasets.heads_below(state, name) if recursive else [])]
    doomed: dict[int, Dataset] = {}
    for one in heads:
        doomed.update((snap.id, snap) for snap in _matching(datasets.snapshots(state, one.name), spec))
    if not doomed:
        raise Refused("could not find any snapshots to destroy; check snapshot names.")
    chosen = list(doomed.values())
    wrong = _with_dependents(state, chosen) if "R" not in options and "d" not in options else ""
    if "v" in options or "p" in options:
        _tell(chosen, options, None if wrong else _reclaimed(state, chosen))
    if wrong:
        raise Refused(wrong)
    if "n" in options:
        return
    _destroy_chosen(state, chosen, options)


def _with_dependents(state: State, chosen: Sequence[Dataset]) -> str:
    """What is said of the snapshots that something was cloned from."""
    wrong = []
    for snap in chosen:
        try:
            _refuse_dependents(snap, dependents(state, snap), recursive=False)
        except Refused as why:
            wrong.append(str(why))
    return "\n".join(wrong)


def _destroy_chosen(state: State, chosen: Sequence[Dataset], options: Options) -> None:
    order: dict[int, Dataset] = {}
    for snap in chosen:
        needed = dependents(state, snap) if "R" in options else []
        order.update((one.id, one) for one in needed if one.id not in order)
        order.setdefault(snap.id, snap)
    now = list(order.values())
    if "d" in options:
        later = [one for one in chosen if datasets.held(state, one.id) or datasets.clones(state, one.id)]
        state.db.executemany("UPDATE dataset SET deferred = 1 WHERE id = ?", [(one.id,) for one in later])
        now = [one for one in now if one not in later]
    all_of(state, now, "f" in options)


def _matching(snapshots: Sequence[Dataset], spec: str) -> list[Dataset]:
    """The snapshots, oldest first, that `a,b%c,%d` names; a name that is not there is passed over."""
    order = [one.name.partition("@")[2] for one in snapshots]
    found: set[int] = set()
    for part in spec.split(","):
        first, percent, last = part.partition("%")
        if not percent:
            found.update([order.index(part)] if part in order else [])
            continue
        if (first and first not in order) or (last and last not in order):
            continue
        start = order.index(first) if first else 0
        end = order.index(last) if last else len(order) - 1
        found.update(range(start, end + 1))
    return [snapshots[at] for at in sorted(found)]


def _reclaimed(state: State, chosen: Sequence[Dataset]) -> int:
    from chyves.lab.zfs.space import Space

    space = Space(state, names.pool(chosen[0].name))
    return space.freed(chosen)
