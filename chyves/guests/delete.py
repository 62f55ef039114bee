"""Delete guests: out of sight by one rename, then destroyed, children first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chyves.errors import ChyvesError
from chyves.guests import leftovers, running
from chyves.guests.each import each
from chyves.guests.leftovers import OLD
from chyves.guests.stop import force_off
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import without_member
from chyves.pools.holdings import GuestHolding, Holdings, save
from chyves.targets import Target, named


def delete(host: Host, guest: Target, how: str | None = None, yes: bool = False) -> None:
    """Delete guests with all their datasets, after showing them and asking on a terminal.

    `force` stops one that runs and deletes what was cloned from it first; `keepnet` leaves the bridges' lists alone. A
    script is not asked for what it names; for clones, groups and all it has to say `yes`.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        wanted = holdings.find(guest)
        doomed = _with_clones(holdings, wanted) if how == "force" else wanted
        _refuse(host, holdings, doomed, how)
        scripts = {holding.name for holding in doomed} == named(guest)
        if not doomed or not (host.dry or _agreed(host, doomed, yes, scripts)):
            return
        each(host, doomed, lambda holding: _delete(host, holdings, holding, how))


def _agreed(host: Host, doomed: Sequence[GuestHolding], yes: bool, scripts: bool) -> bool:
    names = ", ".join(holding.name for holding in doomed)
    question = f"{names}: delete with all disks and snapshots?"
    return host.terminal.confirm(question, yes, _lines(host, doomed), scripts, named=scripts)


def _lines(host: Host, doomed: Sequence[GuestHolding]) -> Iterator[str]:
    """What goes, to be shown to somebody who is asked."""
    for row in host.zfs.list(*(holding.dataset for holding in doomed), types="all", recursive=True):
        yield f"{row['name']} will be destroyed"


def clones_of(holdings: Holdings, parent: GuestHolding) -> list[GuestHolding]:
    """The guests that have a dataset cloned from one of another guest's snapshots."""
    origins = tuple(f"{dataset}@" for dataset in parent.rows)
    return [
        guest
        for guest in holdings.guests.values()
        if guest.name != parent.name and any(row["origin"].startswith(origins) for row in guest.rows.values())
    ]


def _with_clones(holdings: Holdings, wanted: Iterable[GuestHolding]) -> list[GuestHolding]:
    """The guests and all that was cloned from them, clones before what they hang on."""
    order: list[GuestHolding] = []

    def visit(holding: GuestHolding) -> None:
        if any(other.name == holding.name for other in order):
            return
        for clone in clones_of(holdings, holding):
            visit(clone)
        order.append(holding)

    for holding in wanted:
        visit(holding)
    return order


def _refuse(host: Host, holdings: Holdings, doomed: Sequence[GuestHolding], how: str | None) -> None:
    names = {holding.name for holding in doomed}
    for holding in doomed:
        if how != "force" and running.supervisor(host, holding.name) is not None:
            raise ChyvesError(f"{holding.name}: runs; stop it first, or use: chyves {holding.name} delete force")
        if how != "keepnet":
            _ = holding.properties.net_ifaces  # whose file, where it is broken, is to be told before anything is gone
        hanging = [clone.name for clone in clones_of(holdings, holding) if clone.name not in names]
        if hanging:
            raise ChyvesError(
                f"{holding.name}: {', '.join(hanging)} was cloned from it and would be lost; "
                f"delete that first, or both with: chyves {holding.name} delete force"
            )


def _delete(host: Host, holdings: Holdings, holding: GuestHolding, how: str | None) -> None:
    name, settings = holding.name, holdings.globals
    old = f"{holding.pool.guests_dataset}/{OLD.name}/{name}" + (leftovers.KEEPNET if how == "keepnet" else "")
    with host.locks.hold(f"guest.{name}"):
        # In a dry run clones that go first are still there, and ZFS would refuse.
        below = list(holding.rows) if host.dry else host.zfs.below(holding.dataset)
        if running.supervisor(host, name) is not None:
            force_off(host, name)
        interfaces = holding.properties.net_ifaces if how != "keepnet" else ()
        changed = without_member(settings, *interfaces)
        with Undo():
            with Undo() as undo:
                leftovers.within(undo, host, holding.pool, old)
                undo.do(
                    lambda: host.zfs.rename(holding.dataset, old, parents=True),
                    lambda: host.zfs.rename(old, holding.dataset),
                    f"bring {name} back",
                )
                if changed.text != settings.text:
                    undo.do(lambda: save(host, changed, holdings.globals_file))
            holdings.globals = changed
            doomed = [dataset.replace(holding.dataset, old, 1) for dataset in below]
            leftovers.finish(host, holding.pool, old, doomed, f"{name}: is deleted")
    host.terminal.say(1, f"{name}: deleted")
