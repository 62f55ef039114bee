"""Where the disks of a foreign guest lie: volumes, and image files on file systems, all of one pool of chyves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chyves.adopt.foreign import Foreign, ForeignDisk
from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings, PoolHolding, Rows

VOLUME = "/dev/zvol/"


@dataclass
class Lying:
    """The datasets that hold a foreign guest's disks; `files` are its images by the file system that each is on.

    `volumes` are in the order of the disks; an image's place is told from where its file system is mounted.
    """

    pool: PoolHolding
    volumes: list[tuple[str, ForeignDisk]] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)

    @property
    def datasets(self) -> list[str]:
        """All of them, each once."""
        return [*(dataset for dataset, _ in self.volumes), *self.files]


def rows(host: Host) -> Rows:
    """All datasets of the host, asked once for all guests."""
    columns = ("name", "type", "mountpoint", "mounted", "origin")
    return {row["name"]: row for row in host.zfs.list(properties=columns)}


def find(holdings: Holdings, guest: Foreign, datasets: Rows) -> Lying:
    """Where its disks lie; raises ChyvesError for what cannot be cloned or renamed in."""
    if not guest.disks:
        raise ChyvesError(f"{guest.name}: has no disk that chyves could take over; make one anew: chyves help create")
    found: list[tuple[str, str, ForeignDisk]] = []
    for disk in guest.disks:
        # A link leads to the disk, as CBSD has it: to a volume, or to a file elsewhere.
        path = str(holdings.host.path(disk.path)) if disk.path.startswith(VOLUME) else os.path.realpath(disk.path)
        found.append((*_place(holdings.host, guest, disk, path, datasets), disk))
    pools = {dataset.partition("/")[0] for dataset, _, _ in found}
    if len(pools) > 1:
        raise ChyvesError(f"{guest.name}: its disks are on the pools {' and '.join(sorted(pools))}; bring them to one")
    lying = Lying(holdings.pool(pools.pop()))
    for dataset, below, disk in found:
        if below:
            lying.files.setdefault(dataset, []).append(below)
        else:
            lying.volumes.append((dataset, disk))
    return lying


def _place(host: Host, guest: Foreign, disk: ForeignDisk, path: str, datasets: Rows) -> tuple[str, str]:
    """The dataset of a disk, and for an image its path below the dataset's mountpoint."""
    volumes = str(host.path(VOLUME))
    if path.startswith(f"{volumes}/"):
        dataset = path.removeprefix(f"{volumes}/")
        if datasets.get(dataset, {}).get("type") != "volume":
            raise ChyvesError(f"{guest.name}: {dataset} is no volume here; see: zfs list -t volume")
        return dataset, ""
    if set("*?[]\\") & set(path):
        raise ChyvesError(
            f"{guest.name}: {disk.path!a} has a character in it that find(1) takes for another; rename it"
        )
    if disk.path.startswith("/dev/") and not os.path.isfile(path):
        raise ChyvesError(
            f"{guest.name}: {disk.path} is a device, and chyves has volumes and image files alone; copy it to a "
            "volume, and name that in its configuration"
        )
    if not os.path.isfile(path):
        raise ChyvesError(f"{guest.name}: {disk.path} is no file; see what its configuration names")
    mounts = {row["mountpoint"]: name for name, row in datasets.items() if row.get("mounted") == "yes"}
    place = os.path.dirname(path)
    while place not in mounts and place != "/":
        place = os.path.dirname(place)
    if place not in mounts or os.stat(place).st_dev != os.stat(path).st_dev:
        raise ChyvesError(
            f"{guest.name}: {disk.path} is on no ZFS file system, so that it cannot be cloned; "
            f"copy it to one, and name it there in its configuration"
        )
    return mounts[place], os.path.relpath(path, place)


def refuse_shared(found: Mapping[str, Lying], names: Sequence[str], moving: bool) -> None:
    """Refuse a volume that two guests name where it is to be renamed; raises ChyvesError."""
    owners: dict[str, str] = {}
    for name in names:
        for dataset, _ in found[name].volumes if moving else ():
            if dataset in owners:
                raise ChyvesError(f"{name}: {dataset} is a disk of {owners[dataset]} too; take it from one of them")
            owners[dataset] = name
