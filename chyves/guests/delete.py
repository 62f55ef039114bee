"""Delete guests: out of sight by one rename, then destroyed, children first."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Sequence

from chyves.errors import ChyvesError, Interrupted
from chyves.guests import crashes, leftovers, lineage, running
from chyves.guests.each import each
from chyves.guests.leftovers import OLD
from chyves.guests.stop import force_off
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.names import PROCESS
from chyves.network.plan import without_member
from chyves.pools.doomed import refuse_bound
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.pools.writing import save
from chyves.targets import Target, named


def delete(host: Host, guest: Target, how: str | None = None, yes: bool = False) -> None:
    """Delete guests with all their datasets, after showing them and asking on a terminal.

    `force` shows them first in any case, stops a guest that runs, and deletes what was cloned from it before it;
    `keepnet` leaves the bridges' lists alone. A script is not asked for what it names; for clones, groups and all it
    has to say `yes`. While somebody is asked no other command is kept waiting; what goes is looked at again then.
    """
    doomed = _doomed(Holdings.read(host), guest, how)
    shown = _lines(host, doomed) if doomed and (how == "force" or host.terminal.interactive) else []
    if how == "force":
        host.terminal.show(shown)
    scripts = {holding.name for holding in doomed} == named(guest)
    if not doomed or not (host.dry or _agreed(host, doomed, yes, () if how == "force" else shown, scripts)):
        return
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        doomed = _doomed(holdings, guest, how)
        if shown and _lines(host, doomed) != shown:
            raise ChyvesError("what would be deleted has changed since it was shown; nothing is deleted; try again")
        taps = Counter[str]() if how == "keepnet" else _interfaces(holdings)
        free = _below_free(host, doomed) if len(doomed) > 1 and not host.dry else {}
        each(host, doomed, lambda holding: _delete(holdings, holding, how, taps, free.get(holding.name)))


def _doomed(holdings: Holdings, guest: Target, how: str | None) -> list[GuestHolding]:
    """What is to go, clones before what they hang on: with `force` also those that are not named."""
    wanted = holdings.find(guest)
    chosen = {holding.name for holding in wanted}
    family = lineage.with_clones(holdings, wanted)
    doomed = family if how == "force" else [holding for holding in family if holding.name in chosen]
    _refuse(holdings.host, holdings, doomed, how)
    refuse_bound(holdings.host, {holding.name: holding.dataset for holding in doomed})
    return doomed


def _agreed(host: Host, doomed: Sequence[GuestHolding], yes: bool, details: Sequence[str], scripts: bool) -> bool:
    names = ", ".join(holding.name for holding in doomed)
    question = f"{names}: delete with all disks and snapshots?"
    return host.terminal.confirm(question, yes, details, scripts, named=scripts)


def _lines(host: Host, doomed: Sequence[GuestHolding]) -> list[str]:
    """Every dataset and snapshot that goes, in the order of the guests."""
    rows = host.zfs.list(*(holding.dataset for holding in doomed), types="all", recursive=True)
    found: list[str] = []
    for holding in doomed:
        of = lineage.parent(holding)
        if of is not None:
            found.append(f"{holding.name}: is a clone of {of.guest}{of.shown}")
        own = (f"{holding.dataset}/", f"{holding.dataset}@")
        mine = (row["name"] for row in rows if row["name"] == holding.dataset or row["name"].startswith(own))
        found += [f"{holding.name}: {name} will be destroyed" for name in mine]
    return found


def _refuse(host: Host, holdings: Holdings, doomed: Sequence[GuestHolding], how: str | None) -> None:
    names = {holding.name for holding in doomed}
    children = lineage.clones(holdings)
    for holding in doomed:
        if how != "force" and running.supervisor(host, holding.name) is not None:
            raise ChyvesError(f"{holding.name}: runs; stop it first, or use: chyves {holding.name} delete force")
        if how != "keepnet":
            _refuse_unread(holding)
        hanging = [clone for clone in children.get(holding.name, []) if clone not in names]
        if hanging:
            were = "were" if hanging[1:] else "was"
            raise ChyvesError(
                f"{holding.name}: {', '.join(hanging)} {were} cloned from it; free it with: "
                f"chyves {','.join(hanging)} promote, or delete all with: chyves {holding.name} delete force"
            )


def _refuse_unread(holding: GuestHolding) -> None:
    """Raise, before anything is gone, for a guest whose file does not say which interfaces it has."""
    try:
        _ = holding.properties.net_ifaces
    except ChyvesError as error:
        error.add_note(f"to delete it, and leave the bridges' lists as they are: chyves {holding.name} delete keepnet")
        raise


def _delete(
    holdings: Holdings, holding: GuestHolding, how: str | None, taps: Counter[str], below: Sequence[str] | None
) -> None:
    """Delete one guest; `taps` says how many guests have each interface, `below` what goes, where that is known."""
    host, name, settings = holdings.host, holding.name, holdings.globals
    old = f"{holding.pool.guests_dataset}/{OLD.name}/{name}" + (leftovers.KEEPNET if how == "keepnet" else "")
    with host.locks.hold(f"guest.{name}"):
        # In a dry run clones that go first are still there, and ZFS would refuse.
        below = list(holding.rows) if host.dry else below or host.zfs.below(holding.dataset)
        if running.supervisor(host, name) is not None:
            _stop_first(host, name)
        own = [] if how == "keepnet" else holding.properties.net_ifaces
        # Those of an exact clone are its parent's too.
        changed = without_member(settings, *(tap for tap in own if taps[tap] == 1))
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
                host.events.note("deleted", name)
            holdings.globals = changed
            holdings.forget(name)
            taps.subtract(own)
            doomed = [dataset.replace(holding.dataset, old, 1) for dataset in below]
            leftovers.finish(host, holding.pool, old, doomed, f"{name}: is deleted", _process_snapshots(holding))
    crashes.forget(host, name)
    host.terminal.say(1, f"{name}: deleted")


def _stop_first(host: Host, name: str) -> None:
    """Pull its plug; raises Interrupted where a signal came meanwhile, which then leaves it off."""
    try:
        force_off(host, name)
    except Interrupted as error:
        what = signal.Signals(error.number).name
        raise Interrupted(error.number, f"stopped by {what} when {name} was off; it is not deleted") from None


def _interfaces(holdings: Holdings) -> Counter[str]:
    """How many guests have each interface, of those whose files can be read."""
    everyone = holdings.each_properties(holdings.host.terminal.warn).values()
    return Counter(tap for guest in everyone for tap in {*guest.text.get("net_ifaces", "").split(",")})


def _below_free(host: Host, doomed: Sequence[GuestHolding]) -> dict[str, list[str]]:
    """All that is below guests, from one process, of those from which nothing was cloned: ZFS refuses none of them."""
    rows = host.zfs.list(*(one.dataset for one in doomed), properties=("name", "clones"), types="all", recursive=True)
    found: dict[str, list[dict[str, str]]] = {holding.dataset: [] for holding in doomed}
    depth = doomed[0].dataset.count("/") + 1
    for row in rows:
        top = re.split("[@#]", row["name"])[0].split("/")[:depth]
        found["/".join(top)].append(row)
    return {
        holding.name: [row["name"] for row in found[holding.dataset]]
        for holding in doomed
        if all(row["clones"] in ("", "-") for row in found[holding.dataset])
    }


def _process_snapshots(holding: GuestHolding) -> list[str]:
    """The snapshots that were made for a clone and that it hangs on; those of 0.2.0 do not go by themselves."""
    found = (origin.snapshot for origin in lineage.origins(holding))
    return [snapshot for snapshot in found if snapshot.partition("@")[2].startswith(PROCESS)]
