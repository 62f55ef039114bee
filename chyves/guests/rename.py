"""Rename guests: one rename of the dataset, which all that carries the name follows."""

from __future__ import annotations

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import crashes, following, leftovers, rollback, running
from chyves.guests.create import refuse_taken
from chyves.host.machine import Host
from chyves.host.undo import Undo


def rename(host: Host, guest: str, new: str) -> None:
    """Give a guest that is off another name, also one that has a name of 0.2.0 that is not allowed any more.

    Its virtual machine is called by the new name from the next start on; its logs, snapshots and clones stay with
    it, and the guests that come after it (rcboot_after).
    """
    with host.locks.hold("all", f"guest.{guest}", f"guest.{new}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        if new == guest:
            raise ChyvesError(f"{guest}: has this name already")
        refuse_taken(holdings, new)
        rollback.refuse_unfinished(holdings, guest)
        if running.supervisor(host, guest) is not None:
            raise ChyvesError(f"{guest}: runs under this name; stop it first: chyves {guest} stop")
        if running.vmm(host, guest):
            raise ChyvesError(
                f"{guest}: /dev/vmm/{names.vm(guest)} is left from an earlier run; free it: chyves {guest} reclaim"
            )
        with Undo():
            following.rename(host, holdings, holding, new)
            host.events.note("renamed", guest, new=new)
        crashes.forget(host, guest)
    host.terminal.say(1, f"{guest}: is called {new} now")
