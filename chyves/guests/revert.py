"""Go back to a snapshot at each start or reboot of a guest, where `revert_to_snapshot_method` says so."""

from __future__ import annotations

from collections.abc import Sequence

from chyves.errors import ChyvesError
from chyves.guests import history, rollback
from chyves.guests.history import History, Snapshot
from chyves.guests.journal import Journal
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest


def wanted(guest: Guest, when: str) -> bool:
    """Whether a guest goes back at a `start` or a `reboot`."""
    return guest.revert_to_snapshot_method in (when, "both")


def revert(host: Host, holdings: Holdings, holding: GuestHolding, guest: Guest, when: str) -> bool:
    """Bring a guest that does not run back to its revert_to_snapshot, or to the latest; whether it went back.

    `guest` has the properties that say which. Nobody is asked: newer snapshots are never lost by it, so that it is
    refused where there are some. A guest with no snapshot at all starts as it is, with a warning (as in 0.2.0); at a
    reboot that is refused. Raises ChyvesError.
    """
    rollback.refuse_unfinished(holdings, holding.name)
    past = history.read(host, [holding])[holding.name]
    chosen = _chosen(past, guest.revert_to_snapshot)
    if chosen is None:
        reason = f"{holding.name}: has no snapshot to go back to, as revert_to_snapshot_method has it"
        if when == "reboot":
            raise ChyvesError(reason)
        host.terminal.warn(f"{reason}; take one with: chyves {holding.name} snapshot")
        return False
    plan, words = rollback.plan(holdings, past, chosen)
    _refuse_losses(holding.name, chosen, [*plan.doomed, *plan.bookmarks])
    rollback.carry_out(holdings, plan)
    for line in (*words, f"{holding.name}: went back to {chosen.name} for this {when}"):
        host.terminal.say(2, line)
        Journal(holdings, holding).write(2, line.removeprefix(f"{holding.name}: "))
    return True


def _chosen(past: History, name: str | None) -> Snapshot | None:
    """The snapshot to go back to; None where the guest has none, and none is named."""
    if name is not None:
        return past.find(name)
    found = past.latest(whole=True)
    latest = past.latest()
    if found is None and latest is not None:
        missing = ", ".join(latest.missing(past.holding))
        raise ChyvesError(
            f"{past.holding.name}: revert_to_snapshot: {latest.name} is missing on {missing}, and there is none that "
            f"all datasets have; take one with: chyves {past.holding.name} snapshot"
        )
    return found


def _refuse_losses(guest: str, chosen: Snapshot, lost: Sequence[str]) -> None:
    if lost:
        raise ChyvesError(
            f"{guest}: revert_to_snapshot: {', '.join(lost)} is newer than {chosen.name} and would be lost; "
            f"delete it, or set revert_to_snapshot to what is to count"
        )
