"""Bring the datasets of chyves 0.2.0 on a pool to the version of this one, and then the pool's guests."""

from __future__ import annotations

from chyves.guests import leftovers
from chyves.guests.each import each
from chyves.guests.upgrade import bring_up, is_old
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools import together
from chyves.pools.holdings import Holdings, PoolHolding
from chyves.pools.steps import BLOCK_SIZE, DATASET_STEPS, OLD_BLOCK_SIZE, additions, after, settings
from chyves.properties import DATASET_VERSION
from chyves.section import Section


def upgrade(host: Host, pool: str) -> None:
    """Bring a pool up, whole or not at all; where it is the primary one then each of its guests, as 0.2.0 did.

    Raises ChyvesError.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        held = holdings.pool(pool)
        before = held.properties.dataset_version
        with Undo():
            _bring_up(holdings, held)
            if before < DATASET_VERSION:
                host.events.note("upgraded", pool=pool)
        if before < DATASET_VERSION:
            host.terminal.say(1, f"{pool}: from version {before} to {DATASET_VERSION}")
        else:
            host.terminal.say(1, f"{pool}: has version {DATASET_VERSION} already")
        guests = [guest for guest in holdings.guests.values() if guest.pool is held and is_old(guest)]
        if held is holdings.primary:
            each(host, guests, lambda guest: bring_up(holdings, guest))
        elif guests:
            names = ",".join(guest.name for guest in guests)
            host.terminal.say(1, f"{pool}: has guests of an older version; bring them up with: chyves {names} upgrade")


def _bring_up(holdings: Holdings, pool: PoolHolding) -> None:
    host = holdings.host
    steps = after(pool.properties.dataset_version, DATASET_STEPS)
    old: list[Section] = [pool.properties]
    new: list[Section] = [pool.properties.with_changes({"dataset_version": DATASET_VERSION})]
    if pool is holdings.primary:
        defaults, own = holdings.defaults, holdings.globals
        changes = additions(defaults.text, steps, host.kernel.release())
        if defaults.text.get("disk_volblocksize") == OLD_BLOCK_SIZE:
            changes["disk_volblocksize"] = BLOCK_SIZE
        old += [defaults, own]
        new += [defaults.with_changes(changes), own.with_changes(settings(own.text, steps))]
        _say_defaults(host, changes, defaults.text.get("uefi_vnc_ip", ""))
    together.write(holdings, old, new)
    holdings.forget_properties()


def _say_defaults(host: Host, changes: dict[str, str], address: str) -> None:
    if "disk_volblocksize" in changes:
        host.terminal.say(
            1,
            f"defaults: disk_volblocksize: {OLD_BLOCK_SIZE}, which 0.2.0 gave every volume, makes them slow and large; "
            f"new ones get {BLOCK_SIZE}",
        )
    if address == "0.0.0.0":
        host.terminal.warn(
            "defaults: uefi_vnc_ip: 0.0.0.0 shows the screens of new guests to whoever reaches this host and has their "
            "passwords; to see them on this host alone: chyves defaults set uefi_vnc_ip=127.0.0.1"
        )
