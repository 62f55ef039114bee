"""Making another pool the primary one: what is needed there is made, then one file says so.

Until that file is replaced, a note on the pool tells what has been made, so that it can be taken back; afterwards the
old primary pool is only told that it is secondary, which anybody can finish: of two pools that say they are primary the
one with the higher dataset_promotion is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.guests import leftovers
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import NULL_ISO, RESOURCES, Holdings, PoolHolding
from chyves.pools.leftovers import note, take_back
from chyves.pools.writing import save


def promote(host: Host, pool: str) -> None:
    """Make a pool the primary one, all or nothing.

    It gets the properties of the host and of new guests. Images, firmware and logs stay where they are: those of every
    pool that is online can be used. Raises ChyvesError.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        new = holdings.pool(pool)
        old = holdings.primary if holdings.has_primary else None
        if new is old:
            raise ChyvesError(f"{pool}: is the primary pool already")
        _refuse_version(new, old)
        plan = _plan(host, new, old)
        host.terminal.say(1, f"{pool}: becomes the primary pool")
        with Undo() as undo:
            _make(host, undo, new, plan)
            _commit(holdings, undo, new)
            if not host.dry:
                undo.do(lambda: host.files.remove(note(new)))
            host.events.note("pool_promoted", pool=pool)
        _say_what_stays(host, new, old)


@dataclass(frozen=True)
class _Plan:
    """What a pool lacks to be the primary one: datasets, and files with what is to be in them."""

    datasets: tuple[str, ...]
    files: Mapping[Path, str]


def _plan(host: Host, new: PoolHolding, old: PoolHolding | None) -> _Plan:
    datasets = [f"{new.dataset}/{name}" for name in RESOURCES.values()]
    files = {
        mine: _text(host, theirs if theirs is not None else mine)
        for mine, theirs in (
            (new.globals_file, old.globals_file if old else None),
            (new.defaults_file, old.defaults_file if old else None),
        )
    }
    if NULL_ISO not in new.stored("iso"):
        datasets.append(f"{new.dataset}/{RESOURCES['iso']}/{NULL_ISO}")
        files[new.mountpoint / RESOURCES["iso"] / NULL_ISO / NULL_ISO] = ""
    return _Plan(tuple(name for name in datasets if name not in new.rows), files)


def _text(host: Host, file: Path) -> str:
    return host.files.read(file) if file.exists() else ""


def _refuse_version(new: PoolHolding, old: PoolHolding | None) -> None:
    """The files of the old one become the new one's: they must be of one version."""
    if old and new.properties.dataset_version != old.properties.dataset_version:
        raise ChyvesError(
            f"{new.name}: has datasets of version {new.properties.dataset_version}, and {old.name} of "
            f"{old.properties.dataset_version}; bring up the older first with: chyves dataset POOL upgrade"
        )


def _make(host: Host, undo: Undo, new: PoolHolding, plan: _Plan) -> None:
    # The pool's own file is the first to be restored: while it says that the pool is primary, all else has to be there.
    files = (new.file, *plan.files)
    before = {str(file): host.files.read(file) if file.exists() else None for file in files}
    text = json.dumps({"datasets": plan.datasets, "files": before})
    undo.do(
        lambda: None if host.dry else host.files.write(note(new), text),
        lambda: take_back(host, new),
        f"take back what was made on {new.name}, which the next command that changes something will",
    )
    for dataset in plan.datasets:
        undo.do(lambda dataset=dataset: host.zfs.create(dataset))  # type: ignore[misc]
    for file, content in plan.files.items():
        undo.do(lambda file=file, content=content: host.files.write(file, content))  # type: ignore[misc]


def _commit(holdings: Holdings, undo: Undo, new: PoolHolding) -> None:
    pools = [*holdings.pools.values(), *holdings.offline.values()]
    latest = max(pool.properties.dataset_promotion for pool in pools)
    primary = new.properties.with_changes({"dataset_role": "primary", "dataset_promotion": str(latest + 1)})
    undo.do(lambda: save(new.host, primary, new.file))
    for pool in holdings.pools.values():
        if pool is not new and pool.properties.dataset_role == "primary":
            _demote(undo, pool)


def _demote(undo: Undo, pool: PoolHolding) -> None:
    before, after = pool.properties, pool.properties.with_changes({"dataset_role": "secondary"})
    undo.do(
        lambda: save(pool.host, after, pool.file),
        lambda: save(pool.host, before, pool.file),
        f"restore {pool.file}",
    )


def _say_what_stays(host: Host, new: PoolHolding, old: PoolHolding | None) -> None:
    host.terminal.say(2, f"{new.name}: is the primary pool")
    if old is None:
        host.terminal.warn(
            f"{new.name}: no pool was primary before, so it begins with the properties that it had kept itself; "
            "look at them with: chyves list global"
        )
        return
    images = sorted({name for kind in RESOURCES for name in old.stored(kind)} - {NULL_ISO})
    stays = f", and keeps {', '.join(images)}, which can be used as before" if images else ""
    host.terminal.say(2, f"{old.name}: is secondary{stays}")
