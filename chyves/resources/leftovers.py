"""What a crash left of resources: half-imported ones are taken back, half-deleted and half-renamed ones finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from chyves.errors import Busy, ChyvesError
from chyves.host.machine import Host
from chyves.pools import together
from chyves.pools.holdings import RESOURCES, Holdings
from chyves.section import Section

NEW, OLD = ".new-", ".old-"
"""What a dataset's name begins with while its resource is being imported, and deleted."""

FROM = ".from-"
"""What a file's further name begins with while its resource is being renamed; its old name follows."""

UNFINISHED = {NEW: "was not imported to its end; it is taken back", OLD: "was not deleted to its end; it is finished"}


@contextmanager
def changing(host: Host, kind: str, name: str) -> Iterator[None]:
    """Hold the lock of one resource: a download of an hour keeps nobody from anything else, and is not waited for.

    Raises Busy.
    """
    with host.locks.hold(_lock(kind, name), wait=1):
        yield


def discard(host: Host, dataset: str) -> None:
    """Destroy a resource's dataset and its snapshots; raises ProgramFailed where something elsewhere hangs on them."""
    host.zfs.destroy_all(dataset, host.zfs.below(dataset))


def settle(host: Host, holdings: Holdings) -> None:
    """Clear what no running command holds; raises ChyvesError where a newer chyves has been at work."""
    holdings.for_change()
    try:
        with host.locks.hold("all", wait=0):
            settle_renames(host, holdings)
    except Busy:
        pass  # who holds it has settled them
    for left in unfinished(holdings):
        clear(host, *left)


def settle_all(host: Host, holdings: Holdings) -> bool:
    """Clear what no running command holds, and tell what cannot be; whether there was any. Needs the lock `all`."""
    found = settle_renames(host, holdings)
    for left in unfinished(holdings):
        try:
            clear(host, *left)
            found = True
        except ChyvesError as error:
            host.terminal.warn(f"{left.name}: is left by a crash, and cannot be destroyed: {error}")
    return found


class Left(NamedTuple):
    """What is left of a resource: its kind and name, the dataset, and what is said of it."""

    kind: str
    name: str
    dataset: str
    what: str


def unfinished(holdings: Holdings) -> list[Left]:
    """What is left of imports and deletions, also of those that somebody is at now."""
    return [
        Left(kind, name.removeprefix(prefix), parent + name, what)
        for kind, directory in RESOURCES.items()
        for pool in holdings.pools.values()
        for parent in [f"{pool.dataset}/{directory}/"]
        for name in (row.removeprefix(parent) for row in pool.rows if row.startswith(parent))
        for prefix, what in UNFINISHED.items()
        if name.startswith(prefix) and "/" not in name
    ]


def clear(host: Host, kind: str, name: str, dataset: str, what: str) -> None:
    """Destroy what is left of a resource, unless somebody is at it now."""
    try:
        with host.locks.hold(_lock(kind, name), wait=0):
            # It may have been finished since it was listed.
            if host.zfs.exists(dataset):
                host.terminal.warn(f"{name}: {what}")
                discard(host, dataset)
    except Busy:
        pass  # somebody is at it now


def settle_renames(host: Host, holdings: Holdings) -> bool:
    """Finish each rename whose dataset has its new name, take back the others; whether there was one.

    The caller holds the lock `all`.
    """
    found = False
    for kind in RESOURCES:
        for file in holdings.resources(kind).values():
            for mark in file.parent.glob(f"{FROM}*"):
                found = True
                _settle_rename(host, holdings, kind, file, mark)
    return found


def _settle_rename(host: Host, holdings: Holdings, kind: str, file: Path, mark: Path) -> None:
    name, old = file.name, mark.name.removeprefix(FROM)
    others = [path for path in file.parent.iterdir() if path not in (file, mark) and path.samefile(mark)]
    if old == name:
        host.terminal.warn(f"{name}: was not renamed to its end; it is taken back")
    else:
        host.terminal.warn(f"{old}: was not renamed to its end; it is {name} now")
        before = firmware_changes(holdings, old) if kind == "firmware" else []
        together.write(holdings, before, [section.with_changes({"uefi_firmware": name}) for section in before])
        holdings.forget_properties()
    for path in (*others, mark):
        host.files.remove(path)


def firmware_changes(holdings: Holdings, name: str) -> list[Section]:
    """The guests and the defaults that name a firmware, as they are now."""
    everyone = [*holdings.each_properties(holdings.host.terminal.warn).values(), holdings.defaults]
    return [section for section in everyone if section.text.get("uefi_firmware") == name]


def _lock(kind: str, name: str) -> str:
    return f"{kind}.{name}"
