"""A guest's serial console: joined with cu(1), and taken from whoever has it."""

from __future__ import annotations

from chyves.errors import Busy, ChyvesError
from chyves.guests import running
from chyves.guests.each import concerned, each
from chyves.guests.leftovers import settle_guest
from chyves.host.lines import Session
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.targets import Target


def console(host: Host, guest: str) -> None:
    """Become cu(1) on the B end of the guest's null-modem pair; does not return. Raises ChyvesError."""
    device = line_of(Holdings.read(host).guest(guest))
    state = running.living(host, guest)
    if state is None:
        raise ChyvesError(f"{guest}: does not run; start it first: chyves {guest} start")
    if state.recorded and running.supervisor(host, guest) is None:
        with host.locks.hold(f"guest.{guest}"):
            settle_guest(host, guest)  # its supervisor, which relays the console, has died
    session = host.lines.session(device)
    if session is not None:
        raise Busy(
            f"{guest}: its console is in use by {session}; wait for that, or end it with: chyves {guest} console reset"
        )
    host.terminal.say(1, f"{guest}: leave the console with ~. after Return, or ~~. where that ends ssh")
    host.run.become("cu", "-l", str(host.path(f"/dev/{device}")), "-s", "115200")


def reset(host: Host, guest: Target) -> None:
    """End the sessions on guests' consoles, and remove the locks of dead ones; the guests themselves run on.

    No lock is waited for: it is to help also while a start hangs.
    """
    wanted = Holdings.read(host).find(guest)
    wanted = concerned(host, wanted, guest, lambda holding: holding.properties.serial is not None)
    each(host, wanted, lambda holding: _reset_whole(host, holding))


def line_of(holding: GuestHolding) -> str:
    """The end of the null-modem pair that is there for users; raises ChyvesError where the guest has none."""
    serial = holding.properties.serial
    if serial is None:
        raise ChyvesError(
            f"{holding.name}: has no serial console; give it one with: chyves {holding.name} set serial=nmdm50"
        )
    return f"{serial}B"


def _reset_whole(host: Host, holding: GuestHolding) -> None:
    with Undo() as undo:
        undo.do(lambda: _reset(host, holding))


def _reset(host: Host, holding: GuestHolding) -> None:
    name, device = holding.name, line_of(holding)
    session = host.lines.session(device)
    if session is not None:
        _end(host, name, device, session)
    elif not host.lines.file(device).exists():
        host.terminal.say(1, f"{name}: nobody has its console")
        return
    else:
        host.terminal.say(1, f"{name}: the lock of a session that is gone is removed")
    host.files.remove(host.lines.file(device))


def _end(host: Host, name: str, device: str, session: Session) -> None:
    """End a session that has the line; raises ChyvesError for a process that only has its number in the lock."""
    if not session.uses(device):
        raise ChyvesError(
            f"{name}: {host.lines.file(device)} names process {session.pid} ({session.title[:40]}), which was not "
            f"started for {device}; end that yourself, or remove the file"
        )
    host.lines.end(session)
    host.terminal.say(1, f"{name}: the console of {session} is ended")
