"""The output of `-j`, which OpenZFS has since 2.3 (FreeBSD 15.0)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chyves.lab.zfs import datasets, listing, names
from chyves.lab.zfs.datasets import Dataset
from chyves.lab.zfs.state import State
from chyves.lab.zfs.values import Values

if TYPE_CHECKING:
    from chyves.lab.zfs.getting import Row
    from chyves.lab.zfs.pool_listing import Pool


def _print(command: str, **content: Any) -> None:
    print(json.dumps({"output_version": {"command": command, "vers_major": 0, "vers_minor": 1}, **content}))


def _source(source: str) -> dict[str, str]:
    kind, _, owner = source.partition(" from ")
    return {"type": "NONE" if kind == "-" else kind.upper(), "data": owner or "-"}


def _number(value: str, as_numbers: bool) -> str | int:
    return int(value) if as_numbers and value.isascii() and value.isdigit() else value


def _property(value: str, source: str, as_numbers: bool) -> dict[str, Any]:
    return {"value": _number(value, as_numbers), "source": _source(source)}


def _dataset(one: Dataset, properties: dict[str, Any], as_numbers: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.name, "type": one.kind.upper(), "pool": names.pool(one.name)}
    told["createtxg"] = _number(str(one.txg), as_numbers)
    if one.kind == datasets.SNAPSHOT:
        told["dataset"], _, told["snapshot_name"] = one.name.partition("@")
    return told | {"properties": properties}


def print_list(
    state: State, found: Sequence[Dataset], columns: Sequence[listing.Column], worth: Values, exact: bool, whole: bool
) -> None:
    """The JSON of `zfs list`; `whole` has numbers as numbers."""
    told = {}
    for one in found:
        cells = {}
        for column in columns:
            name = column if isinstance(column, str) else column.name
            if name == "name":
                continue
            source = worth.user(one, column)[1] if isinstance(column, str) else worth.raw(one, column)[1]
            cells[name] = _property(listing.cell(one, column, worth, exact or whole), source, whole)
        told[one.name] = _dataset(one, cells, whole)
    _print("zfs list", datasets=told)


def print_get(state: State, rows: Mapping[Dataset, Sequence[Row]], whole: bool) -> None:
    """The JSON of `zfs get`."""
    told = {
        one.name: _dataset(one, {row.property: _property(row.value, row.source, whole) for row in lines}, whole)
        for one, lines in rows.items()
    }
    _print("zfs get", datasets=told)


def print_mounts(mounted: Sequence[tuple[str, str]]) -> None:
    """The JSON of `zfs mount`."""
    _print("zfs mount", datasets={name: {"filesystem": name, "mountpoint": place} for name, place in mounted})


def print_version(command: str, userland: str, kernel: str) -> None:
    """The JSON of `zfs version` and `zpool version`."""
    _print(command, zfs_version={"userland": userland, "kernel": kernel})


def _pool(pool: Pool, whole: bool) -> dict[str, Any]:
    guid = _number(pool.raw("guid")[0], whole)
    numbers = {
        key: _number(value, whole) for key, value in (("txg", "4"), ("spa_version", "5000"), ("zpl_version", "5"))
    }
    return {"name": pool.name, "type": "POOL", "state": "ONLINE", "pool_guid": guid, **numbers}


def print_status(found: Sequence[Pool], layouts: Mapping[str, Sequence[str]], whole: bool) -> None:
    """The JSON of `zpool status`: the devices of each pool, without their grouping."""
    healthy = {"state": "ONLINE", "read_errors": "0", "write_errors": "0", "checksum_errors": "0"}
    told = {}
    for pool in found:
        leaves = {one: {"name": one, "vdev_type": "disk", "class": "normal", **healthy} for one in layouts[pool.name]}
        root = {"name": pool.name, "vdev_type": "root", "class": "normal", **healthy, "vdevs": leaves}
        told[pool.name] = _pool(pool, whole) | {"error_count": _number("0", whole), "vdevs": {pool.name: root}}
    _print("zpool status", pools=told)


def print_pools(command: str, found: Sequence[Pool], wanted: Sequence[str], exact: bool, whole: bool) -> None:
    """The JSON of `zpool list` and `zpool get`."""
    told = {}
    for pool in found:
        cells = {
            name: _property(*pool.shown(name, exact or whole), as_numbers=whole) for name in wanted if name != "name"
        }
        told[pool.name] = _pool(pool, whole) | {"properties": cells}
    _print(command, pools=told)
