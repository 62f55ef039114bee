"""Several guests in one command: one that fails does not keep the next from its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chyves.errors import ChyvesError, Interrupted, SeveralFailed
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding


def each(host: Host, guests: Iterable[GuestHolding], act: Callable[[GuestHolding], None]) -> None:
    """Do something to each guest.

    A failure is told at once and the next guest follows; at the end SeveralFailed is raised. With one guest its own
    error is raised; a signal ends it all.
    """
    found = list(guests)
    if len(found) == 1:
        act(found[0])
        return
    failed = []
    for guest in found:
        try:
            act(guest)
        except Interrupted:
            raise
        except ChyvesError as error:
            failed.append(guest.name)
            host.terminal.failed(error)
    if failed:
        raise SeveralFailed(f"{len(failed)} of {len(found)} failed: {', '.join(failed)}")
