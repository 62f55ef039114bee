"""What becomes of a stream that has come in whole: a snapshot, and a dataset that holds what that does."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chyves.lab.zfs import checks, content, datasets, destroy, mounts, names, properties, resuming, setting, settings
from chyves.lab.zfs import space as space_
from chyves.lab.zfs.datasets import FILESYSTEM, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State
from chyves.lab.zfs.stream import Told

if TYPE_CHECKING:
    from chyves.lab.zfs.reception import Plan, Wish


class Arrival:
    """The end of a reception, inside one change of state."""

    def __init__(self, state: State, begin: Told, wish: Wish, package: Told | None, name: str, problem: str) -> None:
        self._state, self._begin, self._wish, self._name, self._problem = state, begin, wish, name, problem
        self._told = _told_of(package, begin["guid"])
        self._recursive = bool(package and package["recursive"])
        self._holds = not wish.without_holds

    def prepare_head(self, place: str) -> None:
        """Copy what a new dataset begins with, which takes its time, before anybody has to wait for it."""
        if self._begin["kind"] == FILESYSTEM:
            content.copy_tree(f"{place}/data", f"{place}/head", ())
        else:
            content.copy_volume(f"{place}/data", f"{place}/head")

    def settle(self, place: str, plan: Plan) -> None:
        """Record the snapshot and its dataset; raises Refused where there is no room for them."""
        state, begin = self._state, self._begin
        measured = space_.measure(f"{place}/data")
        above = names.parent(names.head(self._name)) or names.pool(self._name)
        space_.require_room(state, above, measured.total, f"{self._problem}: out of space")
        fresh = plan.head is None or resuming.is_made(state, plan.head.id)
        head = plan.head or self._add_head(plan.origin)
        if plan.base:
            self._destroy_newer(head, plan.base)
        snapshot = datasets.add(
            state, self._name, SNAPSHOT, head.kind, guid=begin["guid"], creation=begin["creation"] or int(time.time()),
            volsize=begin["volsize"], volblocksize=begin["volblocksize"],
            referenced=space_.empty(head.kind) + measured.total, logical=measured.logical,
        )  # fmt: skip
        state.then("move", f"{place}/data", state.stored(snapshot.id))
        if fresh:
            self._place_new(head, place)
        self._set_properties(head, snapshot, fresh)
        if not fresh:
            self._change(head, snapshot)
        state.db.execute("DELETE FROM partial WHERE dataset = ?", (head.id,))
        state.then("remove", state.partial(head.id))
        state.then("view", "", number=head.id)

    def _add_head(self, origin: Dataset | None) -> Dataset:
        begin = self._begin
        return datasets.add(
            self._state, names.head(self._name), begin["kind"], begin["kind"], origin=origin.id if origin else None,
            volsize=begin["volsize"], volblocksize=begin["volblocksize"],
        )  # fmt: skip

    def _destroy_newer(self, head: Dataset, base: Dataset) -> None:
        newer = [one for one in datasets.snapshots(self._state, head.name) if (one.txg, one.id) > (base.txg, base.id)]
        if any(datasets.clones(self._state, one.id) for one in newer):
            raise Refused(f"{self._problem}: dataset is busy")
        destroy.all_of(self._state, newer)

    def _place_new(self, head: Dataset, place: str) -> None:
        """The dataset's data are in the store; `zfs receive` mounts file systems when all has come in."""
        self._state.then("remove", self._state.stored(head.id))
        self._state.then("move", f"{place}/head", self._state.stored(head.id))

    def _change(self, head: Dataset, snapshot: Dataset) -> None:
        if head.kind == VOLUME:
            self._state.db.execute("UPDATE dataset SET volsize = ? WHERE id = ?", (snapshot.volsize, head.id))
            self._state.then("refill", self._state.stored(snapshot.id), self._now(head))
        else:
            self._state.then("restore", "", number=snapshot.id)

    def _now(self, head: Dataset) -> str:
        return datasets.data(self._state, datasets.by_id(self._state, head.id))

    def _set_properties(self, head: Dataset, snapshot: Dataset, fresh: bool) -> None:
        state, wish = self._state, self._wish
        before = Settings(state, of=head.name)
        old = before.local.get(head.name, {})
        self._warn_of_excluded(head)
        top = wish.top == head.name
        own = self._own(head) if top else {}
        sent = self._sent(head)
        hidden = wish.excluded | (frozenset() if top else frozenset(wish.properties))
        if sent is not None:
            settings.receive(state, head, sent, hidden)
        elif hidden:
            settings.receive(state, head, settings.received(state, head), hidden)
        settings.put(state, head, own)
        self._dress_snapshot(snapshot)
        if fresh and head.kind == VOLUME:
            place = mounts.node(state, Settings(state, ["volmode"], head.name), head.name)
            mounts.record(state, head, place)
            if place:
                state.then("move", state.stored(head.id), place)
        elif not fresh:
            now = Settings(state, of=head.name).local.get(head.name, {})
            changed = {name: now.get(name, "") for name in {*old, *now} if old.get(name) != now.get(name)}
            setting.follow(state, head, changed, before)

    def _warn_of_excluded(self, head: Dataset) -> None:
        for name in sorted(self._wish.excluded):
            row = properties.look_up(self._state.lab.release, name)
            if row and not checks.fits(row, head.kind):
                text = f"Warning: {head.name}: property '{name}' does not apply to datasets of this type"
                print(text, file=sys.stderr)

    def _own(self, head: Dataset) -> dict[str, str]:
        """What `-o` sets on the dataset that is received first; raises Refused."""
        release, given = self._state.lab.release, self._wish.properties
        if self._recursive:
            # What is not for this kind of dataset may be for another one in the package.
            rows = {name: properties.look_up(release, name) for name in given}
            given = {
                name: value for name, value in given.items() if not (row := rows[name]) or checks.fits(row, head.kind)
            }
        return checks.checked(release, head.kind, given, self._problem, creating=False)

    def _sent(self, head: Dataset) -> dict[str, str] | None:
        """The properties that came with the stream and are for this kind of dataset; None where none were sent."""
        sent: Mapping[str, str] | None = self._told.get("properties")
        if sent is None:
            return None
        kept: dict[str, str] = {}
        for name, value in sent.items():
            row = properties.look_up(self._state.lab.release, name)
            if name in self._wish.excluded and row and not row.inheritable:
                continue
            if properties.is_user(name) or (row and checks.fits(row, head.kind) and row.name != "version"):
                kept[name] = value
        return self._affordable(head, kept)

    def _affordable(self, head: Dataset, kept: dict[str, str]) -> dict[str, str]:
        for name in ("reservation", "refreservation"):
            try:
                text = f"cannot receive {name} property on {head.name}: size is greater than available space"
                space_.require_room(self._state, head.name, int(kept.get(name, "0")), text)
            except Refused as why:
                print(why, file=sys.stderr)
                del kept[name]
        return kept

    def _dress_snapshot(self, snapshot: Dataset) -> None:
        guid = str(snapshot.guid)
        settings.receive(self._state, snapshot, self._told.get("of snapshots", {}).get(guid, {}), ())
        for tag in self._told.get("holds", {}).get(guid, []) if self._holds else []:
            self._state.db.execute("INSERT INTO hold VALUES (?, ?, ?)", (snapshot.id, tag, int(time.time())))

    @staticmethod
    def forget(state: State, dataset: str) -> None:
        """Throw away what was received of a stream that was cut off again, and is not to be kept."""
        with state.changing():
            head = datasets.find(state, dataset)
            if not head:
                return
            state.then("remove", state.partial(head.id))
            if resuming.is_made(state, head.id):
                state.then("remove", state.stored(head.id))
                datasets.drop(state, head)
            state.db.execute("DELETE FROM partial WHERE dataset = ?", (head.id,))


def _told_of(package: Told | None, guid: int) -> Told:
    """What a package tells of the dataset that has a snapshot."""
    for one in package["datasets"] if package else ():
        if str(guid) in one["snapshots"]:
            told: Told = one
            return told
    return {}
