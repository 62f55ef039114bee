"""What does not fit on the pools: broken off changes, datasets, clones, snapshots, disks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from chyves import names
from chyves.doctor.facts import Facts, GuestFacts, Note, PoolFacts
from chyves.doctor.kinds import Finding, found
from chyves.errors import ChyvesError
from chyves.properties import Guest, of_disks
from chyves.values import NONE

ALL = ("all",)
MARKS = {".new": "half-made", ".old": "half-deleted"}
RESOURCES = {".new-": "half-imported", ".old-": "half-dropped"}
WRITABLE = (".config", "logs")
"""Datasets of a template that chyves itself writes to."""


def broken_off(facts: Facts) -> Iterator[Finding]:
    """What a change left that was not done to its end."""
    for name in facts.installing:
        yield found(
            "half-installed",
            name.partition("/")[0],
            name,
            f"{name} is not all of the datasets that install makes",
            "take it back",
            ALL,
        )
    for name in facts.uninstalled:
        yield found("half-uninstalled", name.partition("/")[0], name, f"{name} is on its way out", "destroy it", ALL)
    for pool in facts.pools:
        yield from _half(pool)
        yield from _half_resources(pool)
    for note in facts.notes:
        if note.problem:
            yield found(
                "bad-note",
                note.owner,
                note.file,
                f"{note.file} cannot be understood: {note.problem}",
                "look at it and remove it; until then no command changes anything",
                note.locks,
            )
        else:
            yield _noted("half-changed", note, "finish it, or take it back")
    yield from (_noted("half-written", note, "remove it") for note in facts.written)
    yield from (_noted("half-renamed", note, "finish it, or take it back") for note in facts.renaming)


def _noted(kind: str, note: Note, remedy: str) -> Finding:
    return found(kind, note.owner, note.file, f"{note.file} is there: {note.what}", remedy, note.locks)


def _half(pool: PoolFacts) -> Iterator[Finding]:
    for mark, kind in MARKS.items():
        top = f"{pool.guests_dataset}/{mark}"
        if top not in pool.rows or f"{top}/.config" in pool.rows:
            continue
        below = [name for name in pool.rows if name.startswith(f"{top}/") and name.count("/") == top.count("/") + 1]
        for name in below or [top]:
            state = "is not all there yet" if kind == "half-made" else "is not all gone yet"
            remedy = "destroy it" if below else "destroy it, which is empty"
            yield found(
                kind, _owner(name.rpartition("/")[2]) if below else pool.name, name, f"{name} {state}", remedy, ALL
            )


def _owner(name: str) -> str:
    """The guest of what is being made or deleted: `web1`, `web1:disk1`, `web1:keepnet`."""
    return name.partition(":")[0]


def _half_resources(pool: PoolFacts) -> Iterator[Finding]:
    for kind, resources in pool.resources.items():
        for dataset in resources:
            name = dataset.rpartition("/")[2]
            for prefix, what in RESOURCES.items():
                if name.startswith(prefix):
                    image = name.removeprefix(prefix)
                    yield found(
                        what, image, dataset, f"{dataset} is not all there", "destroy it", (f"{kind}.{image}", "all")
                    )


def datasets(facts: Facts) -> Iterator[Finding]:
    """Datasets that are no guests, names that cannot be, and file systems that are not mounted."""
    for pool in facts.pools:
        here = {guest.dataset for guest in facts.guests if guest.pool == pool.name}
        below = f"{pool.guests_dataset}/"
        for name in pool.rows:
            child = name.removeprefix(below)
            if name.startswith(below) and "/" not in child and name not in here and child not in MARKS:
                yield found(
                    "no-guest",
                    pool.name,
                    name,
                    f"{name} is among the guests and has no .config",
                    f"look at it: zfs list -r {name}; then rename or destroy it",
                    ALL,
                )
        yield from _mounts(pool)
        for dataset in (name for resources in pool.resources.values() for name in resources):
            child = dataset.rpartition("/")[2]
            if not child.startswith(".") and (why := _refused(names.resource, child)):
                yield found("bad-name", pool.name, dataset, why, f"rename it: zfs rename {dataset} NEW, and its file")
    for guest in facts.guests:
        if why := _refused(names.new_guest, guest.name):
            yield found("bad-name", guest.name, guest.dataset, why, _renaming(guest))
    yield from _twice(facts)


def _renaming(guest: GuestFacts) -> str:
    if not _refused(names.guest, guest.name) and guest.name not in MARKS:
        return f"rename it: chyves {guest.name} rename NEW"
    return f"rename it: zfs rename {guest.dataset} {guest.dataset.rpartition('/')[0]}/NEW"


def _refused(check: Callable[[str], str], name: str) -> str:
    """Why a name cannot be, or nothing."""
    try:
        check(name)
    except ChyvesError as error:
        return str(error).partition(": ")[2]
    return ""


def _told(guest: Guest, what: str) -> Iterable[int]:
    """The numbers of disks that a guest has a text about."""
    return guest.disk_description if what == "description" else guest.disk_notes


def _mounts(pool: PoolFacts) -> Iterator[Finding]:
    passing = tuple(f"{pool.guests_dataset}/{mark}" for mark in MARKS)
    for name, row in pool.rows.items():
        if row["type"] != "filesystem" or name.startswith(passing) or "/.new-" in name or "/.old-" in name:
            continue
        owner = _dataset_owner(pool, name)
        place = row.get("mountpoint", "-")
        if not place.startswith("/") or row.get("canmount") == "off":
            why = "canmount=off" if place.startswith("/") else f"mountpoint={place}"
            property = why.partition("=")[0]
            yield found(
                "no-mountpoint",
                owner,
                name,
                f"{name} has {why}, so that what is in it is not seen",
                f"give it back: zfs inherit {property} {name}",
                ALL,
            )
        elif row.get("mounted") == "no":
            yield found(
                "not-mounted", owner, name, f"{name} is not mounted, so that what is in it is not seen", "mount it", ALL
            )


def _dataset_owner(pool: PoolFacts, name: str) -> str:
    """The guest that a dataset belongs to, or the pool."""
    below = f"{pool.guests_dataset}/"
    return name.removeprefix(below).partition("/")[0] if name.startswith(below) else pool.name


def _twice(facts: Facts) -> Iterator[Finding]:
    seen: dict[str, list[GuestFacts]] = {}
    for guest in facts.guests:
        seen.setdefault(guest.name, []).append(guest)
    for name, holders in seen.items():
        arriving = [guest for guest in holders if _moving(guest)]
        for guest in arriving:
            origin = ", whose old datasets are there too" if len(holders) > 1 else ""
            yield found(
                "half-moved",
                name,
                guest.dataset,
                f"{guest.dataset} came from another pool{origin}",
                "finish the move",
                ALL,
            )
        if len(holders) - len(arriving) > 1:
            places = " and ".join(guest.dataset for guest in holders)
            new = f"{holders[1].dataset.rpartition('/')[0]}/NEW"
            yield found(
                "two-pools",
                name,
                name,
                f"is both {places}",
                f"look at both, and rename one: zfs rename {holders[1].dataset} {new}",
                ALL,
            )


def _moving(guest: GuestFacts) -> bool:
    return guest.rows.get(guest.dataset, {}).get("chyves:moving", "-") != "-"


def clones(facts: Facts) -> Iterator[Finding]:
    """Clones of what is no guest any more."""
    datasets = {guest.dataset for guest in facts.guests}
    for guest in facts.guests:
        lost: dict[str, str] = {}
        below = f"{guest.dataset.rpartition('/')[0]}/"
        for name, row in guest.rows.items():
            parent = row.get("origin", "-").partition("@")[0]
            if parent.startswith(below) and _top(parent) not in datasets:
                lost.setdefault(row["origin"], name)
        for origin, name in lost.items():
            yield found(
                "lost-parent",
                guest.name,
                name,
                f"{name} hangs on {origin}, which is of no guest",
                f"free it: chyves {guest.name} promote; then look at what is left of the other",
                ALL,
            )


def snapshots(facts: Facts) -> Iterator[Finding]:
    """Snapshots that only a clone needed, of which no clone is left."""
    for row in facts.snapshots:
        dataset, _, tag = row["name"].partition("@")
        spare = row["clones"] in ("", "-") and row["defer_destroy"] != "on" and row["userrefs"] in ("0", "-")
        if tag.startswith(names.PROCESS) and spare and "/.new/" not in dataset and "/.old/" not in dataset:
            guest = _top(dataset).rpartition("/")[2]
            what = f"{row['name']} was taken for a clone, and no clone hangs on it"
            yield found("spare-snapshot", guest, row["name"], what, "destroy it", ("all", f"guest.{guest}"))


def _top(dataset: str) -> str:
    """The dataset of the guest that a dataset would be of: `POOL/chyves/guests/NAME`."""
    return "/".join(dataset.split("/")[:4])


def templates(facts: Facts) -> Iterator[Finding]:
    """Templates whose datasets can be changed, and guests whose datasets cannot."""
    closed_pools = {pool.name for pool in facts.pools if pool.rows.get(pool.guests_dataset, {}).get("readonly") == "on"}
    for pool in sorted(closed_pools):
        yield found(
            "closed-guest",
            pool,
            pool,
            "none of its guests can be changed: readonly=on for all that is there",
            f"see why: zpool get readonly {pool}, and: zfs get -r readonly {pool}",
            ALL,
        )
    for guest in facts.guests:
        if not guest.known or guest.pool in closed_pools:
            continue
        own = (guest.rows.get(f"{guest.dataset}/{name}", {}) for name in WRITABLE)
        closed = guest.rows[guest.dataset].get("readonly") == "on"
        if guest.guest.template and (not closed or any(row.get("readonly") == "on" for row in own)):
            yield found(
                "open-template",
                guest.name,
                guest.dataset,
                "is a template, and its datasets can be changed",
                "close them",
                ALL,
            )
        elif not guest.guest.template:
            shut = [name for name, row in guest.rows.items() if row.get("readonly") == "on"]
            if shut:
                yield found(
                    "closed-guest",
                    guest.name,
                    shut[0],
                    f"{', '.join(shut)} cannot be changed: readonly=on",
                    f"open them: zfs inherit -r readonly {guest.dataset}",
                    ALL,
                )


def disks(facts: Facts) -> Iterator[Finding]:
    """Disks without a place, places and texts without a disk, volumes that are no disks."""
    for guest in facts.guests:
        if guest.known and not _moving(guest):
            yield from _disks(guest)


def _disks(guest: GuestFacts) -> Iterator[Finding]:
    name, have, own = guest.name, guest.disks, guest.guest
    locks = ("all", f"guest.{name}")
    for volume in guest.volumes:
        if names.disk_number(volume) is None:
            whole = f"{guest.dataset}/{volume}"
            yield found(
                "stray-volume",
                name,
                whole,
                f"{whole} is no disk of it, as its name is not disk and a number",
                f"have it be one: zfs rename {whole} {guest.dataset}/disk{{n}}; or move it away",
                locks,
            )
    placed = {disk for disk in own.pci_slots if names.disk_number(disk) is not None}
    for disk in sorted(have - placed) if own.pci_slots else ():
        yield found("unplaced-disk", name, disk, f"{disk} has no place in pci_slots", "give it one", locks)
    options = {f"disk{number}" for number in of_disks(own)}
    for disk in sorted((placed | options) - have):
        yield found(
            "missing-disk",
            name,
            disk,
            f"{disk} is in its properties, and there is no volume of that name",
            "take its place and its options out; where it was lost, bring the volume back first",
            locks,
        )
    told = {f"disk{number}_{what}": f"disk{number}" for what in ("description", "notes") for number in _told(own, what)}
    for property in sorted(name for name, disk in told.items() if disk not in have):
        if own.text[property] not in NONE:
            yield found(
                "words-of-disk",
                name,
                property,
                f"{property} is about a disk that is not there",
                f"take it out: chyves {name} unset {property}",
                locks,
            )
