"""What an incremental package of `zfs send -R` changes beside its streams: names, and with -F what is gone."""

from __future__ import annotations

from chyves.lab.zfs import datasets, destroy, mounts, names
from chyves.lab.zfs.datasets import HEADS, Dataset
from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State
from chyves.lab.zfs.stream import Told


def adapt(state: State, package: Told, top: str, force: bool) -> None:
    """Rename what was renamed by the sender; with `force` destroy what the sender has no longer."""
    sent = names.head(package["name"])
    known = {guid: one for one in package["datasets"] for guid in one["snapshots"]}
    with state.changing():
        head = datasets.find(state, top)
        if not head:
            return
        for one in reversed([head, *datasets.heads_below(state, top)]):
            mine = datasets.snapshots(state, one.name)
            match = next((known[str(each.guid)] for each in mine if str(each.guid) in known), None)
            if match is None:
                _destroy(state, one, force and one.name != top)
                continue
            _adapt_snapshots(state, one, mine, match, force)
            wanted = top + match["name"][len(sent) :]
            if one.name not in (top, wanted):
                _rename(state, one, wanted)


def _destroy(state: State, head: Dataset, force: bool) -> None:
    if not force:
        return
    doomed = [*destroy.dependents(state, head), head]
    if all(one.name == head.name or names.head(one.name).startswith(head.name) for one in doomed):
        destroy.all_of(state, doomed)


def _adapt_snapshots(state: State, head: Dataset, mine: list[Dataset], match: Told, force: bool) -> None:
    for one in mine:
        tag = match["snapshots"].get(str(one.guid))
        if tag is None and force and not datasets.clones(state, one.id):
            destroy.all_of(state, [one])
        elif tag is not None and tag != names.tag(one.name) and not datasets.find(state, f"{head.name}@{tag}"):
            state.db.execute("UPDATE dataset SET name = ? WHERE id = ?", (f"{head.name}@{tag}", one.id))
    state.then("view", "", number=head.id)


def _rename(state: State, head: Dataset, wanted: str) -> None:
    parent = datasets.find(state, names.parent(wanted) or "")
    if datasets.find(state, wanted) or not parent:
        return
    family = [head, *datasets.below(state, head.name)]
    state.db.executemany(
        "UPDATE dataset SET name = ? WHERE id = ?", [(wanted + one.name[len(head.name) :], one.id) for one in family]
    )
    after = Settings(state, ["mountpoint", "volmode"])
    places: dict[int, str | None] = {}
    for one in family:
        name = wanted + one.name[len(head.name) :]
        if one.kind in HEADS:
            volume = mounts.node(state, after, name) if one.kind == datasets.VOLUME else None
            places[one.id] = volume or (after.mounts_at(name) if one.place else None)
    try:
        mounts.relocate(state, places)
    except Refused as why:
        raise Refused(f"cannot receive incremental stream: {why}") from None
