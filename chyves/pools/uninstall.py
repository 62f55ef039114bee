"""Taking the datasets of chyves off a pool: out of sight by one rename, then destroyed."""

from __future__ import annotations

from collections.abc import Sequence

from chyves.errors import ChyvesError
from chyves.guests import leftovers
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools import use
from chyves.pools.doomed import refuse_bound
from chyves.pools.holdings import RESOURCES, UNINSTALLED, PoolHolding

OURS = (
    "",
    "/.config",
    "/guests",
    "/guests/.new",
    "/guests/.old",
    "/logs",
    *(f"/{name}" for name in RESOURCES.values()),
)
"""The datasets that chyves makes on a pool, below its own; and one for each resource."""


def uninstall(host: Host, pool: str, yes: bool = False) -> None:
    """Destroy the datasets of chyves on a pool that has no guests, after showing them all and asking.

    Raises ChyvesError where it has guests, or something that chyves did not make, or is needed elsewhere.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        held = holdings.pool(pool)
        if held.guests:
            raise ChyvesError(f"{pool}: has the guests {', '.join(held.guests)}; delete or move them first")
        _refuse_strange(held)
        use.refuse_needed(holdings, held, "uninstalled")
        refuse_bound(host, {pool: held.dataset})
        below = host.zfs.below(held.dataset)
        lines = [f"{name} will be destroyed" for name in below]
        question = f"{pool}: destroy all of it?"
        if not host.dry and not host.terminal.confirm(question, yes, lines, named=True):
            return
        if held is holdings.primary:
            host.terminal.recording = False  # the log goes with it
        with Undo():
            _destroy(host, held, below)
        host.terminal.say(1, f"{pool}: has no datasets of chyves any more")


def _destroy(host: Host, pool: PoolHolding, below: Sequence[str]) -> None:
    old = f"{pool.name}/{UNINSTALLED}"
    with Undo() as undo:
        undo.do(
            lambda: host.zfs.rename(pool.dataset, old),
            lambda: host.zfs.rename(old, pool.dataset),
            f"bring {pool.dataset} back",
        )
        host.events.note("pool_uninstalled", pool=pool.name)
    try:
        host.zfs.destroy_all(old, [name.replace(pool.dataset, old, 1) for name in below])
    except ChyvesError as error:
        left = f"{old} is not destroyed yet, which the next command tries again"
        raise ChyvesError(f"{pool.name}: is uninstalled, but {left}: {error}") from None


def _refuse_strange(pool: PoolHolding) -> None:
    for name in pool.rows:
        rest = name.removeprefix(pool.dataset)
        if rest not in OURS and rest.rpartition("/")[0] not in [f"/{kind}" for kind in RESOURCES.values()]:
            raise ChyvesError(f"{pool.name}: holds {name}, which chyves did not make; move that away first")
