"""Putting a pool's datasets out of use, and back: by one rename."""

from __future__ import annotations

from chyves.errors import ChyvesError
from chyves.guests import leftovers, running
from chyves.guests.unique import Owners
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools import use
from chyves.pools.holdings import DATASET, OFFLINE, Holdings, PoolHolding
from chyves.pools.leftovers import settle
from chyves.pools.writing import save


def offline(host: Host, pool: str) -> None:
    """Put a pool's guests and resources out of use; nothing in them changes.

    Raises ChyvesError where one of its guests runs, something elsewhere needs it, or it is the primary one of several.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        held = holdings.pool(pool)
        with host.locks.hold(*(f"guest.{name}" for name in held.guests)):
            runs = [name for name in held.guests if running.living(host, name) is not None]
            if runs:
                raise ChyvesError(f"{pool}: {', '.join(runs)} runs; stop it first: chyves {','.join(runs)} stop")
            use.refuse_needed(holdings, held, "put offline")
            if pool in holdings.offline:
                raise ChyvesError(f"{pool}: has {pool}/{OFFLINE} too; rename or destroy one of the two")
            with Undo() as undo:
                undo.do(
                    lambda: host.zfs.rename(held.dataset, f"{pool}/{OFFLINE}"),
                    lambda: host.zfs.rename(f"{pool}/{OFFLINE}", held.dataset),
                    f"bring {pool} back online",
                )
                host.events.note("pool_offline", pool=pool)
    host.terminal.say(1, f"{pool}: is offline, with {_counted(held.guests)}")


def _counted(guests: list[str]) -> str:
    return f"the guests {', '.join(guests)}" if guests else "no guests"


def online(host: Host, pool: str) -> None:
    """Bring a pool that was put offline back into use.

    Raises ChyvesError where a guest of it has the name of another that is there by now. If it was the primary pool and
    another is that now, it becomes secondary.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        held = holdings.offline.get(pool)
        if pool in holdings.pools:
            raise ChyvesError(f"{pool}: is online already; see: chyves list pools")
        if held is None:
            raise ChyvesError(f"{pool}: has no chyves datasets that were put offline; see: chyves list pools")
        _refuse_taken(holdings, pool, held.guests)
        with Undo() as undo:
            if held.top == OFFLINE:
                undo.do(
                    lambda: host.zfs.rename(held.dataset, f"{pool}/{DATASET}"),
                    lambda: host.zfs.rename(f"{pool}/{DATASET}", held.dataset),
                    f"put {pool} offline again",
                )
            undo.do(lambda: _print_role(holdings, held) if host.dry else _take_role(host, pool))
            host.events.note("pool_online", pool=pool)
        host.terminal.say(1, f"{pool}: is online, with {_counted(held.guests)}")
        if not host.dry:
            _warn_of_shared(Holdings.read(host), held.guests)


def _refuse_taken(holdings: Holdings, pool: str, guests: list[str]) -> None:
    for name in guests:
        if name in holdings.guests:
            other = holdings.guests[name].pool.name
            raise ChyvesError(f"{pool}: {name}: there is such a guest on {other} by now; rename that one first")


def _take_role(host: Host, pool: str) -> None:
    """Have a pool that is back no longer say that it is offline, or primary where another is."""
    holdings = Holdings.read(host)
    held = holdings.offline.get(pool)
    if held is not None and held.top == DATASET:
        save(host, held.properties.with_changes({"dataset_role": "secondary"}), held.file)
    settle(holdings)


def _print_role(holdings: Holdings, held: PoolHolding) -> None:
    """What a dry run prints of the role: a pool that is back is not primary where another is by now."""
    role = held.properties.dataset_role
    if held.top == DATASET or (role == "primary" and holdings.has_primary):
        save(holdings.host, held.properties.with_changes({"dataset_role": "secondary"}), held.file)


def _warn_of_shared(holdings: Holdings, guests: list[str]) -> None:
    """Tell what the guests that are back have that others were given meanwhile."""
    everyone = holdings.each_properties(holdings.host.terminal.warn)
    owners = Owners(everyone.values())
    for name in guests:
        if name in everyone:
            for sentence in owners.shared(name, everyone[name]):
                holdings.host.terminal.warn(sentence)
