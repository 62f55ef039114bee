"""Where file systems are mounted and volumes have their nodes, and the moves when that changes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from chyves.lab.zfs import busy, datasets, journal
from chyves.lab.zfs.datasets import FILESYSTEM, VOLUME, Dataset
from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State

_LONGEST_PATH = 1023


def node(state: State, settings: Settings, name: str) -> str | None:
    """The path of a volume's node; None with `volmode=none`."""
    return None if settings.word(name, "volmode", "default") == "none" else f"{state.volumes}/{name}"


def mounted_below(state: State, places: Iterable[str]) -> set[str]:
    """The directories below these where file systems are mounted."""
    query = "SELECT place FROM dataset WHERE place > ? AND place < ? AND kind = 'filesystem'"
    return {row[0] for place in places for row in state.db.execute(query, (f"{place}/", f"{place}0"))}


def _mounted_at(state: State, place: str) -> bool:
    return bool(state.db.execute("SELECT 1 FROM dataset WHERE place = ?", (place,)).fetchone())


def mounted(state: State) -> dict[str, Dataset]:
    """The file systems that are mounted, by directory."""
    return {
        one.place: one for one in datasets.select(state, "WHERE kind = 'filesystem' AND place IS NOT NULL") if one.place
    }


def settle(state: State, dataset: Dataset, settings: Settings, mounting: bool = True) -> str | None:
    """Give a new dataset, whose data are in the store or not there yet, its place; what zfs says when it has none."""
    place: str | None = None
    if dataset.kind == VOLUME:
        place = node(state, settings, dataset.name)
    elif mounting and settings.canmount(dataset.name) == "on":
        place = settings.mounts_at(dataset.name)
    if dataset.kind == FILESYSTEM:
        return _mount_new(state, dataset, settings, place)
    record(state, dataset, place)
    state.then("resize", place or state.stored(dataset.id), number=dataset.volsize or 0)
    return None


def _mount_new(state: State, dataset: Dataset, settings: Settings, place: str | None) -> str | None:
    complaint = obstacle(state, dataset, settings, place) if place else None
    state.then("directory", state.stored(dataset.id))
    if place and not complaint:
        mount(state, dataset, place)
    return complaint


def obstacle(state: State, dataset: Dataset, settings: Settings, place: str) -> str | None:
    """Why a file system cannot be mounted at a directory, in the words of zfs(8); None when it can."""
    failure = _cannot_be_made(place)
    if failure:
        return f"cannot mount '{place}': failed to create mountpoint: {failure}"
    if _mounted_at(state, place) or mounted_below(state, [place]):
        return f"cannot mount '{dataset.name}': mountpoint or dataset is busy"
    if settings.word(dataset.name, "overlay", "on") == "off" and os.path.isdir(place) and os.listdir(place):
        return f"cannot mount '{place}': directory is not empty"
    return None


def _cannot_be_made(place: str) -> str | None:
    if len(place.encode()) > _LONGEST_PATH:
        return "File name too long"
    above = place
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        return "Not a directory"
    changed = os.path.dirname(place) if above == place else above
    return None if os.access(changed, os.W_OK | os.X_OK) else "Permission denied"


def mount(state: State, dataset: Dataset, place: str) -> None:
    """Have a file system that is in the store appear at a directory."""
    record(state, dataset, place)
    state.then("mount", state.stored(dataset.id), place)
    state.then("view", "", number=dataset.id)


def unmount(state: State, dataset: Dataset, keep_directory: bool) -> None:
    """Take a file system back into the store; its mountpoint stays as an empty directory, or goes."""
    if not dataset.place:
        return
    record(state, dataset, None)
    state.then("unmount", dataset.place, state.stored(dataset.id), journal.inode(dataset.place))
    if keep_directory:
        state.then("directory", dataset.place)
    else:
        state.then("prune", dataset.place, os.path.dirname(dataset.place))


def record(state: State, dataset: Dataset, place: str | None) -> None:
    """Note where a dataset's data will be."""
    state.db.execute("UPDATE dataset SET place = ? WHERE id = ?", (place, dataset.id))


def refuse_if_used(state: State, leaving: Iterable[Dataset], force: bool = False) -> None:
    """Raise Refused when a file system cannot be unmounted: somebody is in it, or another is mounted below it."""
    going = {one.place: one for one in leaving if one.place and one.kind == FILESYSTEM}
    inner = mounted_below(state, going)
    for place in going:
        if any(one.startswith(f"{place}/") for one in inner - going.keys()):
            raise Refused(f"cannot unmount '{place}': pool or dataset is busy")
    used = None if force or not going else busy.in_use([*going], inner)
    if used:
        raise Refused(f"cannot unmount '{used}': pool or dataset is busy")


def directories_kept(settings: Settings, moved: Iterable[Dataset]) -> set[int]:
    """The file systems whose mountpoint was set on themselves: ZFS leaves that directory when they go away."""
    return {one.id for one in moved if settings.mountpoint(one.name)[1] == "local"}


def relocate(state: State, wanted: dict[int, str | None], kept: Collection[int] = (), force: bool = False) -> None:
    """Move datasets, given by number, to the places they are to have: first all out, then all in.

    `kept` are those whose mountpoint stays as an empty directory. Raises Refused when a file system is in use.
    """
    moving = [one for one in map(lambda n: datasets.by_id(state, n), wanted) if one.place != wanted[one.id]]
    systems = [one for one in moving if one.kind == FILESYSTEM]
    refuse_if_used(state, systems, force)
    for one in sorted(systems, key=lambda one: one.place or "", reverse=True):
        unmount(state, one, one.id in kept)
    for one in moving:
        if one.kind == VOLUME:
            _move_node(state, one, wanted[one.id])
    settings = Settings(state, ["overlay"])
    for place, one in sorted((place, one) for one in systems if (place := wanted[one.id])):
        complaint = obstacle(state, one, settings, place)
        if complaint:
            raise Refused(complaint)
        mount(state, one, place)


def _move_node(state: State, volume: Dataset, place: str | None) -> None:
    source, target = datasets.data(state, volume), place or state.stored(volume.id)
    record(state, volume, place)
    for stale in datasets.snapshots(state, volume.name):
        if volume.place:
            state.then("remove", f"{volume.place}@{stale.name.partition('@')[2]}")
    state.then("move", source, target, journal.inode(source))
    state.then("prune", os.path.dirname(source), state.volumes)
    state.then("view", "", number=volume.id)


def discard(state: State, dataset: Dataset, keep_directory: bool) -> None:
    """Have the data of a dataset removed, with its node or (unless it is to be kept) its mountpoint."""
    stored = state.stored(dataset.id)
    if dataset.kind == FILESYSTEM:
        unmount(state, dataset, keep_directory)
    elif dataset.place:
        state.then("move", dataset.place, stored, journal.inode(dataset.place))
        state.then("prune", os.path.dirname(dataset.place), state.volumes)
    state.then("remove", stored)
