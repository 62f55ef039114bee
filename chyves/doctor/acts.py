"""How each kind of finding is repaired; the caller holds the lock `all` and has settled what was broken off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chyves import names
from chyves.doctor.kinds import Finding
from chyves.doctor.live import OPEN, closed
from chyves.errors import ChyvesError
from chyves.guests import crashes, prepare, running
from chyves.guests.reclaim import free_vmm
from chyves.host.machine import Host
from chyves.network.cards import running_vlans
from chyves.network.change import change
from chyves.network.moves import joining
from chyves.network.taps import take_down
from chyves.pools import install, together
from chyves.pools.holdings import Holdings
from chyves.properties import of_disk
from chyves.resources import leftovers as resources


def _installation(host: Host, finding: Finding) -> None:
    install.take_back(host, finding.owner)


def _resource(host: Host, finding: Finding) -> None:
    kind, _, name = finding.locks[0].partition(".")
    resources.clear(host, kind, name, finding.thing, finding.what)


def _mount(host: Host, finding: Finding) -> None:
    host.zfs.mount(finding.thing)


def _snapshot(host: Host, finding: Finding) -> None:
    host.zfs.let_go(finding.thing)


def _places(host: Host, finding: Finding) -> None:
    """Give a guest's disks their places, and take out those of disks that are not there, with their options."""
    with host.locks.hold(f"guest.{finding.owner}"):
        holdings = Holdings.read(host).for_change()
        holding = holdings.guest(finding.owner)
        before = holding.properties
        if finding.thing not in holding.volumes:
            words = (f"{finding.thing}_description", f"{finding.thing}_notes")
            gone = [name for name in of_disk(names.disk_number(finding.thing) or 0) if name not in words]
            holding.properties = before.with_changes(dict.fromkeys(gone))
        together.write(holdings, [before], [prepare.placed(holdings, holding)])


def _one_bridge(host: Host, finding: Finding) -> None:
    """Leave an interface on the first of the bridges that have it, which is the one that counts."""
    holdings, tap = Holdings.read(host).for_change(), finding.thing
    lists = holdings.globals.bridge_tap_members
    _, *others = (number for number, members in lists.items() if tap in members)
    rest = {number: ",".join(member for member in lists[number] if member != tap) for number in others}
    changed = holdings.globals.with_changes(
        {f"bridge{number}_tap_members": text or "-" for number, text in rest.items()}
    )
    concern = joining(holdings.globals, [tap], *(f"bridge{number}" for number in others))
    change(holdings, changed, holdings.defaults, concern)


def _home(host: Host, finding: Finding) -> None:
    """Put a tap on the bridge that the properties have it on."""
    holdings, tap = Holdings.read(host).for_change(), finding.thing
    on = [name for name, bridge in host.interfaces.all().items() if tap in bridge.members]
    change(holdings, holdings.globals, holdings.defaults, joining(holdings.globals, [tap], *on))


def _vlans(host: Host, finding: Finding) -> None:
    """Give a tap the VLANs that its guest was started with, where it still is on a bridge."""
    given, tap = running_vlans(host).get(finding.thing), finding.thing
    for name, bridge in host.interfaces.all().items():
        if given and tap in bridge.members:
            host.interfaces.set_vlans(name, tap, *given.words)


def _tap(host: Host, finding: Finding) -> None:
    with _idle(host, finding):
        take_down(host, [finding.thing])


def _bridge(host: Host, finding: Finding) -> None:
    host.interfaces.destroy(finding.thing)


def _vmm(host: Host, finding: Finding) -> None:
    with _idle(host, finding):
        free_vmm(host, finding.owner)


def _record(host: Host, finding: Finding) -> None:
    with _idle(host, finding):
        running.forget(host, finding.owner)
        if finding.kind.name == "spare-files":
            crashes.forget(host, finding.owner)


@contextmanager
def _idle(host: Host, finding: Finding) -> Iterator[None]:
    """Hold the lock of the guest that something was left of; raises ChyvesError where it runs by now."""
    with host.locks.hold(*(lock for lock in finding.locks if lock.startswith("guest."))):
        if running.supervisor(host, finding.owner) is not None:
            raise ChyvesError(f"{finding.owner}: runs by now, and {finding.thing} is left as it is")
        yield


def _session(host: Host, finding: Finding) -> None:
    if host.lines.abandoned(finding.thing):
        host.files.remove(host.lines.file(finding.thing))


def _mode(host: Host, finding: Finding) -> None:
    host.files.forbid(Path(finding.thing), OPEN)


def _secret(host: Host, finding: Finding) -> None:
    path = Path(finding.thing)
    host.files.forbid(path, closed(path.is_dir()))


def _ownership(host: Host, finding: Finding) -> None:
    host.files.give(Path(finding.thing), host.owner)


ACTS: dict[str, Callable[[Host, Finding], None]] = {
    "half-installed": _installation,
    "half-imported": _resource,
    "half-dropped": _resource,
    "not-mounted": _mount,
    "spare-snapshot": _snapshot,
    "unplaced-disk": _places,
    "missing-disk": _places,
    "two-bridges": _one_bridge,
    "stray-tap": _home,
    "other-vlans": _vlans,
    "spare-tap": _tap,
    "spare-bridge": _bridge,
    "dead-vmm": _vmm,
    "bad-record": _record,
    "spare-files": _record,
    "dead-session": _session,
    "loose-file": _mode,
    "open-secret": _secret,
    "wrong-owner": _ownership,
}
"""What repairs a finding, by its kind; those of the other kinds are settled before, or told only."""
