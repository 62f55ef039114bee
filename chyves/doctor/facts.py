"""What is looked at: plain values, which the findings follow from. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from chyves import names
from chyves.errors import ChyvesError
from chyves.network.steps import Existing
from chyves.properties import Defaults, Global, Guest, Pool
from chyves.section import Section
from chyves.vlans import Vlans

S = TypeVar("S", bound=Section)
Rows = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Kept:
    """A file of properties: what it has, or why it cannot be read.

    It has neither where it is not seen: what it is on is not mounted, or this user may not read it.
    """

    file: str
    text: Mapping[str, str] | None = None
    problem: str = ""

    def section(self, kind: type[S], owner: str) -> S:
        """The properties that can be understood; those that cannot are findings of their own."""
        whole = kind(owner, self.text or {})
        return kind(owner, {name: text for name, text in whole.text.items() if not _problem(whole, name)})


def _problem(section: Section, name: str) -> str:
    """What is wrong with the value of a property, or nothing."""
    row = section.row(name)
    try:
        if row is not None:
            row.parse(section.owner, section.text[name], name)
    except ChyvesError as error:
        return str(error).removeprefix(f"{section.owner}: ")
    return ""


def problems(section: Section) -> Iterator[tuple[str, str]]:
    """The properties whose values are not possible, with what would be right."""
    for name in section.text:
        problem = _problem(section, name)
        if problem:
            yield name, problem


@dataclass(frozen=True)
class GuestFacts:
    """A guest as its pool has it; `rows` are those of its datasets. A name may be on two pools."""

    name: str
    pool: str
    dataset: str
    rows: Rows
    kept: Kept

    @cached_property
    def guest(self) -> Guest:
        return self.kept.section(Guest, self.name)

    @property
    def known(self) -> bool:
        """Whether its properties could be read."""
        return self.kept.text is not None

    @property
    def volumes(self) -> Iterator[str]:
        """Its volumes, without the name of its dataset before them."""
        below = f"{self.dataset}/"
        return (name.removeprefix(below) for name, row in self.rows.items() if row["type"] == "volume")

    @property
    def disks(self) -> set[str]:
        """Its volumes that are disks."""
        return {name for name in self.volumes if names.disk_number(name) is not None}


@dataclass(frozen=True)
class PoolFacts:
    """A pool that has chyves datasets and is online; `resources` are images by kind, `.new-` and `.old-` ones too."""

    name: str
    dataset: str
    rows: Rows
    kept: Kept
    resources: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def pool(self) -> Pool:
        return self.kept.section(Pool, self.name)

    @property
    def guests_dataset(self) -> str:
        return f"{self.dataset}/guests"


@dataclass(frozen=True)
class Note:
    """A file that tells of a change under way; `problem` is why it cannot be understood."""

    owner: str
    file: str
    what: str
    problem: str = ""
    locks: tuple[str, ...] = ("all",)


@dataclass(frozen=True)
class Record:
    """What is written down of a running guest: and why that cannot be read."""

    guest: str
    problem: str = ""


@dataclass(frozen=True)
class Place:
    """A file, or a directory, with its owner and its mode; `secret` is one that has a secret in it."""

    owner: str
    path: str
    uid: int
    mode: int
    secret: bool = False
    directory: bool = False


@dataclass(frozen=True)
class Session:
    """A lock of a console whose process is gone."""

    device: str
    file: str


@dataclass(frozen=True)
class Facts:
    """All that was looked at; what could not be is in `unseen`, whose it is with a sentence."""

    pools: Sequence[PoolFacts] = ()
    guests: Sequence[GuestFacts] = ()
    primary: str | None = None
    no_primary: str = ""
    settings: Kept = Kept("global.cfg", {})
    fresh: Kept = Kept(".defaults", {})
    installing: Sequence[str] = ()
    uninstalled: Sequence[str] = ()
    snapshots: Sequence[Mapping[str, str]] = ()
    interfaces: Mapping[str, Existing] = field(default_factory=dict)
    vlans: Mapping[str, Vlans] = field(default_factory=dict)
    supervised: Mapping[str, int] = field(default_factory=dict)
    records: Sequence[Record] = ()
    vmms: frozenset[str] = frozenset()
    programs: Mapping[str, int] = field(default_factory=dict)
    spare_files: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    written: Sequence[Note] = ()
    renaming: Sequence[Note] = ()
    sessions: Sequence[Session] = ()
    places: Sequence[Place] = ()
    root: int = 0
    unseen: Sequence[tuple[str, str]] = ()

    @cached_property
    def globals(self) -> Global:
        return self.settings.section(Global, "global")

    @cached_property
    def defaults(self) -> Defaults:
        return self.fresh.section(Defaults, "defaults")

    @cached_property
    def by_name(self) -> dict[str, GuestFacts]:
        """The guests by their names; of two of one name that which is not arriving from another pool."""
        return {guest.name: guest for guest in reversed(self.guests)}

    @cached_property
    def all_known(self) -> bool:
        """Whether the properties of all guests could be read, so that what none of them has is nobody's."""
        return all(guest.known for guest in self.guests)

    def runs(self, guest: str) -> bool:
        """Whether something of a guest runs: a supervisor, a loader, a bhyve."""
        return guest in self.supervised or guest in self.programs
