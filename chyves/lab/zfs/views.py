"""What users see of snapshots: `.zfs/snapshot/NAME` and `/dev/zvol/POOL/NAME@SNAPSHOT`.

A view is made anew from the state whenever something it shows has changed. `.zfs` is only there while `snapdir` is
`visible` (OpenZFS finds it by name when it is hidden, too). What a snapshot holds is not copied for it: the entries
are links to where it is kept.
"""

from __future__ import annotations

import os

from chyves.lab.zfs import datasets, journal
from chyves.lab.zfs.content import CONTROL
from chyves.lab.zfs.datasets import Dataset
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State


def show(state: State, number: int) -> None:
    """Make the views of a file system's or volume's snapshots be what its properties say; it may be gone."""
    found = datasets.select(state, "WHERE id = ?", (number,))
    if not found:
        return
    dataset = found[0]
    prop = "snapdir" if dataset.kind == datasets.FILESYSTEM else "snapdev"
    visible = Settings(state, [prop], dataset.name).word(dataset.name, prop, "hidden") == "visible"
    of = datasets.snapshots(state, dataset.name) if visible else []
    wanted = {one.name.partition("@")[2]: state.stored(one.id) for one in of}
    if dataset.kind == datasets.FILESYSTEM:
        _show_directory(datasets.data(state, dataset), wanted, visible)
    elif dataset.place:
        _show_devices(dataset, wanted)


def _show_directory(path: str, wanted: dict[str, str], visible: bool) -> None:
    control = f"{path}/{CONTROL}"
    if not visible:
        journal.remove(control)
        return
    if not os.path.isdir(path):
        return
    directory = f"{control}/snapshot"
    os.makedirs(directory, exist_ok=True)
    for name in os.listdir(directory):
        if wanted.get(name) != _target(f"{directory}/{name}"):
            journal.remove(f"{directory}/{name}")
    for name, kept in wanted.items():
        if not os.path.lexists(f"{directory}/{name}"):
            _link(kept, f"{directory}/{name}")


def _show_devices(volume: Dataset, wanted: dict[str, str]) -> None:
    above, name = os.path.split(volume.place or "")
    if not os.path.isdir(above):
        return
    for entry in os.listdir(above):
        own, at, snapshot = entry.partition("@")
        if at and own == name and wanted.get(snapshot) != _target(f"{above}/{entry}"):
            journal.remove(f"{above}/{entry}")
    for snapshot, kept in wanted.items():
        if not os.path.lexists(f"{above}/{name}@{snapshot}"):
            _link(kept, f"{above}/{name}@{snapshot}")


def _link(kept: str, path: str) -> None:
    try:
        os.symlink(kept, path)
    except OSError:
        pass  # a name too long for a file: the snapshot is there, only its view is not


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
