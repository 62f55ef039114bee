"""What a crash left of changes of whole pools; settled before what it left of guests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings, PoolHolding
from chyves.pools.writing import save

NOTE = "unfinished-promotion.json"


def settled(host: Host, columns: Sequence[str] = ()) -> Holdings:
    """All that chyves has on this host, once no pool is in the middle of a change; the caller holds the lock `all`."""
    holdings = Holdings.read(host, columns).for_change()
    return Holdings.read(host, columns).for_change() if settle(holdings) else holdings


def settle(holdings: Holdings) -> bool:
    """Finish or take back what was half done to pools; whether anything has changed by that."""
    found = False
    for pool in holdings.pools.values():
        if _unfinished(pool):
            _settle_promotion(holdings, pool)
            found = True
        _sweep(pool)
    if holdings.has_primary:
        found |= _demote_others(holdings)
    for dataset in holdings.uninstalled:
        _finish_uninstalling(holdings.host, dataset)
    for dataset in holdings.installing:
        _take_back_installing(holdings.host, dataset.partition("/")[0])
    return found


def _sweep(pool: PoolHolding) -> None:
    """Remove new files that were never put in their places."""
    with suppress(ChyvesError):  # one without a mountpoint is told when it is used
        for path in (pool.file, note(pool)):
            pool.host.files.remove_unfinished(path)


def _finish_uninstalling(host: Host, dataset: str) -> None:
    try:
        host.zfs.destroy_all(dataset, host.zfs.below(dataset))
    except ChyvesError as error:
        host.terminal.warn(f"{dataset}: was not uninstalled to its end, and cannot be: {error}")
    else:
        host.terminal.warn(f"{dataset}: was not uninstalled to its end; it is finished")


def _take_back_installing(host: Host, pool: str) -> None:
    from chyves.pools.install import take_back as destroy_new

    try:
        destroy_new(host, pool)
    except ChyvesError as error:
        host.terminal.warn(str(error))


def note(pool: PoolHolding) -> Path:
    """The file that is there while a pool is being made the primary one: what has been made, what files held."""
    return pool.file.with_name(NOTE)


def _unfinished(pool: PoolHolding) -> bool:
    """Whether a crash left a pool half promoted."""
    try:
        return note(pool).exists()
    except ChyvesError:
        return False  # one without a mountpoint is told when it is used


def _settle_promotion(holdings: Holdings, pool: PoolHolding) -> None:
    """Take back a promotion that was not at its end, or finish it where the pool says already that it is primary."""
    host = holdings.host
    done = holdings.has_primary and holdings.primary is pool
    what = "finished" if done else "taken back"
    host.terminal.warn(f"{pool.name}: was not made the primary pool to the end; it is {what}")
    if done:
        _demote_others(holdings)
        host.files.remove(note(pool))
    else:
        take_back(host, pool)


def _demote_others(holdings: Holdings) -> bool:
    """Have no pool but the primary one say that it is; whether one did."""
    found = False
    for pool in holdings.pools.values():
        if pool is not holdings.primary and pool.properties.dataset_role == "primary":
            holdings.host.terminal.warn(f"{pool.name}: was the primary pool before {holdings.primary.name}")
            after = pool.properties.with_changes({"dataset_role": "secondary"})
            save(holdings.host, after, pool.file)
            pool.properties, found = after, True
    return found


def take_back(host: Host, pool: PoolHolding) -> None:
    """Destroy and restore what the note tells, and remove it."""
    place = note(pool)
    if not place.exists():
        return
    try:
        told = json.loads(host.files.read(place))
        datasets, files = [str(name) for name in told["datasets"]], dict(told["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ChyvesError(f"{place}: cannot be understood ({error!r}); look at it, and remove it") from None
    for name, text in files.items():
        host.files.remove_unfinished(Path(name))
        if text is not None:
            host.files.write(Path(name), text)
        else:
            host.files.remove(Path(name))
    for dataset in reversed(datasets):
        if dataset.startswith(f"{pool.dataset}/") and host.zfs.exists(dataset):
            ours = [name for name in host.zfs.below(dataset) if name.partition("@")[0] in datasets]
            host.zfs.destroy_all(dataset, ours)
    host.files.remove(place)
