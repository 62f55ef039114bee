"""`zpool status`: the lab's pools are always well."""

from __future__ import annotations

from collections.abc import Sequence

from chyves.lab.zfs import properties
from chyves.lab.zfs.options import Options
from chyves.lab.zfs.pools import is_group, require_pool
from chyves.lab.zfs.state import State


def status(state: State, words: Sequence[str]) -> int:
    """zpool status."""
    json = properties.at_least(state.lab.release, "15.0")
    options = Options(words, "c:DegiLpPstT:vx" + "j" * json, long={"json": "j", "json-int": "J"} if json else None)
    names = [row[0] for row in state.db.execute("SELECT name FROM pool WHERE NOT exported ORDER BY name")]
    for operand in options.operands:
        require_pool(state, operand)
    names = [name for name in names if not options.operands or name in options.operands]
    if "j" in options:
        _print_json(state, names, "J" in options)
        return 0
    if "x" in options and names:
        print("all pools are healthy" if not options.operands else f"pool '{names[0]}' is healthy")
        return 0
    print("\n".join(_told(state, name) for name in names) if names else "no pools available")
    return 0


def _print_json(state: State, names: Sequence[str], whole: bool) -> None:
    from chyves.lab.zfs import json_form
    from chyves.lab.zfs.pool_listing import Pool

    layouts = {name: [device for device in _devices(state, name) if not is_group(device)] for name in names}
    json_form.print_status([Pool(state, name) for name in names], layouts, whole)


def _devices(state: State, name: str) -> list[str]:
    devices: str = state.db.execute("SELECT devices FROM pool WHERE name = ?", (name,)).fetchone()[0]
    return devices.split("\n")


def _told(state: State, name: str) -> str:
    rows, indent, groups = [(name, 0)], 2, 0
    for device in _devices(state, name):
        if is_group(device):
            rows.append((f"{device}-{groups}", 2))
            groups, indent = groups + 1, 4
        else:
            rows.append((device.removeprefix("/dev/"), indent))
    wide = max(len(word) + depth for word, depth in rows)
    lines = [f"\t{'NAME':<{wide}}  STATE     READ WRITE CKSUM"]
    lines += [f"\t{' ' * depth + word:<{wide}}  ONLINE       0     0     0" for word, depth in rows]
    config = "\n".join(lines)
    return f"  pool: {name}\n state: ONLINE\nconfig:\n\n{config}\n\nerrors: No known data errors"
