"""Move guests to another pool: replicated below `guests/.new` there, and there at once by one rename."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import leftovers, prepare, rollback, running
from chyves.guests.arrival import MOVED
from chyves.guests.copy import free, refuse_full
from chyves.guests.each import each
from chyves.guests.leftovers import NEW, OLD
from chyves.guests.lineage import cloned
from chyves.guests.process_snapshots import take_process_snapshots
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.doomed import bound
from chyves.pools.holdings import MOVING, GuestHolding, Holdings, PoolHolding
from chyves.targets import Target

COLUMNS = ("guid", "used", "logicalused", "available")
"""What is asked of all datasets at once: of a guest what it is marked with and how much it is, of a pool its room."""


def move(host: Host, guest: Target, pool: str) -> None:
    """Move guests that are off to another pool, with their snapshots, properties and logs; each whole or not at all.

    Of several guests those that are on the pool already stay there.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host, COLUMNS)
        target = holdings.pool(pool)
        wanted = holdings.find(guest)
        there = [holding.name for holding in wanted if holding.pool.name == pool]
        if there and len(wanted) == 1:
            raise ChyvesError(f"{there[0]}: is on pool {pool} already; see: chyves list pools")
        for name in there:
            host.terminal.say(1, f"{name}: is on {pool} already")
        moving = [holding for holding in wanted if holding.name not in there]
        clones, stuck = cloned(holdings), bound(host, {holding.name: holding.dataset for holding in moving})
        each(host, moving, lambda holding: _move(holdings, holding, target, clones, stuck.get(holding.name)))


def _move(
    holdings: Holdings,
    holding: GuestHolding,
    target: PoolHolding,
    clones: Mapping[str, Sequence[str]],
    stuck: str | None,
) -> None:
    """Move one guest; `stuck` says why it cannot leave its pool, where that is so."""
    host = holdings.host
    name, source = holding.name, holding.pool
    with host.locks.hold(f"guest.{name}"):
        rollback.refuse_unfinished(holdings, name)
        _refuse(host, holding, target, clones)
        if stuck is not None:
            raise ChyvesError(stuck)
        size = _measured(holding, target)
        host.terminal.say(1, f"{name}: moving from {source.name} to {target.name}")
        new = f"{target.guests_dataset}/{NEW.name}/{name}"
        final, old = f"{target.guests_dataset}/{name}", f"{source.guests_dataset}/{OLD.name}/{name}{MOVED}"
        with Undo():
            with Undo() as undo:
                prepare.fix(undo, holdings, holding)
                _replicate(undo, host, holding, target, new, size)
                leftovers.within(undo, host, source, old)
                below = list(holding.rows) if host.dry else host.zfs.below(holding.dataset)
                undo.do(lambda: host.zfs.rename(new, final), lambda: host.zfs.rename(final, new), f"hide {final}")
                undo.do(
                    lambda: host.zfs.rename(holding.dataset, old, parents=True),
                    lambda: host.zfs.rename(old, holding.dataset),
                    f"bring {name} back",
                )
                undo.do(lambda: host.zfs.inherit(final, MOVING))
                host.events.note("moved", name, pool=target.name)
            _fill(holding, target)
            leftovers.tidy(host, target, new)
            doomed = [dataset.replace(holding.dataset, old, 1) for dataset in below]
            leftovers.finish(host, source, old, doomed, f"{name}: is on {target.name} now")
    host.terminal.say(1, f"{name}: is on {target.name} now")
    _tell_of_map(host, holding, target)


def _tell_of_map(host: Host, holding: GuestHolding, target: PoolHolding) -> None:
    """Tell of a file in which a guest's owner wrote down where its disks are, for grub-bhyve(8) with os=custom."""
    file = target.place(target.guests_dataset) / holding.name / "device.map"
    if not host.dry and file.exists() and holding.dataset in host.files.read(file):
        host.terminal.warn(f"{holding.name}: {file} names disks on {holding.pool.name}; write {target.name} into it")


def _replicate(undo: Undo, host: Host, holding: GuestHolding, target: PoolHolding, new: str, size: int) -> None:
    """Bring all datasets and snapshots of a guest to the other pool, from one moment."""
    old = holding.dataset
    mark = {MOVING: holding.rows[old]["guid"]}
    leftovers.within(undo, host, target, new)
    undo.do(lambda: host.zfs.create(new.rpartition("/")[0], parents=True))
    tag = take_process_snapshots(undo, host, old)
    leftovers.arriving(undo, host, target, new)
    with host.terminal.progress(size, f"{holding.name} to {target.name}") as progress:
        undo.do(lambda: host.zfs.replicate(f"{old}@{tag}", new, mark, progress.advance))
    undo.do(lambda: host.zfs.destroy_snapshots(new, [f"@{tag}"]))


def _refuse(host: Host, holding: GuestHolding, target: PoolHolding, clones: Mapping[str, Sequence[str]]) -> None:
    name, here = holding.name, holding.pool.name
    if running.supervisor(host, name) is not None:
        raise ChyvesError(f"{name}: runs; stop it first: chyves {name} stop")
    if running.vmm(host, name):
        raise ChyvesError(
            f"{name}: /dev/vmm/{names.vm(name)} is left from an earlier run; free it: chyves {name} reclaim"
        )
    if f"{target.guests_dataset}/{name}" in target.rows:
        raise ChyvesError(f"{name}: {target.guests_dataset}/{name} exists already; rename or destroy it")
    copied = f"copy it with: chyves {name} clone NEW -ie {target.name}"
    own = tuple(f"{dataset}@" for dataset in holding.rows)
    origins = [row["origin"] for row in holding.rows.values() if row["origin"] != "-"]
    foreign = [origin for origin in origins if not origin.startswith(own)]
    if foreign:
        raise ChyvesError(f"{name}: is a ZFS clone of {foreign[0]}, which stays on {here}; {copied}")
    hanging = [clone for dataset in holding.rows for clone in clones.get(dataset, ()) if clone not in holding.rows]
    if hanging:
        raise ChyvesError(f"{name}: {', '.join(hanging)} was cloned from it and stays on {here}; {copied}")


def _measured(holding: GuestHolding, target: PoolHolding) -> int:
    """The bytes that a guest's datasets hold with all its snapshots, which is about what is sent.

    Raises ChyvesError where they, and what is reserved for them, have not the room.
    """
    own = holding.rows[holding.dataset]
    refuse_full(holding.name, target, int(own["used"]), free(target))
    return int(own["logicalused"])


def _fill(holding: GuestHolding, target: PoolHolding) -> None:
    """Have the room of a pool be what a guest that came there leaves the next one, about as much as it took before."""
    own, there = holding.rows[holding.dataset], target.rows[target.guests_dataset]
    there["available"] = str(int(there["available"]) - int(own["used"]))
