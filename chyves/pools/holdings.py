"""All that chyves has on all pools, read at once: two zfs processes, however many guests there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from chyves import names
from chyves.errors import ChyvesError, Denied, Vanished
from chyves.guests.choose import chosen
from chyves.host.machine import Host
from chyves.pools import newer, suspended
from chyves.pools.reading import read, read_guest
from chyves.properties import Defaults, Global, Guest, Pool
from chyves.targets import Target

DATASET = "chyves"
OFFLINE = f"{DATASET}_offline"
UNINSTALLED, INSTALLING = f".{DATASET}-old", f".{DATASET}-new"
"""What the dataset of a pool is called: in use, put offline, on its way out."""

RESOURCES = {"iso": "ISO", "firmware": "Firmware"}
NULL_ISO = "null.iso"
GUEST_FILE = ".cfg"
MOVING = "chyves:moving"
"""The mark of a guest that has come from another pool, until it has gone there (chyves.guests.arrival)."""

ADOPTING = "chyves:adopting"
"""The mark of a guest that is being made of one of another manager (chyves.adopt.unfinished)."""

COLUMNS = ("name", "type", "mountpoint", "mounted", "volsize", "origin", "readonly", MOVING, ADOPTING)

Rows = dict[str, dict[str, str]]


@dataclass
class PoolHolding:
    """What one pool has; `mountpoint` is that of its chyves dataset, whose name in the pool is `top`."""

    host: Host
    name: str
    rows: Rows
    top: str = DATASET

    @property
    def dataset(self) -> str:
        return f"{self.name}/{self.top}"

    @property
    def mountpoint(self) -> Path:
        return self.place(self.dataset)

    def place(self, dataset: str, below: str = "") -> Path:
        """Where a file system of this pool is mounted, or a path below that; raises ChyvesError where it is not."""
        row = self.rows.get(dataset)
        if row is None:
            raise ChyvesError(f"{dataset}: does not exist; bring it back, or make it with: zfs create {dataset}")
        mountpoint = row.get("mountpoint", "-")
        if not mountpoint.startswith("/"):
            raise ChyvesError(f"{dataset}: has no mountpoint; set one with: zfs inherit mountpoint {dataset}")
        if row.get("mounted") == "no":
            above = self.rows.get(dataset.rpartition("/")[0], {})
            # One that is mounted before what it is in keeps that from being mounted.
            which = "-a" if above.get("mounted") == "no" else dataset
            raise ChyvesError(f"{dataset}: is not mounted; mount it with: zfs mount {which}")
        return Path(mountpoint, below)

    @property
    def file(self) -> Path:
        """The file of its properties."""
        config = f"{self.dataset}/.config"
        return (self.place(config) if config in self.rows else self.mountpoint / ".config") / "pool.cfg"

    @cached_property
    def properties(self) -> Pool:
        return Pool(self.name, read(self.host, self.file))

    @property
    def globals_file(self) -> Path:
        """Where it keeps the properties of the host, if it is the primary pool, or was."""
        return self.file.with_name("global.cfg")

    @property
    def defaults_file(self) -> Path:
        """Where it keeps what new guests begin with, if it is the primary pool, or was."""
        return self.place(self.guests_dataset) / ".defaults"

    @property
    def guests(self) -> list[str]:
        """The names of the guests that it has."""
        return sorted(_guests(self.host, {self.name: self}))

    @property
    def guests_dataset(self) -> str:
        return f"{self.dataset}/guests"

    def stored(self, kind: str) -> dict[str, tuple[PoolHolding, Path]]:
        """The ISO images or the firmware (`iso`, `firmware`) that are on this pool, with their files."""
        top = f"{self.dataset}/{RESOURCES[kind]}"
        below = [name.removeprefix(f"{top}/") for name in self.rows if name.startswith(f"{top}/")]
        found = {
            name: (self, self.place(f"{top}/{name}") / name) for name in below if "/" not in name and name[0] != "."
        }
        if kind == "iso" and NULL_ISO not in found and top in self.rows:
            plain = self.place(top) / NULL_ISO  # 0.2.0 made it a plain file
            found |= {NULL_ISO: (self, plain)} if plain.is_file() else {}
        return found


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
    def arriving(self) -> bool:
        """Whether it has come from another pool by a move that is not at its end."""
        return self.rows.get(self.dataset, {}).get(MOVING, "-") != "-"

    @property
    def mountpoint(self) -> Path:
        return self.pool.place(self.dataset)

    @property
    def file(self) -> Path:
        """The file of its properties."""
        return self.pool.place(f"{self.dataset}/.config", GUEST_FILE)

    @property
    def logs(self) -> Path:
        """The directory of its logs."""
        return self.mountpoint / "logs"

    @cached_property
    def properties(self) -> Guest:
        return Guest(self.name, read_guest(self))

    @property
    def volumes(self) -> dict[str, dict[str, str]]:
        """Its `disk{n}` volumes, by number; what is further below is none of them."""
        below = f"{self.dataset}/"
        found = {name.removeprefix(below): row for name, row in self.rows.items() if row["type"] == "volume"}
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
    """The pools, guests and resources of chyves on this host.

    `offline` are pools whose guests do not count now; `uninstalled` are datasets that are on their way out, and
    `installing` those that were being made. With `changing` a guest of a newer version than ours is refused.
    """

    changing = False

    def __init__(
        self,
        host: Host,
        pools: Mapping[str, PoolHolding],
        offline: Mapping[str, PoolHolding] = {},
        uninstalled: Sequence[str] = (),
        installing: Sequence[str] = (),
    ) -> None:
        self.host, self.pools, self.offline = host, dict(pools), dict(offline)
        self.uninstalled, self.installing = tuple(uninstalled), tuple(installing)
        self._all = _guests(host, pools)
        self._guests = {name: [one for one in found if not one.arriving] or found for name, found in self._all.items()}

    @classmethod
    def read(cls, host: Host, columns: Sequence[str] = ()) -> Holdings:
        """Ask ZFS; `columns` are further dataset properties that the rows shall have."""
        tops = [row["name"] for row in host.zfs.list(properties=("name",), types="filesystem", depth=1)]
        found = {
            top: PoolHolding(host, top.partition("/")[0], {}, top.partition("/")[2])
            for top in tops
            if top.partition("/")[2] in (DATASET, OFFLINE)
        }
        wanted = tuple(dict.fromkeys((*COLUMNS, *columns)))
        for row in host.zfs.list(*found, properties=wanted, recursive=True) if found else ():
            found["/".join(row["name"].split("/")[:2])].rows[row["name"]] = row
        pools = {pool.name: pool for pool in found.values() if not _is_offline(pool)}
        offline = {pool.name: pool for pool in found.values() if _is_offline(pool)}
        left = [[top for top in tops if top.partition("/")[2] == mark] for mark in (UNINSTALLED, INSTALLING)]
        holdings = cls(host, pools, offline, *left)
        if pools:
            holdings._heed_globals()
        return holdings

    def _heed_globals(self) -> None:
        """From here on the terminal and the logs are as the host's properties say; a broken file is told when used."""
        with suppress(ChyvesError):
            self.host.terminal.level = self.globals.stdout_level
            self.host.terminal.prompts = self.globals.prompt_on_destruction
        if self.host.terminal.recording:
            from chyves.pools.journal import Journal

            self.host.terminal.record_by(Journal(self).write)

    @cached_property
    def primary(self) -> PoolHolding:
        """The pool that holds the global properties; raises ChyvesError where there is none.

        Of two that say that they are, it is the one that became it later: the other was away, or chyves was killed.
        """
        if not self.pools:
            raise suspended.absent(self.host, "chyves datasets", _no_pools(self.offline))
        claims = [pool for pool in self.pools.values() if pool.properties.dataset_role == "primary"]
        latest = max((pool.properties.dataset_promotion for pool in claims), default=0)
        found = [pool.name for pool in claims if pool.properties.dataset_promotion == latest]
        if len(found) != 1:
            which = f"{' and '.join(found)} are both" if found else f"no pool of {', '.join(self.pools)} is"
            raise ChyvesError(f"{which} primary; choose one with: chyves dataset POOL promote")
        return self.pools[found[0]]

    @property
    def has_primary(self) -> bool:
        """Whether it is clear which pool is the primary one."""
        try:
            return self.primary is not None
        except ChyvesError:
            return False

    def pool(self, name: str | None) -> PoolHolding:
        """A pool by name, or the primary one; raises ChyvesError."""
        if name is None:
            return self.primary
        if name in self.offline and name not in self.pools:
            raise ChyvesError(f"{name}: is offline; bring it back with: chyves dataset {name} online")
        if name not in self.pools:
            suspended.refuse(self.host, [name])
            have = f"(there are some on: {', '.join(self.pools) or 'no pool'})"
            raise ChyvesError(f"{name}: has no chyves datasets {have}; make them with: chyves dataset {name} install")
        return self.pools[name]

    @property
    def arriving(self) -> list[GuestHolding]:
        """What has come from another pool and has its mark still, whether it is the guest already or not."""
        return [holding for found in self._all.values() for holding in found if holding.arriving]

    @cached_property
    def guests(self) -> dict[str, GuestHolding]:
        """Every guest by name, in the order of the names."""
        return {name: found[0] for name, found in sorted(self._guests.items())}

    def forget(self, name: str) -> None:
        """Have a guest out of mind that is no more."""
        self._guests.pop(name, None)
        self.guests.pop(name, None)

    def guest(self, name: str) -> GuestHolding:
        """A guest by its exact name; raises ChyvesError, also where two pools have one of this name."""
        found = self._guests.get(name, [])
        if not found:
            raise suspended.absent(self.host, name, f"{name}: there is no such guest; see: chyves list")
        if len(found) > 1:
            pools = " and ".join(guest.pool.name for guest in found)
            raise ChyvesError(f"{name}: is on the pools {pools}; rename one of the datasets {found[1].dataset}")
        if self.changing:
            newer.refuse_guest(found[0])
        return found[0]

    def for_change(self) -> Holdings:
        """The same for a command that changes something; raises ChyvesError for a newer or suspended pool."""
        suspended.refuse(self.host, self.pools)
        for pool in self.pools.values():
            newer.refuse_pool(pool.properties, f"zfs rename {pool.dataset} {pool.name}/{OFFLINE}")
        self.changing = True
        return self

    def warn_of_unknown(self, holding: GuestHolding) -> None:
        """Tell of properties in a guest's file that no row knows; they are kept."""
        unknown = ", ".join(holding.properties.unknown())
        if unknown:
            self.host.terminal.warn(
                f"{holding.name}: {unknown}: chyves does not know this; it is kept in {holding.file}"
            )

    def find(self, wanted: Target) -> list[GuestHolding]:
        """The guests of a command's target (chyves.targets), each once; raises ChyvesError where a part has none."""
        found = list(self.guests.values()) if wanted == "all" else chosen(self, wanted)
        for guest in found if self.changing else ():
            newer.refuse_guest(guest)
        return found

    def resources(self, kind: str) -> dict[str, Path]:
        """The files of the ISO images or the firmware (`iso`, `firmware`) of all pools, by name."""
        return {name: file for name, (_, file) in sorted(self.stored(kind).items())}

    def stored(self, kind: str) -> dict[str, tuple[PoolHolding, Path]]:
        """Images or firmware with the pool that they are on; of two of one name that of the primary pool counts."""
        found: dict[str, tuple[PoolHolding, Path]] = {}
        for pool in self.pools.values():
            if pool is not self.primary:
                with suppress(ChyvesError):  # what another pool cannot show now is not there now
                    found = pool.stored(kind) | found
        return found | self.primary.stored(kind)

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
        return Global("global", read(self.host, self.globals_file))

    @cached_property
    def defaults(self) -> Defaults:
        return Defaults("defaults", read(self.host, self.defaults_file))

    @property
    def globals_file(self) -> Path:
        return self.primary.globals_file

    @property
    def defaults_file(self) -> Path:
        return self.primary.defaults_file

    def each_properties(self, warn: Callable[[str], None]) -> dict[str, Guest]:
        """The properties of every guest whose file can be read; the others are warned of, once for all secret ones."""
        found, secret = {}, []
        for name, guest in self.guests.items():
            try:
                found[name] = guest.properties
            except Denied:
                secret.append(name)
            except ChyvesError as error:
                if isinstance(error, Vanished) and not self.changing:
                    raise
                warn(str(error))
        if secret:
            warn(f"{', '.join(secret)}: root alone may read the properties, as there is a secret among them")
        return found


def _is_offline(pool: PoolHolding) -> bool:
    """Whether a pool is out of use: renamed, or by its file."""
    try:
        return pool.top == OFFLINE or pool.properties.dataset_role == "offline"
    except ChyvesError:
        return False  # it is told when the pool is used


def _no_pools(offline: Iterable[str]) -> str:
    if away := ", ".join(offline):
        return f"no pool with chyves datasets is online (offline: {away}); see: chyves help dataset online"
    return "no pool has chyves datasets; make them with: chyves dataset POOL install"


def _guests(host: Host, pools: Mapping[str, PoolHolding]) -> dict[str, list[GuestHolding]]:
    guests: dict[str, list[GuestHolding]] = {}
    for pool in pools.values():
        below = f"{pool.guests_dataset}/"
        here: dict[str, GuestHolding] = {}
        for name, row in pool.rows.items():
            guest = name.removeprefix(below).partition("/")[0] if name.startswith(below) else ""
            if guest:
                here.setdefault(guest, GuestHolding(host, pool, guest)).rows[name] = row
        for name, holding in here.items():
            # Also one of 0.2.0 that is named like the datasets in which things are made and deleted.
            if f"{holding.dataset}/.config" in holding.rows:
                guests.setdefault(name, []).append(holding)
    return guests
