"""Steps of the journal that need to know what the state says when they are done."""

from __future__ import annotations

from chyves.lab.zfs import content, datasets, journal, mounts, names, views
from chyves.lab.zfs.journal import Step
from chyves.lab.zfs.state import State


def do(state: State, step: Step) -> None:
    """Do one step of a committed command; may be done again when it had been begun before."""
    if step.act == "view":
        views.show(state, step.number)
    elif step.act == "restore":
        _restore(state, step.number)
    elif step.act == "refill":
        content.refill_volume(step.source, step.target)
    else:
        journal.do(step)


def _restore(state: State, number: int) -> None:
    """A file system holds again what a snapshot of it does: the rest of a rollback."""
    snapshot = datasets.by_id(state, number)
    head = datasets.find(state, names.head(snapshot.name))
    if head:
        live = datasets.data(state, head)
        content.restore_tree(state.stored(number), live, mounts.mounted_below(state, [live]))
