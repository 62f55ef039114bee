"""What a crash left of resources: half-imported ones are taken back, half-deleted ones are finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chyves.errors import Busy
from chyves.host.machine import Host
from chyves.pools.holdings import RESOURCES, Holdings

NEW, OLD = ".new-", ".old-"
"""What a dataset's name begins with while its resource is being imported, and deleted."""

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
    """Clear what no running command holds."""
    for kind, directory in RESOURCES.items():
        parent = f"{holdings.primary.dataset}/{directory}/"
        below = [row.removeprefix(parent) for row in holdings.primary.rows if row.startswith(parent)]
        for name in below:
            for prefix, what in UNFINISHED.items():
                if name.startswith(prefix) and "/" not in name:
                    _clear(host, kind, name.removeprefix(prefix), parent + name, what)


def _clear(host: Host, kind: str, name: str, dataset: str, what: str) -> None:
    try:
        with host.locks.hold(_lock(kind, name), wait=0):
            # It may have been finished since it was listed.
            if host.zfs.exists(dataset):
                host.terminal.warn(f"{name}: {what}")
                discard(host, dataset)
    except Busy:
        pass  # somebody is at it now


def _lock(kind: str, name: str) -> str:
    return f"{kind}.{name}"
