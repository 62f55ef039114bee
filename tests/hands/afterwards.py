"""What must be true of a house when many hands have changed it, and some of them were killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chyves.guests.unique import Owners
from chyves.host.machine import Host
from chyves.lab.place import Lab
from chyves.network.plan import taps
from chyves.pools.holdings import GuestHolding, Holdings
from tests.hands.house import HANDS, Guest, Register
from tests.host_commands import chyves, environment, zfs


def faults_of(lab: Lab, register: Register) -> list[str]:
    """A sentence for everything that is wrong once the next command has settled what a crash left."""
    settled = chyves(lab, "global", "set", "stdout_level=2")
    if settled.returncode:
        return [f"the next command cannot settle what was left: {settled.stderr}"]
    again = chyves(lab, "global", "set", "stdout_level=2")
    faults = [f"settled a second time: {line}" for line in again.stderr.splitlines() if "stdout_level" not in line]
    doctor = chyves(lab, "doctor", "-H")
    faults += [f"doctor: {line}" for line in (doctor.stdout + doctor.stderr).splitlines() if doctor.returncode]
    holdings = Holdings.read(Host.open(environment(lab)))
    return [*faults, *_left_over(lab), *_shared(holdings), *_joined(holdings), *_known(holdings, register)]


def _left_over(lab: Lab) -> Iterator[str]:
    for name in zfs(lab, "list", "-H", "-o", "name", "-t", "all").splitlines():
        if "/.new" in name or "/.old" in name:
            yield f"{name}: is left over"
    for path in lab.root.rglob("*.new"):
        yield f"{path}: is left over"
    for path in lab.root.rglob("unfinished*"):
        yield f"{path}: is left over"


def _shared(holdings: Holdings) -> Iterator[str]:
    everyone = holdings.each_properties(lambda sentence: None)
    owners = Owners(everyone.values())
    for name, holding in holdings.guests.items():
        if name not in everyone:
            yield f"{name}: its properties cannot be read"
            continue
        guest = everyone[name]
        guest.check()
        yield from owners.shared(name, guest)
        slots = Counter(guest.pci_slots.values())
        yield from (f"{name}: {slot} is the slot of {times}" for slot, times in slots.items() if times > 1)
        disks = {f"disk{number}" for number in guest.virtio_block_options}
        yield from (f"{name}: {disk}: has options and is not there" for disk in disks - set(holding.volumes))
        yield from (f"{name}: {tap} has no address" for tap in taps(guest.net_ifaces) if f"{tap}_mac" not in guest.text)


def _joined(holdings: Holdings) -> Iterator[str]:
    """Every tap is on one bridge or none, and on none without a guest."""
    listed = Counter(tap for members in holdings.globals.bridge_tap_members.values() for tap in members)
    yield from (f"{tap}: is on {times} bridges" for tap, times in listed.items() if times > 1)
    owned = {tap for guest in holdings.guests.values() for tap in guest.properties.net_ifaces}
    yield from (f"{tap}: is on a bridge and no guest has it" for tap in listed if tap not in owned)


def _known(holdings: Holdings, register: Register) -> Iterator[str]:
    """Every guest of which the hands know is there or gone, as they were told, and has what they were told it has."""
    known = {name for guest in register.guests for name in guest.names}
    yield from (f"{name}: nobody has made it" for name in holdings.guests if name not in known)
    for guest in register.guests:
        there = [name for name in guest.names if name in holdings.guests]
        if guest.gone is not None and guest.gone.sure:
            yield from (f"{name}: was deleted, and is there" for name in there)
        elif len(there) > 1:
            yield f"{' and '.join(there)}: are one guest"
        elif there:
            yield from _settings(holdings.guests[there[0]], guest)
        elif guest.gone is None and guest.made.sure:
            yield f"{' or '.join(guest.names)}: was made, and is not there"


def _settings(holding: GuestHolding, guest: Guest) -> Iterator[str]:
    for hand in range(HANDS):
        value = int(holding.properties.text.get(f"hand{hand}", "0"))
        if value < guest.least(hand):
            yield f"{holding.name}: hand{hand} is {value}, and {guest.least(hand)} was acknowledged"
        if value not in guest.tried(hand):
            yield f"{holding.name}: hand{hand} is {value}, which nobody has set"
