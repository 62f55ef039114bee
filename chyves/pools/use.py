"""What elsewhere needs a pool."""

from __future__ import annotations

from collections.abc import Iterator

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.pools.holdings import Holdings, PoolHolding


def refuse_needed(holdings: Holdings, pool: PoolHolding, what: str) -> None:
    """Refuse to have a pool `what` that others need: the primary one of several, or one with images in use."""
    others = [name for name in holdings.pools if name != pool.name]
    if others and holdings.has_primary and pool is holdings.primary:
        raise ChyvesError(
            f"{pool.name}: is the primary pool, which {', '.join(others)} needs; "
            f"make that the primary one first with: chyves dataset {others[0]} promote"
        )
    for user, image in _users(holdings, pool):
        raise ChyvesError(f"{pool.name}: {user} uses its {image}, so that it cannot be {what}; see to that first")


def _users(holdings: Holdings, pool: PoolHolding) -> Iterator[tuple[str, str]]:
    """Guests of other pools, and what of this pool's images they use."""
    host = holdings.host
    here = {kind: _only_here(holdings, pool, kind) for kind in ("iso", "firmware")}
    for name, guest in holdings.each_properties(host.terminal.warn).items():
        if holdings.guests[name].pool is pool:
            continue
        if guest.get("uefi_firmware") in here["firmware"]:
            yield name, guest.get("uefi_firmware")
        state = running.living(host, name)
        if state is not None and state.medium in here["iso"]:
            yield name, state.medium


def _only_here(holdings: Holdings, pool: PoolHolding, kind: str) -> set[str]:
    """The images that would be gone with a pool."""
    if not holdings.has_primary:
        return set()
    return {name for name, (where, _) in holdings.stored(kind).items() if where is pool}
