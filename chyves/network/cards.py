"""The cards of guests that run, as these were started."""

from __future__ import annotations

from contextlib import suppress

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.nics import vlans
from chyves.properties import Guest
from chyves.vlans import Vlans


def running_vlans(host: Host) -> dict[str, Vlans]:
    """The VLANs that the taps of running guests were given, of those that have some."""
    found: dict[str, Vlans] = {}
    for name in running.all_supervised(host):
        with suppress(ChyvesError):  # of what cannot be read doctor tells
            state = running.read(host, name)
            found |= vlans(Guest(name, state.properties)) if state else {}
    return found
