"""What a crash left of an adoption: volumes of another manager go back to it, and snapshots for clones go.

While a guest is adopted, its new dataset carries a mark that says from where its datasets come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chyves.errors import ChyvesError
from chyves.guests.process_snapshots import drop_process_snapshots
from chyves.host.machine import Host
from chyves.pools.holdings import ADOPTING, GuestHolding, PoolHolding

BETWEEN = ","


def mark(sources: Mapping[str, str]) -> dict[str, str]:
    """The ZFS property that says where each new dataset comes from: `disk0=zroot/vm/web1/disk0`."""
    return {ADOPTING: BETWEEN.join(f"{name}={source}" for name, source in sources.items())}


def bring_back(host: Host, pool: PoolHolding, dataset: str) -> None:
    """Rename what a half-made guest has of another manager's volumes back, and destroy the snapshots it was made from.

    Raises ChyvesError: nothing may be destroyed as long as that is not done.
    """
    for name, source in _sources(pool, dataset):
        if host.zfs.exists(source):
            drop_process_snapshots(host, source)
        elif f"{dataset}/{name}" in pool.rows:
            host.zfs.rename(f"{dataset}/{name}", source)
            pool.rows.pop(f"{dataset}/{name}", None)
        else:
            raise ChyvesError(f"{source}: is neither there nor at {dataset}/{name}; look for it with: zfs list")


def finish(holding: GuestHolding) -> None:
    """Take the mark off a guest that is whole, and let go the snapshots that it was made from."""
    host, sources = holding.host, list(_sources(holding.pool, holding.dataset))
    if not sources:
        return
    drop_process_snapshots(host, *(source for _, source in sources if host.zfs.exists(source)))
    host.zfs.inherit(holding.dataset, ADOPTING)
    host.terminal.warn(f"{holding.name}: was not adopted to its end; it is finished")


def _sources(pool: PoolHolding, dataset: str) -> Iterator[tuple[str, str]]:
    """The names of what a dataset has from elsewhere, and from where."""
    told = pool.rows.get(dataset, {}).get(ADOPTING, "-")
    for pair in told.split(BETWEEN) if told != "-" else ():
        name, _, source = pair.partition("=")
        yield name, source
