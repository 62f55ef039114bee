"""Bring a guest back to a snapshot: to its end, whatever kills it on the way.

ZFS rolls each dataset back in a change of its own, and none of them can be undone. So all that is to be done is first
written to a file in the primary pool. From the first change on the only way is forward: whoever finds that file with
the lock `all` in hands does all of it (again), and removes the file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.guests import history, running
from chyves.guests.history import History, Snapshot
from chyves.guests.restored import restored
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import with_member, without_member
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.pools.writing import save
from chyves.properties import Guest

NOTE = "rollbacks.json"
ADJUSTED = "-network-auto-adjusted-by-chyves"
"""What the name of the new snapshot ends in, where the one gone back to has what another guest has got since."""

LONGEST = 200
"""Characters of a snapshot's name; a longer one could not be kept as revert_to_snapshot."""


@dataclass(frozen=True)
class Plan:
    """All that going back means: snapshots and bookmarks that are lost, and what is different after it.

    `text` are the guest's properties, where those of the snapshot cannot stay; then the snapshot `keep` is taken.
    `off` are interfaces that no bridge has any more, `on` those that come back, each with its bridge.
    """

    guest: str
    dataset: str
    snapshot: str
    doomed: list[str] = field(default_factory=list)
    bookmarks: list[str] = field(default_factory=list)
    text: dict[str, str] | None = None
    keep: str | None = None
    off: list[str] = field(default_factory=list)
    on: dict[str, str] = field(default_factory=dict)


def plan(holdings: Holdings, past: History, snapshot: Snapshot) -> tuple[Plan, list[str]]:
    """What going back to a snapshot means, and in words what will be different from what was; raises ChyvesError."""
    holding = past.holding
    missing = snapshot.missing(holding)
    if missing:
        raise ChyvesError(
            f"{holding.name}: {snapshot.name}: {', '.join(missing)} does not have it and would stay as it is; "
            "go back to one that all have, or delete what came later"
        )
    newer = past.newer(snapshot)
    history.refuse_bound(past, newer)
    found = restored(holdings, holding, _properties_of(holding, snapshot.name))
    text, keep = None, None
    if found.guest.text != found.snapshot.text:
        text, keep = dict(found.guest.text), f"{snapshot.name}{ADJUSTED}"
        if len(keep) > LONGEST:
            keep = None
        elif text.get("revert_to_snapshot") == snapshot.name:
            text["revert_to_snapshot"] = keep
    doomed = [other.name for other in newer]
    lost = past.newer_bookmarks(snapshot)
    made = Plan(holding.name, holding.dataset, snapshot.name, doomed, lost, text, keep, found.off, found.on)
    return made, found.words


def _properties_of(holding: GuestHolding, snapshot: str) -> Guest:
    """The guest's properties as a snapshot has them."""
    file = holding.file.parent / ".zfs" / "snapshot" / snapshot.removeprefix("@") / holding.file.name
    return Guest(holding.name, holding.host.files.read_properties(file))


def carry_out(holdings: Holdings, chosen: Plan) -> None:
    """Go back, under the locks `all` and the guest's; raises ChyvesError, which says where it is not taken back."""
    host, begun = holdings.host, list[str]()
    with Undo() as undo:
        undo.do(
            lambda: _remember(holdings, chosen),
            lambda: None if begun else _forget(holdings, chosen.guest),
            f"forget that {chosen.guest} was to go back",
        )
        undo.do(lambda: _go(host, holdings, chosen, begun))


def _go(host: Host, holdings: Holdings, chosen: Plan, begun: list[str]) -> None:
    try:
        _all(host, holdings, chosen, begun)
    except ChyvesError as error:
        if not begun:
            raise
        raise ChyvesError(
            f"{chosen.guest}: is not yet all back to {chosen.snapshot}, which the next command tries again: {error}"
        ) from None


def _all(host: Host, holdings: Holdings, chosen: Plan, begun: list[str]) -> None:
    """Every step, which can be done again; `begun` gets what cannot be taken back."""
    _datasets(host, holdings.guest(chosen.guest), chosen, begun)
    _files(holdings, chosen)
    if chosen.keep is not None:
        host.zfs.snapshot(chosen.dataset + chosen.keep)
    _forget(holdings, chosen.guest)
    holdings.forget_properties()


def _datasets(host: Host, holding: GuestHolding, chosen: Plan, begun: list[str]) -> None:
    if chosen.doomed:
        host.zfs.destroy_snapshots(chosen.dataset, chosen.doomed)
        begun.append(chosen.dataset)
    for bookmark in chosen.bookmarks:
        host.zfs.destroy(bookmark)
        begun.append(bookmark)
    for dataset in holding.rows:
        host.zfs.rollback(dataset + chosen.snapshot)
        begun.append(dataset)


def _files(holdings: Holdings, chosen: Plan) -> None:
    """Write what the snapshot does not have right: the guest's properties, and the lists of the bridges."""
    if chosen.text is not None:
        save(holdings.host, Guest(chosen.guest, chosen.text), holdings.guest(chosen.guest).file)
    settings = without_member(holdings.globals, *chosen.off)
    for interface, bridge in chosen.on.items():
        settings = with_member(settings, bridge, interface)
    if settings.text != holdings.globals.text:
        save(holdings.host, settings, holdings.globals_file)
        holdings.globals = settings


def note(holdings: Holdings) -> Path:
    """The file that is there while a guest has not all gone back."""
    return holdings.primary.mountpoint / ".config" / NOTE


def noted(holdings: Holdings) -> dict[str, Plan]:
    """The guests that have not all gone back; raises ChyvesError for a file that is none of ours."""
    place = note(holdings)
    if not place.exists():
        return {}
    try:
        return {str(name): Plan(**found) for name, found in json.loads(holdings.host.files.read(place)).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ChyvesError(f"{place}: cannot be understood ({error}); look at it, and remove it") from None


def refuse_unfinished(holdings: Holdings, guest: str) -> None:
    """Refuse to work on a guest a part of which has gone back, and a part not; raises ChyvesError."""
    chosen = noted(holdings).get(guest)
    if chosen is not None:
        raise ChyvesError(
            f"{guest}: is not yet all back to {chosen.snapshot}; see above what is in the way, and try again"
        )


def _remember(holdings: Holdings, chosen: Plan) -> None:
    if not holdings.host.dry:
        _write(holdings, {**noted(holdings), chosen.guest: chosen})


def _forget(holdings: Holdings, guest: str) -> None:
    if not holdings.host.dry:
        _write(holdings, {name: chosen for name, chosen in noted(holdings).items() if name != guest})


def _write(holdings: Holdings, plans: dict[str, Plan]) -> None:
    files, place = holdings.host.files, note(holdings)
    if plans:
        files.write(place, json.dumps({name: asdict(chosen) for name, chosen in plans.items()}) + "\n")
    else:
        files.remove(place)


def finish(host: Host, holdings: Holdings) -> bool:
    """Finish what did not come to its end, and say so; what cannot be is told and left for the next command.

    The caller holds the lock `all`. Whether there was any.
    """
    plans = noted(holdings)
    for name, chosen in plans.items():
        back = f"{name}: did not come all back to {chosen.snapshot}"
        try:
            with host.locks.hold(f"guest.{name}", wait=0):
                _finish(host, holdings, chosen)
        except ChyvesError as error:
            host.terminal.warn(f"{back}, and cannot now: {error}")
        else:
            host.terminal.warn(f"{back}; this is finished")
    return bool(plans)


def _finish(host: Host, holdings: Holdings, chosen: Plan) -> None:
    """Do all of a plan again, to what there is now."""
    name = chosen.guest
    if name not in holdings.guests:
        _forget(holdings, name)
        return
    if running.supervisor(host, name) is not None:
        raise ChyvesError("it runs; stop it first")
    past = history.read(host, [holdings.guest(name)])[name]
    snapshot = past.find(chosen.snapshot)
    newer = [other.name for other in past.newer(snapshot)]
    more = [other for other in newer if other not in (*chosen.doomed, chosen.keep)]
    if more:
        raise ChyvesError(
            f"{more[0]} was taken since and would be lost; delete it first: chyves {name} snapshot delete {more[0]}"
        )
    lost = [bookmark for bookmark in past.newer_bookmarks(snapshot) if bookmark in chosen.bookmarks]
    there = replace(chosen, doomed=newer, bookmarks=lost)
    with Undo() as undo:
        undo.do(lambda: _all(host, holdings, there, []))
