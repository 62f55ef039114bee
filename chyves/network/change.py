"""Carries a change of the network out: the properties, and the interfaces that exist, both or neither.

While interfaces move, a note in /var/run/chyves tells which. Whoever finds it with the lock `all` in hands brings them
to where the properties have them by then.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.cards import running_vlans
from chyves.network.moves import Concern, follow, with_vlans
from chyves.network.plan import taps
from chyves.network.taps import carry_out, move
from chyves.pools import together
from chyves.pools.holdings import Holdings
from chyves.properties import Defaults, Global
from chyves.vlans import Vlans


def note(host: Host) -> Path:
    """The file that is there while interfaces move; with the interfaces, it does not outlive a start of the host."""
    return host.path("/var/run/chyves/network.unfinished")


def change(holdings: Holdings, settings: Global, defaults: Defaults, concern: Concern) -> None:
    """Write the properties and have the interfaces follow, under the lock `all`.

    Raises ChyvesError, and then all is as before.
    """
    host = holdings.host
    before, after = (holdings.globals, holdings.defaults), (settings, defaults)
    existing = host.interfaces.all()
    concern = with_vlans(concern, existing, running_vlans(host) if taps(concern.interfaces) else {})
    steps = follow(settings, defaults.bridge, existing, concern)
    noted = bool(steps) and not host.dry
    with Undo() as undo:
        if noted:
            text = json.dumps(asdict(concern)) + "\n"
            back = "bring the interfaces back, which the next command that changes something will"
            undo.do(lambda: host.files.write(note(host), text), lambda: _settle_anew(host), back)
        undo.do(
            lambda: together.write(holdings, before, after),
            lambda: together.write(holdings, after, before),
            "restore the properties",
        )
        carry_out(host, undo, steps, move)
        if noted:
            undo.do(lambda: host.files.remove(note(host)))


def _settle_anew(host: Host) -> None:
    """Bring the interfaces back once the properties are; where those could not be, the next command does both."""
    holdings = Holdings.read(host)
    if together.note(holdings).exists():
        raise ChyvesError("the properties are not restored yet")
    settle(holdings)


def settle(holdings: Holdings) -> Concern | None:
    """Bring the interfaces of a change that was broken off to where the properties have them; what it was about.

    Raises ChyvesError, and then the next command tries again.
    """
    host = holdings.host
    host.files.remove_unfinished(note(host))
    if not note(host).exists():
        return None
    try:
        told = json.loads(host.files.read(note(host)))
        vlans = {tap: Vlans(*each) for tap, each in told.get("vlans", {}).items()}
        concern = Concern(tuple(told["interfaces"]), tuple(told["bridges"]), vlans)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChyvesError(f"{note(host)}: cannot be understood ({error}); look at it, and remove it") from None
    for step in follow(holdings.globals, holdings.defaults.bridge, host.interfaces.all(), concern):
        move(host.interfaces, step.act)
    host.files.remove(note(host))
    return concern
