"""The last part of a move between pools: for a moment a guest is on both, and is one guest all the time.

What has come to the new pool carries a mark, the guid of what it is a replica of. A guest that is on two pools is the
one without the mark; where only the marked one is there, the guest is that. So each of the renames by which a move ends
changes where the guest is, or nothing.
"""

from __future__ import annotations

from chyves.errors import ChyvesError
from chyves.pools.holdings import MOVING, GuestHolding, Holdings

MOVED = ":moved"
"""What the name of a guest's old datasets ends in, below `.old`, when it is on another pool."""


def finish(holdings: Holdings) -> bool:
    """Finish moves that a crash left at their last steps, but for the end of the old datasets.

    Whether any was, so that the pools have to be read again.
    """
    found = False
    for arrived in holdings.arriving:
        try:
            found |= _finish(holdings, arrived)
        except ChyvesError as error:
            holdings.host.terminal.warn(f"{arrived.name}: its move cannot be finished: {error}")
    return found and not holdings.host.dry


def _finish(holdings: Holdings, arrived: GuestHolding) -> bool:
    host, name = holdings.host, arrived.name
    old = holdings.guest(name)
    if old is not arrived:
        if host.zfs.get(old.dataset, "guid") != arrived.rows[arrived.dataset][MOVING]:
            host.terminal.warn(f"{arrived.dataset}: was moved from elsewhere than {old.dataset}; rename one of them")
            return False
        host.zfs.rename(old.dataset, f"{old.pool.guests_dataset}/.old/{name}{MOVED}", parents=True)
    host.zfs.inherit(arrived.dataset, MOVING)
    host.terminal.warn(f"{name}: was not moved to {arrived.pool.name} to its end; it is finished")
    return True
