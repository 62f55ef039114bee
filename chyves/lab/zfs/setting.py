"""`zfs set` and `zfs inherit`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from chyves.lab.zfs import checks, datasets, mounts, names, properties, settings, sizes, volumes
from chyves.lab.zfs.datasets import DATASETS, FILESYSTEM, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.options import Options, assignments
from chyves.lab.zfs.refusals import BadUsage, Refused
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State

# Setting one of these can move file systems, volume nodes or views.
_PLACING = ("mountpoint", "canmount", "volmode")
_LIMITS: tuple[str, ...] = ("quota", "refquota", "reservation", "refreservation")
_TWICE = 255  # the status of `zfs set` for a property that is given twice
_VIEWS = ("snapdir", "snapdev")


def set_(state: State, words: Sequence[str]) -> int:
    """zfs set: a dataset is given all the values or none, whatever becomes of the others that are named."""
    options = Options(words, "u" if properties.at_least(state.lab.release, "14.0") else "")
    operands = options.operands
    if not operands:
        raise BadUsage("missing arguments")
    count = next((at for at, word in enumerate(operands) if "=" not in word), len(operands))
    if len(operands) == 1 and not count:
        raise BadUsage("missing property=value argument(s)")
    if any("=" in word for word in operands[count:]):
        raise BadUsage("invalid argument order")
    if count == len(operands):
        raise BadUsage("missing dataset name(s)")
    try:
        values = assignments(operands[:count])
    except Refused as why:
        print(why, file=sys.stderr)
        return _TWICE
    refused = 255 if properties.at_least(state.lab.release, "14.0") else 1
    return _each(state, operands[count:], lambda one: _set(state, one, values, remount="u" not in options), refused)


def _each(state: State, operands: Sequence[str], change: Callable[[Dataset], str | None], refused: int = 1) -> int:
    """Change each dataset; `refused` is the status when one that is there cannot be changed.

    `change` raises Refused where nothing can be, and returns what is to be said where a part was changed.
    """
    status = 0
    for name in operands:
        found, complaint = False, None
        try:
            with state.changing():
                one = datasets.require(state, name, DATASETS)
                found = True
                complaint = change(one)
        except Refused as why:
            complaint = str(why)
        if complaint is not None:
            print(complaint, file=sys.stderr)
            status = max(status, refused if found else 1)
    return status


def _set(state: State, dataset: Dataset, values: dict[str, str], remount: bool) -> str | None:
    action = f"cannot set property for '{dataset.name}'"
    kept = checks.checked(state.lab.release, dataset.kind, values, action, creating=False)
    if dataset.kind == VOLUME:
        _prepare_volume(state, dataset, kept, action)
    complaint = _drop_limits(state, dataset, kept, action)
    volsize = kept.pop("volsize", None)
    volumes.require_possible(state.store, int(volsize or 0), action)
    before = Settings(state, _PLACING)
    settings.put(state, dataset, kept)
    if volsize is not None:
        state.db.execute("UPDATE dataset SET volsize = ? WHERE id = ?", (int(volsize), dataset.id))
        state.then("resize", datasets.data(state, dataset), number=int(volsize))
    if remount:
        follow(state, dataset, kept, before)
    return complaint


def _drop_limits(state: State, dataset: Dataset, kept: dict[str, str], action: str) -> str | None:
    """Take limits that cannot be kept out of what is set: OpenZFS sets the other properties all the same."""
    try:
        _check_limits(state, dataset, kept, action)
    except Refused as why:
        if "volsize" in kept:
            raise
        for name in _LIMITS:
            kept.pop(name, None)
        return str(why)
    return None


def _prepare_volume(state: State, volume: Dataset, kept: dict[str, str], action: str) -> None:
    block, size = volume.volblocksize or 1, int(kept.get("volsize", volume.volsize or 0))
    if size % block:
        shown = sizes.show(block, "B")
        raise Refused(f"{action}: 'volsize' must be a multiple of volume block size ({shown})")
    if not size:
        raise Refused(f"{action}: 'volsize' cannot be zero")
    reserved = Settings(state, ["refreservation"], volume.name).local.get(volume.name, {}).get("refreservation", "0")
    thick = int(reserved) == volumes.reservation(volume.volsize or 0, block)
    if "volsize" in kept and thick and "refreservation" not in kept:
        kept["refreservation"] = checks.AUTO
    if kept.get("refreservation") == checks.AUTO:
        kept["refreservation"] = str(volumes.reservation(size, block))


def _check_limits(state: State, dataset: Dataset, kept: dict[str, str], action: str) -> None:
    limits = {name: int(kept[name]) for name in _LIMITS if name in kept}
    if not any(limits.values()):
        return
    from chyves.lab.zfs import space

    pool = names.pool(dataset.name)
    wanted = max(limits.get("reservation", 0), limits.get("refreservation", 0))
    old = Settings(state, limits, dataset.name).local.get(dataset.name, {})
    more = wanted - max((int(value) for value in old.values()), default=0)
    if wanted and more > 0:
        short = f"{action}: size is greater than available space"
        if "volsize" in kept:
            short = f"{action}: out of space"
        space.require_room(state, dataset.name, more, short)
    for name, used in (("quota", "used"), ("refquota", "referenced")):
        if limits.get(name):
            measured = space.Space(state, pool)
            now = measured.used(dataset) if used == "used" else measured.referenced(dataset)
            if limits[name] < now:
                raise Refused(f"{action}: size is less than current used or reserved space")


def follow(state: State, dataset: Dataset, changed: dict[str, str], before: Settings) -> None:
    """Move what a change of properties moves: file systems that are mounted elsewhere now, nodes, views."""
    family = [dataset, *datasets.heads_below(state, dataset.name)] if dataset.kind == FILESYSTEM else [dataset]
    after = Settings(state, _PLACING)
    if any(name in changed for name in _PLACING):
        kept = mounts.directories_kept(before, [one for one in family if one.kind == FILESYSTEM])
        wanted = {one.id: _place(state, one, dataset, changed, before, after) for one in family}
        mounts.relocate(state, wanted, kept)
    if any(name in changed for name in _VIEWS):
        for one in family:
            state.then("view", "", number=one.id)


def _place(
    state: State, one: Dataset, dataset: Dataset, changed: dict[str, str], before: Settings, after: Settings
) -> str | None:
    if one.kind == VOLUME:
        return mounts.node(state, after, one.name) if "volmode" in changed else one.place
    if "mountpoint" not in changed:
        off = one.id == dataset.id and changed.get("canmount") == "off"
        return None if off else one.place
    place = after.mounts_at(one.name)
    if one.place:
        return None if after.canmount(one.name) == "off" else place
    # zfs(8) mounts what `set mountpoint` is asked for, and what a mountpoint of none or legacy had kept unmounted.
    freed = before.mountpoint(dataset.name)[0] in ("none", "legacy")
    return place if (one.id == dataset.id or freed) and after.canmount(one.name) == "on" else None


def inherit(state: State, words: Sequence[str]) -> int:
    """zfs inherit."""
    options = Options(words, "rS")
    if len(options.operands) < 2:
        raise BadUsage(f"missing {'dataset' if options.operands else 'property'} argument")
    word, *operands = options.operands
    row = properties.look_up(state.lab.release, word)
    if not row and not properties.is_user(word):
        raise BadUsage(f"invalid property '{word}'")
    if row:
        _refuse_not_inherited(row, word, "S" in options)
    name = row.name if row else word

    def change(one: Dataset) -> None:
        if row and not checks.fits(row, one.kind) and "r" not in options:
            reason = "property doesn't apply to datasets of this type"
            raise Refused(f"cannot inherit {word} for '{one.name}': {reason}")
        family = [one, *_below(state, one)] if "r" in options else [one]
        _inherit(state, one, [each for each in family if not row or checks.fits(row, each.kind)], name, "S" in options)

    return _each(state, operands, change)


def _below(state: State, dataset: Dataset) -> list[Dataset]:
    return [one for one in datasets.below(state, dataset.name) if one.kind in (*datasets.HEADS, SNAPSHOT)]


def _refuse_not_inherited(row: properties.Property, word: str, received: bool) -> None:
    if row.readonly:
        raise Refused(f"{word} property is read-only")
    if not row.inheritable and not received:
        text = f"'{word}' property cannot be inherited"
        if row.name in ("quota", "reservation", "refquota", "refreservation"):
            text += f"\nuse 'zfs set {word}=none' to clear\nuse 'zfs inherit -S {word}' to revert to received value"
        raise Refused(text)
    if received and row.name in ("volsize", "version"):
        raise Refused(f"'{word}' property cannot be reverted to a received value")


def _inherit(state: State, top: Dataset, family: Sequence[Dataset], name: str, to_received: bool) -> None:
    before = Settings(state, _PLACING)
    for one in family:
        settings.unset(state, one, name, to_received)
    follow(state, top, {name: ""}, before)
