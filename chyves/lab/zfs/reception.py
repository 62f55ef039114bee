"""One stream of `zfs receive`: where it goes, whether it may, and what becomes of it when it is whole or cut off.

What comes in is put together beside the datasets, and becomes one of them by one change of state at the end.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from chyves.lab.zfs import content, create, datasets, locking, names, resuming, sizes, space
from chyves.lab.zfs.arrival import Arrival
from chyves.lab.zfs.datasets import FILESYSTEM, HEADS, SNAPSHOT, VOLUME, Dataset
from chyves.lab.zfs.difference import Builder
from chyves.lab.zfs.options import Options
from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.resuming import Marker
from chyves.lab.zfs.state import State
from chyves.lab.zfs.stream import Cut, Reader, Told

_SAVED = """checksum mismatch or incomplete stream.
Partially received snapshot is saved.
A resuming stream can be generated on the sending system by running:
    zfs send -t """


class Wish:
    """What a command line of `zfs receive` asks for; `top` is the first dataset that it has received."""

    def __init__(self, options: Options, target: str, given: dict[str, str], excluded: frozenset[str]) -> None:
        self.target = target
        self.origin = given.get("origin")
        self.properties = {name: value for name, value in given.items() if name != "origin"}
        self.excluded = excluded
        self.force, self.dry, self.unmounted = "F" in options, "n" in options, "u" in options
        self.verbose, self.resumable, self.without_holds = "v" in options, "s" in options, "h" in options
        self.tail = "e" in options
        self.prefix = self.tail or "d" in options
        self.top: str | None = None

    def destination(self, sent: str, name: str) -> str:
        """The name of a snapshot that is called `name` in a stream of the dataset `sent`; raises Refused."""
        if self.prefix and "@" in self.target:
            raise Refused(f"cannot receive: invalid argument - snapshot not allowed with -{'e' if self.tail else 'd'}")
        found = self.target + self._added(sent, name)
        if names.fault(found, [SNAPSHOT]):
            raise Refused("cannot receive: invalid name")
        return found

    def _added(self, sent: str, name: str) -> str:
        if self.tail:
            return "/" + name[sent.rfind("/") + 1 :]
        if self.prefix:
            slash = name.find("/")
            return name[slash if slash >= 0 else name.index("@") :]
        return "" if "@" in self.target else name[len(sent) :]


class Plan(NamedTuple):
    """Where a stream goes, as far as the state has been looked at: nothing is there, or `head`, or a base."""

    head: Dataset | None
    base: Dataset | None
    origin: Dataset | None
    ignored: bool = False


class Reception:
    """The reception of one stream; `package` tells of the package that it is in, `sent` is what was sent as a whole."""

    def __init__(self, state: State, reader: Reader, begin: Told, wish: Wish, package: Told | None, sent: str) -> None:
        self._state, self._reader, self._begin, self._wish, self._package = state, reader, begin, wish, package
        self.name = wish.destination(sent, begin["name"])
        self.dataset = names.head(self.name)
        self._resuming = bool(begin["resuming"])
        self._origin_told = False
        new = not begin["from"] or begin["clone"] or wish.origin is not None
        self._new = new and not self._resuming
        kind = "resume" if self._resuming else "new filesystem" if new else "incremental"
        self._problem = f"cannot receive {kind} stream"

    def receive(self) -> str | None:
        """Receive the stream; the dataset, where it may have to be mounted now. Raises Refused."""
        wish, started, before = self._wish, time.monotonic(), self._reader.got
        if self._new and wish.prefix and not wish.tail and not wish.dry:
            with self._state.changing():
                create.make_ancestors(self._state, self.dataset)
        plan = self._plan()
        if wish.verbose:
            how = "would receive" if wish.dry else "receiving"
            kind = "incremental" if self._begin["from"] else "full"
            print(f"{how} {kind} stream of {self._begin['name']} into {self.name}", flush=True)
        wish.top = wish.top or self.dataset
        if wish.dry or plan.ignored:
            self._skip(plan)
            return None
        with ExitStack() as held:
            place = held.enter_context(self._saved(plan) if wish.resumable or self._resuming else self._apart())
            if plan.base:
                held.enter_context(locking.shared([self._state.stored(plan.base.id)]))
            self._build(place, plan)
            self._arrive(place)
        if wish.verbose:
            seconds, got = max(time.monotonic() - started, 1e-9), self._reader.got - before
            each = sizes.show(int(got / seconds), "B")
            print(f"received {sizes.show(got, 'B')} stream in {seconds:.2f} seconds ({each}/sec)", flush=True)
        return self.dataset if plan.head is None or self._package or self._resuming else None

    def _skip(self, plan: Plan) -> None:
        if plan.ignored and self._wish.verbose:
            print(f"snap {self.name} already exists; ignoring")
        try:
            for _ in self._reader.records():
                pass
        except Cut as why:
            raise Refused(f"{self._problem}: {why}") from None

    def _plan(self) -> Plan:
        """Look where the stream belongs; raises Refused where it cannot go there."""
        state = self._state
        head = datasets.find(state, self.dataset)
        origin = self._find_origin()
        if self._new and head:
            self._refuse_overwriting(head)
        elif self._new:
            self._require_parent()
        elif not head or head.kind not in HEADS:
            raise Refused(f"{self._problem}: destination '{self.dataset}' does not exist")
        if head is None:
            return Plan(None, None, origin)
        if self._exists(head):
            return Plan(head, None, None, ignored=True)
        saved = resuming.partial(state, head.id)
        if self._resuming:
            return self._resumed(head, saved)
        if saved is not None:
            text = f'destination {self.dataset} contains partially-complete state from "zfs receive -s".'
            raise Refused(f"{self._problem}: {text}")
        return Plan(head, None if self._new else self.base(head), origin)

    def _find_origin(self) -> Dataset | None:
        if self._wish.origin:
            return datasets.require(self._state, self._wish.origin, [SNAPSHOT])
        if not self._begin["clone"]:
            return None
        pool = names.pool(self.dataset)
        where = "WHERE guid = ? AND kind = 'snapshot' AND name >= ? AND name < ?"
        found = datasets.select(self._state, where, (self._begin["from"], f"{pool}/", f"{pool}0"))
        if not found:
            raise Refused(f"cannot receive: local origin for clone {self.name} does not exist")
        if self._wish.verbose and not self._origin_told:
            print(f"found clone origin {found[0].name}")
            self._origin_told = True
        return found[0]

    def _refuse_overwriting(self, head: Dataset) -> None:
        if not self._wish.force:
            raise Refused(f"{self._problem}: destination '{head.name}' exists\nmust specify -F to overwrite it")
        snapshots = datasets.snapshots(self._state, head.name)
        if snapshots:
            text = f"destination has snapshots (eg. {snapshots[0].name})\nmust destroy them to overwrite it"
            raise Refused(f"{self._problem}: {text}")
        if self._begin["kind"] == VOLUME and "/" not in head.name:
            text = f"destination {head.name} is the root dataset\ncannot overwrite with a ZVOL"
            raise Refused(f"{self._problem}: {text}")
        children = datasets.children(self._state, head.name)
        if self._begin["kind"] == VOLUME and children:
            text = f"destination has children (eg. {children[0].name})\ncannot overwrite with a ZVOL"
            raise Refused(f"{self._problem}: {text}")
        if head.origin is not None:
            text = f"destination '{head.name}' is a clone\nmust destroy it to overwrite it"
            raise Refused(f"{self._problem}: {text}")
        if head.kind != self._begin["kind"]:
            raise Refused(f"{self._problem}: the lab's zfs does not make a {self._begin['kind']} of a {head.kind}")

    def _require_parent(self) -> None:
        above = names.parent(self.dataset)
        if above is None:
            raise Refused(f"{self._problem}: destination '{self.dataset}' does not exist")
        parent = datasets.find(self._state, above)
        if not parent:
            text = f"cannot open '{above}': dataset does not exist"
            raise Refused(f"{text}\n{self._problem}: unable to restore to destination")
        if parent.kind != FILESYSTEM:
            raise Refused(f"{self._problem}: parent '{above}' is not a filesystem")

    def _exists(self, head: Dataset) -> bool:
        """Whether the dataset has this very snapshot; raises Refused where it has another one of that name."""
        there = datasets.find(self._state, self.name)
        known = {one.guid for one in datasets.snapshots(self._state, head.name)}
        if there and self._begin["guid"] not in known:
            raise Refused(f"cannot restore to {self.name}: destination already exists")
        return bool(there)

    def base(self, head: Dataset) -> Dataset:
        """The snapshot that an incremental stream goes on from; raises Refused."""
        snapshots = datasets.snapshots(self._state, head.name)
        found = [one for one in snapshots if one.guid == self._begin["from"]]
        if not found or (found[0].id != snapshots[-1].id and not self._wish.force):
            text = f"most recent snapshot of {self.dataset} does not\nmatch incremental source"
            raise Refused(f"{self._problem}: {text}")
        if not self._wish.force and _modified(self._state, head, found[0]):
            text = f"destination {self.dataset} has been modified\nsince most recent snapshot"
            raise Refused(f"{self._problem}: {text}")
        return found[0]

    def _resumed(self, head: Dataset, saved: Told | None) -> Plan:
        if saved is None or (saved["guid"], saved["from"]) != (self._begin["guid"], self._begin["from"]):
            modules = "kernel modules must be upgraded to receive this stream."
            raise Refused(f"{self._problem}: {modules if self._wish.resumable else 'invalid backup stream'}")
        fresh = resuming.is_made(self._state, head.id)
        return Plan(head, None if fresh or not self._begin["from"] else self.base(head), self._find_origin())

    @contextmanager
    def _apart(self) -> Iterator[str]:
        with self._state.receiving() as place:
            yield place

    @contextmanager
    def _saved(self, plan: Plan) -> Iterator[str]:
        """A place that stays when the stream is cut off; the dataset tells of it by its `receive_resume_token`."""
        state, begin = self._state, self._begin
        with state.changing():
            head = plan.head or self._make_empty(plan)
            made = plan.head is None or resuming.is_made(state, head.id)
            row = (head.id, json.dumps({**begin, "resuming": True}), int(made))
            state.db.execute("INSERT OR REPLACE INTO partial (dataset, begin, made) VALUES (?, ?, ?)", row)
        place = state.partial(head.id)
        os.makedirs(place, exist_ok=True)
        with locking.shared([place]):
            yield place

    def _make_empty(self, plan: Plan) -> Dataset:
        state, begin = self._state, self._begin
        made = datasets.add(
            state, self.dataset, begin["kind"], begin["kind"], origin=plan.origin.id if plan.origin else None,
            volsize=begin["volsize"], volblocksize=begin["volblocksize"],
        )  # fmt: skip
        act = "directory" if made.kind == FILESYSTEM else "resize"
        state.then(act, state.stored(made.id), number=made.volsize or 0)
        return made

    def _build(self, place: str, plan: Plan) -> None:
        """Put together what the snapshot holds; raises Refused when the stream does not come to its end."""
        data, saving = f"{place}/data", self._wish.resumable or self._resuming
        if not (self._resuming and os.path.lexists(data)):
            _begin_with(self._state, data, self._begin, plan.base or plan.origin)
        builder, marker = Builder(data), Marker(place) if saving else None
        try:
            for kind, payload in self._reader.records():
                builder.apply(kind, payload)
                if marker:
                    marker.put(builder.position)
        except (Cut, ValueError, KeyError) as why:
            raise Refused(self._cut_off(place, str(why))) from None
        finally:
            builder.finish()
            if marker:
                marker.close()

    def _cut_off(self, place: str, why: str) -> str:
        reached = resuming.position(place)
        if self._wish.resumable and reached is not None:
            return f"{self._problem}: {_SAVED}{resuming.token({**self._begin, 'resuming': True}, reached)}"
        if self._resuming and not self._wish.resumable:
            Arrival.forget(self._state, self.dataset)
        return f"{self._problem}: {why}"

    def _arrive(self, place: str) -> None:
        head = datasets.find(self._state, self.dataset)
        arrival = Arrival(self._state, self._begin, self._wish, self._package, self.name, self._problem)
        if head is None or resuming.is_made(self._state, head.id):
            arrival.prepare_head(place)
        with self._state.changing():
            # Others may have changed the destination meanwhile.
            plan = self._plan()
            arrival.settle(place, plan)


def _begin_with(state: State, data: str, begin: Told, base: Dataset | None) -> None:
    """What a stream's records are applied to: the content of the snapshot that it goes on from, or nothing."""
    if base is None or begin["whole"]:
        if begin["kind"] == FILESYSTEM:
            os.makedirs(data, exist_ok=True)
    elif begin["kind"] == FILESYSTEM:
        content.copy_tree(state.stored(base.id), data, ())
    else:
        content.copy_volume(state.stored(base.id), data)


def _modified(state: State, head: Dataset, snapshot: Dataset) -> bool:
    """Whether a dataset holds something else than its last snapshot, by the names, sizes and times of its files."""
    others = {one.place for one in datasets.heads_below(state, head.name) if one.place}
    now = space.measure(datasets.data(state, head), others)
    return now.pieces.keys() != space.measure(state.stored(snapshot.id)).pieces.keys()
