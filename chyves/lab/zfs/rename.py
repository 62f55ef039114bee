"""`zfs rename`."""

from __future__ import annotations

from collections.abc import Sequence

from chyves.lab.zfs import create, datasets, mounts, names
from chyves.lab.zfs.datasets import DATASETS, FILESYSTEM, HEADS, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.options import Options
from chyves.lab.zfs.refusals import BadUsage, Refused, cannot
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State


def rename(state: State, words: Sequence[str]) -> int:
    """zfs rename."""
    options = Options(words, "pruf")
    if len(options.operands) < 2:
        raise BadUsage(f"missing {'target' if options.operands else 'source'} dataset argument")
    if len(options.operands) > 2:
        raise BadUsage("too many arguments")
    source, target = options.operands
    _refuse_mixtures(options, source)
    kinds = [FILESYSTEM] if "u" in options else HEADS if "p" in options else DATASETS
    with state.changing():
        old = datasets.require(state, source, kinds)
        if "p" in options and not names.fault(target, [old.kind]):
            create.make_ancestors(state, target)
        if source == target:
            return 0
        if old.kind == SNAPSHOT:
            _rename_snapshots(state, old, target, "r" in options)
        else:
            _rename_head(state, old, target, options)
    return 0


def _refuse_mixtures(options: Options, source: str) -> None:
    if "r" in options and "p" in options:
        raise BadUsage("-p and -r options are mutually exclusive")
    if "u" in options and "p" in options:
        raise BadUsage("-u and -p options are mutually exclusive")
    if "r" in options and "@" not in source:
        raise BadUsage("source dataset for recursive rename must be a snapshot")


def _rename_snapshots(state: State, old: Dataset, target: str, recursive: bool) -> None:
    head, _, tag = old.name.partition("@")
    if "@" not in target or target.startswith("@"):
        target = f"{head}@{target.removeprefix('@')}"
    if names.head(target) != head:
        raise Refused(f"cannot rename to '{target}': snapshots must be part of same dataset")
    wrong = names.fault(target, [SNAPSHOT], changing=True)
    if wrong:
        raise Refused(f"cannot rename to '{target}': {wrong}")
    new_tag = target.partition("@")[2]
    heads = [one.name for one in datasets.heads_below(state, head)] if recursive else []
    for name in [head, *heads]:
        _rename_snapshot(state, f"{name}@{tag}", f"{name}@{new_tag}", recursive)


def _rename_snapshot(state: State, name: str, new: str, recursive: bool) -> None:
    found = datasets.find(state, name)
    if not found:
        return
    if datasets.find(state, new):
        reason = "a child dataset already has a snapshot with the new name" if recursive else "dataset already exists"
        raise cannot("rename", name, reason)
    state.db.execute("UPDATE dataset SET name = ? WHERE id = ?", (new, found.id))
    head = datasets.require(state, names.head(name), HEADS)
    state.then("view", "", number=head.id)


def _rename_head(state: State, old: Dataset, target: str, options: Options) -> None:
    action = f"cannot rename to '{target}'"
    wrong = names.fault(target, [old.kind], changing=True)
    if wrong:
        raise Refused(f"{action}: {wrong}")
    create.require_parent(state, target)
    if names.pool(target) != names.pool(old.name) or "/" not in old.name:
        raise Refused(f"{action}: datasets must be within same pool")
    if target.startswith(f"{old.name}/"):
        raise Refused(f"{action}: New dataset name cannot be a descendant of current dataset name")
    if datasets.find(state, target):
        raise cannot("rename", old.name, "dataset already exists")
    family = [old, *datasets.below(state, old.name)]
    longest = max(len(one.name.encode()) for one in family) + len(target.encode()) - len(old.name.encode())
    if longest > 255 or any(names.nested_too_deep(target + one.name[len(old.name) :]) for one in family):
        raise cannot("rename", old.name, "dataset name is too long")
    _move(state, old, target, family, options)


def _move(state: State, old: Dataset, target: str, family: Sequence[Dataset], options: Options) -> None:
    before = Settings(state, ["mountpoint"])
    kept = mounts.directories_kept(before, family)
    state.db.executemany(
        "UPDATE dataset SET name = ? WHERE id = ?", [(target + one.name[len(old.name) :], one.id) for one in family]
    )
    after = Settings(state, ["mountpoint", "volmode"])
    stays = "u" in options or before.mountpoint(old.name)[0] in ("none", "legacy")
    wanted: dict[int, str | None] = {}
    for one in family:
        name = target + one.name[len(old.name) :]
        if one.kind == VOLUME:
            wanted[one.id] = mounts.node(state, after, name)
        elif one.kind == FILESYSTEM and one.place:
            wanted[one.id] = one.place if stays else after.mounts_at(name)
    mounts.relocate(state, wanted, kept, "f" in options)
