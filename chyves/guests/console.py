"""Join a guest's serial console."""

from __future__ import annotations

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings


def console(host: Host, guest: str) -> None:
    """Become cu(1) on the B end of the guest's null-modem pair; does not return. Raises ChyvesError."""
    holding = Holdings.read(host).guest(guest)
    serial = holding.properties.serial
    if serial is None:
        raise ChyvesError(f"{guest}: has no serial console; give it one with: chyves {guest} set serial=nmdm50")
    if running.living(host, guest) is None:
        raise ChyvesError(f"{guest}: does not run; start it first: chyves {guest} start")
    host.terminal.say(1, f"{guest}: leave the console with ~. after Return")
    host.run.become("cu", "-l", str(host.path(f"/dev/{serial}B")), "-s", "115200")
