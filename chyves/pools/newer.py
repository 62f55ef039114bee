"""Pools and guests that a newer chyves wrote: they are shown, and neither changed nor started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chyves.errors import ChyvesError
from chyves.properties import DATASET_VERSION, GUEST_VERSION, Pool

if TYPE_CHECKING:
    from chyves.pools.holdings import GuestHolding, Holdings


def refuse_pool(pool: Pool, away: str) -> None:
    """Raise ChyvesError for a pool of a version that is not ours yet; `away` is the command that puts it offline."""
    if sentence := _pool(pool):
        raise ChyvesError(f"{sentence}; use the chyves that wrote it, or put the pool out of use with: {away}")


def refuse_guest(guest: GuestHolding) -> None:
    """Raise ChyvesError for a guest of a version that is not ours yet; one that cannot be read is told elsewhere."""
    if sentence := _guest(guest):
        raise ChyvesError(f"{sentence}; use the chyves that wrote it")


def warn(holdings: Holdings, guests: Iterable[GuestHolding]) -> None:
    """Tell, before something is shown, of pools and of these guests that a newer chyves wrote."""
    sentences = [_pool(pool.properties) for pool in holdings.pools.values()] + [_guest(guest) for guest in guests]
    for sentence in filter(None, sentences):
        holdings.host.terminal.warn(f"{sentence}; it is shown as far as it is understood")


def _pool(pool: Pool) -> str | None:
    version = pool.dataset_version
    if version <= DATASET_VERSION:
        return None
    return f"{pool.owner}: dataset_version: {version} is newer than this chyves knows ({DATASET_VERSION})"


def _guest(guest: GuestHolding) -> str | None:
    try:
        version = guest.properties.chyves_guest_version
    except ChyvesError:
        return None
    if version <= GUEST_VERSION:
        return None
    return f"{guest.name}: chyves_guest_version: {version} is newer than this chyves knows ({GUEST_VERSION})"
