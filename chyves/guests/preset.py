"""Give guests what their systems need: a preset, expanded into properties that are set as by hand."""

from __future__ import annotations

from functools import partial

from chyves import presets
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.set import Changes, change
from chyves.host.facts import machine
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings
from chyves.properties import Guest
from chyves.section import Section
from chyves.targets import Target


def preset(host: Host, guest: Target, preset: str) -> None:
    """Set what a preset is for guests that are off: all of it for all of them, or nothing."""
    change(host, [(guest, {})], partial(_of, host, preset))


def _of(host: Host, name: str, holdings: Holdings, guest: Section) -> Changes:
    """What is to be set for one guest; raises ChyvesError for one that runs, as its devices become others."""
    assert isinstance(guest, Guest)
    if running.living(host, guest.owner) is not None:
        raise ChyvesError(f"{guest.owner}: runs, and a preset gives it other devices; stop it first")
    there, default = holdings.resources("firmware"), holdings.defaults.uefi_firmware
    return presets.expanded(name, guest, there, default, machine(host))
