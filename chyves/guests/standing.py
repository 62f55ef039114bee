"""What a start looks at, kept from one guest to the next: it is asked anew only where somebody may have changed it."""

from __future__ import annotations

from chyves.guests import leftovers, prepare
from chyves.guests.held import Held
from chyves.guests.memory import Memory
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings


class Standing:
    """What there is when several guests start one after another; between two of them others may have the lock `all`."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.forget()

    def forget(self) -> None:
        """Have all asked anew."""
        self._holdings: Holdings | None = None
        self._held: Held | None = None
        self._memory: Memory | None = None

    def settled(self, name: str) -> Holdings:
        """All that chyves has on this host, with what a crash left of it and of a guest settled.

        The caller holds the lock `all` and the guest's. Raises ChyvesError.
        """
        if self._holdings is None or not self.host.locks.undisturbed():
            self.forget()
            self._holdings = leftovers.settled(self.host)
        else:
            leftovers.settle_guest(self.host, name)
        return self._holdings

    def held(self, holdings: Holdings) -> Held:
        """What guests that run have for themselves, with the kernel ready for guests. Raises ChyvesError."""
        if self._held is None:
            prepare.modules(holdings)
            self._held = Held(self.host)
        return self._held

    def memory(self) -> Memory:
        """What guests have of the host's memory. Raises ChyvesError."""
        if self._memory is None:
            self._memory = Memory(self.host)
        return self._memory
