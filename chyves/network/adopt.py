"""Takes the bridges and taps that the host has into the properties; the interfaces themselves are not touched."""

from __future__ import annotations

from chyves.guests import leftovers
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.bridges import owners
from chyves.network.layout import layout
from chyves.pools import together


def import_layout(host: Host, yes: bool = False) -> None:
    """Write the host's bridges, their uplinks and taps into the properties, after showing them and asking.

    Raises ChyvesError where the properties say otherwise than the host is; then nothing is written.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        found = layout(holdings.globals, host.interfaces.all(), owners(holdings))
        for line in found.skipped:
            host.terminal.say(1, line)
        if not found.changes:
            host.terminal.say(1, "the properties have all bridges of this host already")
            return
        lines = [f"{name}={value}" for name, value in found.changes.items()]
        if not (host.dry or host.terminal.confirm("global: set these?", yes, lines)):
            return
        with Undo():
            together.write(holdings, [holdings.globals], [found.settings])
            host.events.note("set", section="global", properties=sorted(found.changes))
        for line in lines:
            host.terminal.say(1, f"global: {line}")
