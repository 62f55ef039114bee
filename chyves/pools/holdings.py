"""All that chyves has on all pools, read at once: two zfs processes, however many guests there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests.choose import chosen
from chyves.host.machine import Host
from chyves.properties import Defaults, Global, Guest, Pool
from chyves.section import Section
from chyves.targets import Target

DATASET = "chyves"
RESOURCES = {"iso": "ISO", "firmware": "Firmware"}
NULL_ISO = "null.iso"
COLUMNS = ("name", "type", "mountpoint", "volsize", "origin")

Rows = dict[str, dict[str, str]]


@dataclass
class PoolHolding:
    """What one pool has; `mountpoint` is that of its chyves dataset."""

    host: Host
    name: str
    rows: Rows

    @property
    def dataset(self) -> str:
        return f"{self.name}/{DATASET}"

    @property
    def mountpoint(self) -> Path:
        return self.place(self.dataset)

    def place(self, dataset: str) -> Path:
        """Where a file system of this pool is mounted; raises ChyvesError where it cannot be."""
        mountpoint = self.rows.get(dataset, {}).get("mountpoint", "-")
        if not mountpoint.startswith("/"):
            raise ChyvesError(f"{dataset}: has no mountpoint; set one with: zfs inherit mountpoint {dataset}")
        return Path(mountpoint)

    @cached_property
    def properties(self) -> Pool:
        return Pool(self.name, _read(self.host, self.mountpoint / ".config" / "pool.cfg"))

    @property
    def guests_dataset(self) -> str:
        return f"{self.dataset}/guests"


@dataclass
class GuestHolding:
    """What one guest has; `rows` are those of its datasets, by name."""

    host: Host
    pool: PoolHolding
    name: str
    rows: Rows = field(default_factory=dict)

    @property
    def dataset(self) -> str:
        return f"{self.pool.guests_dataset}/{self.name}"

    @property
    def mountpoint(self) -> Path:
        return self.pool.place(self.dataset)

    @property
    def file(self) -> Path:
        """The file of its properties."""
        return self.pool.place(f"{self.dataset}/.config") / ".cfg"

    @property
    def logs(self) -> Path:
        """The directory of its logs."""
        return self.mountpoint / "logs"

    @cached_property
    def properties(self) -> Guest:
        return Guest(self.name, self.host.files.read_properties(self.file))

    @property
    def volumes(self) -> dict[str, dict[str, str]]:
        """Its `disk{n}` volumes, by number."""
        found = {name.rpartition("/")[2]: row for name, row in self.rows.items() if row["type"] == "volume"}
        disks = {name: row for name, row in found.items() if names.disk_number(name) is not None}
        return dict(sorted(disks.items(), key=lambda item: names.disk_number(item[0]) or 0))

    def images(self) -> list[Path]:
        """Its raw images: every regular file below img/, by path."""
        below = self.mountpoint / "img"
        return sorted(path for path in below.rglob("*") if path.is_file() and not path.is_symlink())

    def disks(self) -> list[tuple[str, Path]]:
        """Names and places of its disks in the order that bhyve gets them: raw images, then volumes."""
        images = [(path.name, path) for path in self.images()]
        return images + [(disk, self.host.path(f"/dev/zvol/{self.dataset}/{disk}")) for disk in self.volumes]


class Holdings:
    """The pools, guests and resources of chyves on this host."""

    def __init__(self, host: Host, pools: Mapping[str, PoolHolding], guests: Mapping[str, list[GuestHolding]]) -> None:
        self.host, self.pools, self._guests = host, dict(pools), dict(guests)

    @classmethod
    def read(cls, host: Host, columns: Sequence[str] = ()) -> Holdings:
        """Ask ZFS; `columns` are further dataset properties that the rows shall have."""
        tops = [row["name"] for row in host.zfs.list(properties=("name",), types="filesystem", depth=1)]
        found = [top for top in tops if top.partition("/")[2] == DATASET]
        pools = {top.partition("/")[0]: PoolHolding(host, top.partition("/")[0], {}) for top in found}
        wanted = tuple(dict.fromkeys((*COLUMNS, *columns)))
        for row in host.zfs.list(*found, properties=wanted, recursive=True) if found else ():
            pools[row["name"].partition("/")[0]].rows[row["name"]] = row
        holdings = cls(host, pools, _guests(host, pools))
        if pools:
            holdings._heed_globals()
        return holdings

    def _heed_globals(self) -> None:
        """From here on the terminal and the logs are as the host's properties say; a broken file is told when used."""
        with suppress(ChyvesError):
            self.host.terminal.level = self.globals.stdout_level
        if self.host.terminal.recording:
            from chyves.pools.journal import Journal

            self.host.terminal.record_by(Journal(self).write)

    @cached_property
    def primary(self) -> PoolHolding:
        """The pool that holds the global properties; raises ChyvesError where there is none."""
        if not self.pools:
            raise ChyvesError("no pool has chyves datasets; make them with: chyves dataset POOL install")
        for pool in self.pools.values():
            if pool.properties.dataset_role == "primary":
                return pool
        raise ChyvesError(
            f"no pool of {', '.join(self.pools)} is primary; write dataset_role=primary into one's pool.cfg"
        )

    def pool(self, name: str | None) -> PoolHolding:
        """A pool by name, or the primary one; raises ChyvesError."""
        if name is None:
            return self.primary
        if name not in self.pools:
            have = ", ".join(self.pools) or "no pool"
            raise ChyvesError(
                f"{name}: has no chyves datasets (there are some on: {have}); "
                f"make them with: chyves dataset {name} install"
            )
        return self.pools[name]

    @property
    def guests(self) -> dict[str, GuestHolding]:
        """Every guest by name, in the order of the names."""
        return {name: found[0] for name, found in sorted(self._guests.items())}

    def guest(self, name: str) -> GuestHolding:
        """A guest by its exact name; raises ChyvesError, also where two pools have one of this name."""
        found = self._guests.get(name, [])
        if not found:
            raise ChyvesError(f"{name}: there is no such guest; see: chyves list")
        if len(found) > 1:
            pools = " and ".join(guest.pool.name for guest in found)
            raise ChyvesError(f"{name}: is on the pools {pools}; rename one of the datasets {found[1].dataset}")
        return found[0]

    def warn_of_unknown(self, holding: GuestHolding) -> None:
        """Tell of properties in a guest's file that no row knows; they are kept."""
        unknown = ", ".join(holding.properties.unknown())
        if unknown:
            self.host.terminal.warn(
                f"{holding.name}: {unknown}: chyves does not know this; it is kept in {holding.file}"
            )

    def find(self, wanted: Target) -> list[GuestHolding]:
        """The guests of a command's target (chyves.targets), each once; raises ChyvesError where a part has none."""
        if wanted == "all":
            return list(self.guests.values())
        return chosen(self, wanted)

    def resources(self, kind: str) -> dict[str, Path]:
        """The files of the ISO images or the firmware (`iso`, `firmware`), by name."""
        parent = f"{self.primary.dataset}/{RESOURCES[kind]}/"
        found = (name.removeprefix(parent) for name in self.primary.rows if name.startswith(parent))
        return {
            name: self.primary.place(parent + name) / name
            for name in sorted(found)
            if "/" not in name and name[0] != "."
        }

    def resource(self, kind: str, name: str) -> Path:
        """The file of one of them; raises ChyvesError."""
        found = self.resources(kind)
        if name not in found:
            have = ", ".join(other for other in found if other != NULL_ISO) or "none"
            raise ChyvesError(
                f"{name}: there is no such {kind} (there are: {have}); bring it with: chyves {kind} import"
            )
        return found[name]

    def forget_properties(self) -> None:
        """Have all properties read again from their files."""
        for owner in (self, *self.pools.values(), *self.guests.values()):
            for name in ("globals", "defaults", "properties"):
                vars(owner).pop(name, None)

    @cached_property
    def globals(self) -> Global:
        return Global("global", _read(self.host, self.globals_file))

    @cached_property
    def defaults(self) -> Defaults:
        return Defaults("defaults", _read(self.host, self.defaults_file))

    @property
    def globals_file(self) -> Path:
        return self.primary.mountpoint / ".config" / "global.cfg"

    @property
    def defaults_file(self) -> Path:
        return self.primary.place(self.primary.guests_dataset) / ".defaults"

    def each_properties(self, warn: Callable[[str], None]) -> dict[str, Guest]:
        """The properties of every guest whose file can be read; the others are warned of."""
        found = {}
        for name, guest in self.guests.items():
            try:
                found[name] = guest.properties
            except ChyvesError as error:
                warn(str(error))
        return found


def _guests(host: Host, pools: Mapping[str, PoolHolding]) -> dict[str, list[GuestHolding]]:
    guests: dict[str, list[GuestHolding]] = {}
    for pool in pools.values():
        below = f"{pool.guests_dataset}/"
        here: dict[str, GuestHolding] = {}
        for name, row in pool.rows.items():
            guest = name.removeprefix(below).partition("/")[0] if name.startswith(below) else ""
            if guest and guest not in (".new", ".old"):
                here.setdefault(guest, GuestHolding(host, pool, guest)).rows[name] = row
        for name, holding in here.items():
            if f"{holding.dataset}/.config" in holding.rows:
                guests.setdefault(name, []).append(holding)
    return guests


def _read(host: Host, path: Path) -> dict[str, str]:
    return host.files.read_properties(path) if path.exists() else {}


def save(host: Host, section: Section, path: Path, mode: int = 0o644) -> None:
    """Write a section's file, whole or not at all."""
    host.files.write_properties(path, section.text, mode)
