"""Looks at the host, changing nothing and waiting for nobody: a fixed number of processes, however many guests."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from chyves import names
from chyves.doctor.facts import Facts, GuestFacts, Kept, Note, Place, PoolFacts, Record, Session
from chyves.doctor.findings import findings
from chyves.doctor.kinds import Finding
from chyves.errors import ChyvesError
from chyves.guests import crashes, following, rollback, running, snapshot_set, succession
from chyves.host.interfaces import Interface
from chyves.host.locks import Sight
from chyves.host.machine import Host
from chyves.masking import masked
from chyves.network import change
from chyves.network.cards import running_vlans
from chyves.pools import leftovers, together
from chyves.pools.holdings import RESOURCES, GuestHolding, Holdings, PoolHolding
from chyves.resources.leftovers import FROM

T = TypeVar("T")
LOOKS = 4
"""How often is looked where something seems wrong while others change the host."""

PAUSE, PATIENCE = 0.05, 1.0
"""Seconds between two looks at who changes the host, and for how long that is done before the next look."""

SNAPSHOTS = ("name", "clones", "defer_destroy", "userrefs")
UNFINISHED = re.compile(r"\.(.+)\.\d+\.new")
RUNNING = "running."


@dataclass
class Seen:
    """What was found; of what is `passing` a change may be the cause that is under way, a sentence each."""

    findings: list[Finding]
    passing: list[str] = field(default_factory=list)
    hidden: int = 0


def look(host: Host) -> Seen:
    """What does not fit on a host; what another chyves is changing at the moment is looked at again."""
    always: set[tuple[str, str, str]] | None = None
    for last in (*[False] * (LOOKS - 1), True):
        before = host.locks.seen()
        sight = _Sight(host, before)
        facts = sight.facts()
        after = host.locks.seen()
        found = findings(facts)
        held, moved = _held(after), _moved(before, after)
        doubtful = [finding for finding in found if {*held, *moved} & set(finding.locks)]
        keys = {finding.key for finding in found}
        always = keys if always is None else always & keys
        if not doubtful:
            break
        if not last:
            _wait(host)
    under_way = [it for it in doubtful if held & set(it.locks) or it.key not in (always or ())]
    passing = sorted({name for finding in under_way for name in finding.locks if name in held})
    told = [host.locks.sentence(name).partition("; ")[0] for name in passing]
    return Seen([it for it in found if it not in under_way], told, sight.hidden)


def _held(locks: Mapping[str, Sight]) -> set[str]:
    """The locks of what changes something; that of a guest which runs is held for as long as it does."""
    return {name for name, sight in locks.items() if sight.holder is not None and not name.startswith(RUNNING)}


def _moved(before: Mapping[str, Sight], after: Mapping[str, Sight]) -> set[str]:
    """The locks that somebody took or dropped meanwhile."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _wait(host: Host) -> None:
    """Wait a moment for those who change something."""
    deadline = time.monotonic() + PATIENCE
    while _held(host.locks.seen()) and time.monotonic() < deadline:
        time.sleep(PAUSE)


class _Sight:
    """One look at all there is. What cannot be seen is told, and keeps nothing else from being looked at."""

    def __init__(self, host: Host, locks: Mapping[str, Sight]) -> None:
        self.host, self.locks = host, locks
        self.unseen: list[tuple[str, str]] = []
        self.hidden = 0
        self.notes: list[Note] = []
        self.written: list[Note] = []
        self.renaming: list[Note] = []
        self.places: list[Place] = []

    def facts(self) -> Facts:
        """All of it; raises nothing."""
        holdings = self._tried(lambda: Holdings.read(self.host, ("canmount",)), Holdings(self.host, {}))
        pools = [self._pool(pool) for pool in holdings.pools.values()]
        guests = [self._guest(guest) for pool in holdings.pools.values() for guest in _guests(pool)]
        primary, no_primary = self._primary(holdings)
        settings, fresh = Kept("global.cfg"), Kept(".defaults")
        if primary is not None:
            settings = self._kept("global", lambda: holdings.globals_file, optional=True)
            fresh = self._kept("defaults", lambda: holdings.defaults_file, optional=True)
            self._notes_of_primary(holdings)
        stored = Facts(
            pools=pools,
            guests=sorted(guests, key=lambda guest: (guest.name, _is_arriving(guest))),
            primary=primary,
            no_primary=no_primary,
            settings=settings,
            fresh=fresh,
            installing=holdings.installing,
            uninstalled=holdings.uninstalled,
            snapshots=self._tried(lambda: self._snapshots(pools), []),
        )
        return self._with_what_runs(stored)

    def _with_what_runs(self, stored: Facts) -> Facts:
        """The same, and what runs, and what is seen on the way."""
        self._notes_of_host()
        interfaces = self._tried(self.host.interfaces.all, dict[str, Interface]())
        programs = self._tried(self._programs, dict[str, int]())
        supervised = {
            name.removeprefix(RUNNING): sight.holder
            for name, sight in self.locks.items()
            if name.startswith(RUNNING) and sight.holder is not None
        }
        records = [Record(name, self._problem_of_record(name)) for name in running.recorded(self.host)]
        serials = dict.fromkeys(guest.guest.serial for guest in stored.guests)
        return replace(
            stored,
            interfaces=interfaces,
            vlans=running_vlans(self.host),
            supervised=supervised,
            records=records,
            vmms=frozenset(running.vmms(self.host)),
            programs=programs,
            spare_files=self._spare_files({*supervised, *programs, *(record.guest for record in records)}, stored),
            notes=self.notes,
            written=self.written,
            renaming=self.renaming,
            sessions=[session for serial in serials if serial for session in self._sessions(f"{serial}B")],
            places=self.places,
            root=self.host.owner,
            unseen=self.unseen,
        )

    def _primary(self, holdings: Holdings) -> tuple[str | None, str]:
        """The primary pool, or why it is not clear which that is."""
        try:
            return holdings.primary.name, ""
        except ChyvesError as error:
            return None, str(error) if holdings.pools else ""
        except OSError:
            self.hidden += 1
            return None, ""

    def _tried(self, ask: Callable[[], T], instead: T) -> T:
        """What is asked for, or something instead where it cannot be told, which is then a finding."""
        try:
            return ask()
        except (ChyvesError, OSError) as error:
            if ("host", str(error)) not in self.unseen:
                self.unseen.append(("host", str(error)))
            return instead

    def _snapshots(self, pools: Iterable[PoolFacts]) -> list[dict[str, str]]:
        tops = [pool.guests_dataset for pool in pools if pool.guests_dataset in pool.rows]
        return self.host.zfs.list(*tops, properties=SNAPSHOTS, types="snapshot", recursive=True) if tops else []

    def _kept(self, owner: str, place: Callable[[], Path], optional: bool = False) -> Kept:
        """A file of properties; one that may be missing is empty then."""
        try:
            file = place()
        except ChyvesError:
            return Kept("")  # where it is is not mounted, which is a finding of its own
        try:
            status = file.lstat()
        except FileNotFoundError:
            return Kept(str(file), {}) if optional else Kept(str(file), None, "it is not there")
        except OSError:
            self.hidden += 1
            return Kept(str(file))
        if not os.access(file, os.R_OK):
            self.hidden += 1
            return Kept(str(file))
        try:
            kept = Kept(str(file), self.host.files.read_properties(file))
        except ChyvesError as error:
            kept = Kept(str(file), None, str(error).removeprefix(f"{file}: "))
        lines = [f"{name}={text}" for name, text in (kept.text or {}).items()]
        # All at once first: there is hardly ever one.
        secret = masked("\n".join(lines)) != "\n".join(lines) and any(masked(line) != line for line in lines)
        self._place(owner, file, status, secret)
        if secret and not optional:  # a guest's, which has a dataset of its own
            with suppress(OSError):
                self._place(owner, file.parent, file.parent.lstat(), secret)
        return kept

    def _place(self, owner: str, file: Path, status: os.stat_result, secret: bool = False) -> None:
        if not stat.S_ISLNK(status.st_mode):  # one is refused when it is read
            directory, mode = stat.S_ISDIR(status.st_mode), stat.S_IMODE(status.st_mode)
            self.places.append(Place(owner, str(file), status.st_uid, mode, secret, directory))

    def _pool(self, pool: PoolHolding) -> PoolFacts:
        resources = {kind: _children(pool, f"{pool.dataset}/{top}") for kind, top in RESOURCES.items()}
        with suppress(ChyvesError):
            note = leftovers.note(pool)
            self._note(pool.name, note, "was not made the primary pool to the end", lambda: _object(note))
            self._unfinished(pool.name, pool.file, note)
        for kind, datasets in resources.items():
            for dataset in datasets:
                name = dataset.rpartition("/")[2]
                with suppress(ChyvesError, OSError):
                    for mark in sorted(pool.place(dataset).glob(f"{FROM}*")):
                        locks = ("all", f"{kind}.{name}")
                        self.renaming.append(Note(name, str(mark), "its rename is not at its end", "", locks))
        return PoolFacts(
            pool.name, pool.dataset, pool.rows, self._kept(pool.name, lambda: pool.file, optional=True), resources
        )

    def _guest(self, guest: GuestHolding) -> GuestFacts:
        kept = self._kept(guest.name, lambda: guest.file)
        locks = ("all", f"guest.{guest.name}")
        with suppress(ChyvesError, OSError):
            for name in sorted(os.listdir(guest.file.parent)):
                file = str(guest.file.with_name(name))
                if name.startswith(following.WAS):
                    self.renaming.append(Note(guest.name, file, "its rename is not at its end", "", locks))
                elif (match := UNFINISHED.fullmatch(name)) and match[1] == guest.file.name:
                    self.written.append(Note(guest.name, file, "it was never put in its place", "", locks))
        return GuestFacts(guest.name, guest.pool.name, guest.dataset, guest.rows, kept)

    def _notes_of_primary(self, holdings: Holdings) -> None:
        with suppress(ChyvesError):
            changed, promoted = together.note(holdings), succession.note(holdings)
            back, taken = rollback.note(holdings), snapshot_set.note(holdings)
            self._note("host", changed, "a change of properties is not at its end", lambda: _object(changed))
            self._note("host", promoted, "the promotion of a guest is not at its end", lambda: _object(promoted))
            self._note("host", back, "a guest is not all back to a snapshot", lambda: rollback.noted(holdings))
            self._note("host", taken, "a set of snapshots is not all taken", lambda: _object(taken))
            self._unfinished("host", changed, promoted, back, taken, holdings.globals_file, holdings.defaults_file)

    def _notes_of_host(self) -> None:
        note = change.note(self.host)
        self._note("host", note, "a change of the network is not at its end", lambda: _object(note))
        self._unfinished("host", note)
        place = self.host.path(running.RUN)
        with suppress(OSError):
            self._place("host", place, place.lstat())

    def _note(self, owner: str, file: Path, what: str, understand: Callable[[], object]) -> None:
        try:
            file.lstat()
        except FileNotFoundError:
            return
        except OSError:
            self.hidden += 1
            return
        if not os.access(file, os.R_OK):
            self.hidden += 1
            return
        problem = (
            _why(understand).removeprefix(f"{file}: ").removeprefix("cannot be understood ").partition("; look")[0]
        )
        self.notes.append(Note(owner, str(file), what, problem))

    def _unfinished(self, owner: str, *files: Path) -> None:
        """New files that were never put in the places of these."""
        wanted = {file.name for file in files}
        for directory in {file.parent for file in files}:
            with suppress(OSError):
                for name in sorted(os.listdir(directory)):
                    match = UNFINISHED.fullmatch(name)
                    if match and match[1] in wanted:
                        self.written.append(Note(owner, str(directory / name), "it was never put in its place"))

    def _programs(self) -> dict[str, int]:
        """The guests of which a bhyve or a loader runs."""
        found = self.host.processes.find(f"(bhyve: |(bhyve|bhyveload|grub-bhyve) .* ){names.vm('.*')}")
        used = self.host.processes.usage(found)
        prefix = names.vm("")
        titles = {pid: usage.command.rpartition(" ")[2] for pid, usage in used.items()}
        return {title.removeprefix(prefix): pid for pid, title in titles.items() if title.startswith(prefix)}

    def _problem_of_record(self, guest: str) -> str:
        return _why(lambda: running.read(self.host, guest))

    def _spare_files(self, known: set[str], stored: Facts) -> dict[str, str]:
        """What is in the directory of running guests and of none that is written down, by path, with its guest.

        It is told of a guest there that it crashed, as long as there is the guest.
        """
        place, found = self.host.path(running.RUN), {}
        with suppress(OSError):
            for entry in os.scandir(place):
                match = UNFINISHED.fullmatch(entry.name)
                written = match[1].removesuffix(".json") if match and match[1].endswith(".json") else None
                guest = written or entry.name
                if guest not in known and (written or entry.is_dir(follow_symlinks=False)):
                    found[entry.path] = guest
                crashed = entry.name.removeprefix(crashes.PREFIX)
                if entry.name != crashed and crashed not in stored.by_name and stored.pools:
                    found[entry.path] = crashed
        return found

    def _sessions(self, device: str) -> Iterator[Session]:
        with suppress(ChyvesError):
            if self.host.lines.abandoned(device):
                yield Session(device, str(self.host.lines.file(device)))


def _why(ask: Callable[[], object]) -> str:
    """Why something cannot be told, or nothing."""
    try:
        ask()
    except (ChyvesError, OSError, ValueError) as error:
        return str(error)
    return ""


def _object(file: Path) -> dict[str, object]:
    """What a note has; raises ValueError where it is no object of JSON."""
    found = json.loads(file.read_text())
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def _children(pool: PoolHolding, top: str) -> tuple[str, ...]:
    return tuple(name for name in pool.rows if name.startswith(f"{top}/") and "/" not in name[len(top) + 1 :])


def _is_arriving(guest: GuestFacts) -> bool:
    return guest.rows[guest.dataset].get("chyves:moving", "-") != "-"


def _guests(pool: PoolHolding) -> list[GuestHolding]:
    """The guests of a pool, also those whose names other pools have too."""
    below = f"{pool.guests_dataset}/"
    found: dict[str, GuestHolding] = {}
    for name, row in pool.rows.items():
        guest = name.removeprefix(below).partition("/")[0] if name.startswith(below) else ""
        if guest:
            found.setdefault(guest, GuestHolding(pool.host, pool, guest)).rows[name] = row
    return [
        guest for guest in found.values() if f"{guest.dataset}/.config" in guest.rows and guest.dataset in guest.rows
    ]
