"""Making the datasets of chyves on a pool: built as `POOL/.chyves-new`, and there at once by one rename."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from chyves import __version__
from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import DATASET, INSTALLING, NULL_ISO, RESOURCES, Holdings
from chyves.pools.leftovers import settled
from chyves.properties import DATASET_VERSION
from chyves.section import write_text

PLAIN: dict[str, str] = {}
EVERYWHERE = {".config": PLAIN, "guests": PLAIN, "logs": {"compression": "on"}}
NULL_DATASET = f"{RESOURCES['iso']}/{NULL_ISO}"
ON_PRIMARY = {**dict.fromkeys(RESOURCES.values(), PLAIN), NULL_DATASET: PLAIN}
"""Datasets below a pool's own, and their ZFS properties."""


def install(host: Host, pool: str) -> None:
    """Make the datasets of chyves on a pool, all or none; the first pool that has them is the primary one.

    Raises ChyvesError where there is no such pool, or it cannot be written to, or has datasets of chyves.
    """
    with host.locks.hold("all"):
        altroot = _writable(host, pool)
        holdings = settled(host)
        _refuse_installed(host, pool, holdings)
        take_back(host, pool)
        away = [held.properties.dataset_promotion for held in holdings.offline.values()]
        plan = _Plan(pool, altroot, primary=not holdings.pools, promotion=max(away, default=-1) + 1)
        host.terminal.say(1, f"{pool}: making the datasets of chyves, as the {plan.role} pool")
        with Undo():
            _make(host, plan)
            host.events.note("pool_installed", pool=pool)
    if not host.dry:
        host.terminal.say(2, f"{pool}: has datasets of chyves now, at {plan.mountpoint}")


@dataclass(frozen=True)
class _Plan:
    """What is made on a pool; `altroot` is what ZFS puts before the mountpoints of this pool.

    `promotion` is more than any pool that is offline has, so that none comes back as the primary one.
    """

    pool: str
    altroot: Path
    primary: bool
    promotion: int

    @property
    def role(self) -> str:
        return "primary" if self.primary else "secondary"

    @property
    def new(self) -> str:
        return f"{self.pool}/{INSTALLING}"

    @property
    def final(self) -> str:
        return f"{self.pool}/{DATASET}"

    @property
    def mountpoint(self) -> str:
        return f"/{DATASET}/{self.pool}"

    @property
    def datasets(self) -> dict[str, dict[str, str]]:
        return EVERYWHERE | (ON_PRIMARY if self.primary else {})

    @property
    def files(self) -> dict[str, str]:
        """Files and what is in them.

        The global properties and the defaults are left to what the program has as theirs, so that a later version's
        better default arrives; 0.2.0 wrote all of them down here.
        """
        properties = {
            "creation": f"Created on {time.strftime('%Y%m%d-%H%M')} by chyves {__version__}",
            "dataset_version": DATASET_VERSION,
            "dataset_role": self.role,
        }
        if self.primary and self.promotion:
            properties["dataset_promotion"] = str(self.promotion)
        pool_file = {".config/pool.cfg": write_text(properties)}
        empty = (".config/global.cfg", "guests/.defaults", f"{NULL_DATASET}/{NULL_ISO}")
        return pool_file | (dict.fromkeys(empty, "") if self.primary else {})


def _writable(host: Host, pool: str) -> Path:
    """The pool's altroot; raises ChyvesError where there is no such pool, or nothing can be made on it."""
    pools = {row["name"]: row for row in host.zfs.pools()}
    if pool not in pools:
        have = ", ".join(sorted(pools)) or "none"
        raise ChyvesError(f"{pool}: there is no such pool (there are: {have}); choose one, or import it with zpool(8)")
    health = pools[pool]["health"]
    if health not in ("ONLINE", "DEGRADED"):
        raise ChyvesError(f"{pool}: the pool is {health}; mend it first, see: zpool status {pool}")
    if "on" in (_pool_property(host, pool, "readonly"), host.zfs.get(pool, "readonly")):
        raise ChyvesError(f"{pool}: is read-only; import it, or set it, with readonly=off")
    altroot = _pool_property(host, pool, "altroot")
    return Path(altroot) if altroot.startswith("/") else Path("/")


def _pool_property(host: Host, pool: str, name: str) -> str:
    return host.run.ask("zpool", "get", "-Hp", "-o", "value", name, pool).strip()


def _refuse_installed(host: Host, pool: str, holdings: Holdings) -> None:
    if pool in holdings.pools:
        held = holdings.pools[pool]
        if f"{held.dataset}/.config" in held.rows:
            role = held.properties.dataset_role
            raise ChyvesError(f"{pool}: has datasets of chyves already, as the {role} pool; see: chyves list pools")
        raise ChyvesError(f"{pool}: has a dataset {held.dataset}, which chyves did not make; give it another name")
    if pool in holdings.offline:
        raise ChyvesError(
            f"{pool}: has datasets of chyves that were put offline; bring them back with: chyves dataset {pool} online"
        )


def take_back(host: Host, pool: str) -> None:
    """Destroy what an installation that was cut off left; raises ChyvesError where something else is in it."""
    new = f"{pool}/{INSTALLING}"
    if not host.zfs.exists(new):
        return
    below = host.zfs.below(new)
    ours = {new, *(f"{new}/{name}" for name in EVERYWHERE | ON_PRIMARY)}
    strange = sorted(name for name in below if name.partition("@")[0] not in ours)
    if strange:
        raise ChyvesError(
            f"{new}: was left by a crash and holds {strange[0]}, which chyves did not make; move that away"
        )
    host.terminal.warn(f"{pool}: its datasets were not made to their end; they are taken back")
    host.zfs.destroy_all(new, below)


def _make(host: Host, plan: _Plan) -> None:
    place = plan.altroot / plan.mountpoint.lstrip("/")
    with Undo() as undo:
        _make_dataset(host, undo, plan.new, {"mountpoint": plan.mountpoint})
        for name, properties in plan.datasets.items():
            _make_dataset(host, undo, f"{plan.new}/{name}", properties)
        for name, text in plan.files.items():
            _write(host, undo, place / name, text)
        undo.do(
            lambda: host.zfs.rename(plan.new, plan.final),
            lambda: host.zfs.rename(plan.final, plan.new),
            f"rename {plan.final}",
        )


def _make_dataset(host: Host, undo: Undo, dataset: str, properties: dict[str, str]) -> None:
    # First, for zfs can fail when it has made a dataset.
    undo.do(lambda: None, lambda: host.zfs.destroy(dataset) if host.zfs.exists(dataset) else None, f"destroy {dataset}")
    undo.do(lambda: host.zfs.create(dataset, properties))


def _write(host: Host, undo: Undo, path: Path, text: str) -> None:
    undo.do(lambda: host.files.write(path, text), lambda: host.files.remove(path), f"remove {path}")
