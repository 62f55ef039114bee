"""Bring guests that chyves 0.2.0 made to the version of this one; what their users changed stays."""

from __future__ import annotations

from chyves.errors import ChyvesError
from chyves.guests import leftovers
from chyves.guests.each import concerned, each
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools import together
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.pools.steps import GUEST_STEPS, additions, after
from chyves.properties import GUEST_VERSION
from chyves.targets import Target


def upgrade(host: Host, guest: Target) -> None:
    """Bring guests up, each whole or not at all, also while they run; raises ChyvesError."""
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        wanted = concerned(host, holdings.find(guest), guest, is_old)
        each(host, wanted, lambda holding: bring_up(holdings, holding))


def is_old(holding: GuestHolding) -> bool:
    """Whether a guest is of an older version than ours, or of one that is told when its turn comes."""
    try:
        return holding.properties.chyves_guest_version < GUEST_VERSION
    except ChyvesError:
        return True


def bring_up(holdings: Holdings, holding: GuestHolding) -> None:
    """Do all steps from a guest's version to ours; the caller holds the lock `all`."""
    host, name, before = holdings.host, holding.name, holding.properties
    if not is_old(holding):
        host.terminal.say(1, f"{name}: has version {GUEST_VERSION} already")
        return
    steps = after(before.chyves_guest_version, GUEST_STEPS)
    changes = additions(before.text, steps, host.kernel.release())
    with host.locks.hold(f"guest.{name}"), Undo() as undo:
        if any(step.snapdir for step in steps):
            _show_snapshots(host, undo, f"{holding.dataset}/.config")
        undo.do(
            lambda: together.write(
                holdings, [before], [before.with_changes({**changes, "chyves_guest_version": GUEST_VERSION})]
            )
        )
        host.events.note("upgraded", name)
    told = "".join(f", {key}={value}" for key, value in sorted(changes.items()))
    host.terminal.say(1, f"{name}: from version {before.chyves_guest_version} to {GUEST_VERSION}{told}")


def _show_snapshots(host: Host, undo: Undo, dataset: str) -> None:
    if host.zfs.get(dataset, "snapdir") != "visible":
        own = host.zfs.local(dataset)[dataset].get("snapdir")
        undo.do(
            lambda: None,  # for zfs can fail when it has set the property
            lambda: host.zfs.set(dataset, {"snapdir": own}) if own else host.zfs.inherit(dataset, "snapdir"),
            f"hide the snapshots of {dataset} again",
        )
        undo.do(lambda: host.zfs.set(dataset, {"snapdir": "visible"}))
