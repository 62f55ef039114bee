"""The order in which UEFI firmware boots: `bootindex` of any device, which fw_cfg hands to the firmware (bhyve(8))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chyves.bhyve.facts import Facts
from chyves.errors import ChyvesError
from chyves.properties import Guest

SINCE = "f"
"""The option of bhyve that came with bootindex, in FreeBSD 14.0 (freebsd.md 0): where it is missing, so is this."""


_IN_DEVICE = re.compile(r",bootindex=([0-9]+)(?=,|$)")


def places(guest: Guest) -> Iterator[tuple[str, int]]:
    """The properties that give a device a place in the order, with the place: those of disks, and any `pcidev_{n}`."""
    for number, text in sorted(guest.pcidev.items()):
        yield from ((f"pcidev_{number}", int(place)) for place in _IN_DEVICE.findall(text))
    for name in sorted(guest.text):
        row = Guest.row(name) if name.endswith("_bootindex") else None
        if row is not None:
            yield name, row.parse(guest.owner, guest.text[name], name)


def words(guest: Guest) -> tuple[str, ...]:
    """What bhyve needs besides for the firmware to be told the order."""
    return ("-o", "lpc.fwcfg=qemu") if any(places(guest)) and guest.fwcfg != "qemu" else ()


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for an order that nothing would follow, or in which two devices have the same place."""
    seen: dict[int, str] = {}
    for name, place in places(guest):
        if facts.host.options and SINCE not in facts.host.options:
            lacking = "the bhyve of this host knows no boot order, that of FreeBSD 14.0 does"
            raise ChyvesError(f"{facts.name}: {name}: {lacking}; {_advice(name)}")
        if guest.loader != "uefi":
            reason = f"is read by UEFI firmware, and loader is {guest.loader}"
            raise ChyvesError(f"{facts.name}: {name}: {reason}; {_advice(name)}")
        if place in seen:
            raise ChyvesError(f"{facts.name}: {name}: {place} is also that of {seen[place]}; give each device its own")
        seen[place] = name


def _advice(name: str) -> str:
    return "take its bootindex out" if name.startswith("pcidev_") else "unset it"
