"""`zpool list` and `zpool get`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from chyves.lab.zfs import listing, pool_properties, pools, properties, sizes
from chyves.lab.zfs.options import Options, argument_missing
from chyves.lab.zfs.pool_properties import PoolProperty
from chyves.lab.zfs.refusals import BadUsage, Refused
from chyves.lab.zfs.space import Space
from chyves.lab.zfs.state import State

_COLUMNS = "name,size,allocated,free,checkpoint,expandsize,fragmentation,capacity,dedupratio,health,altroot"
_SIZES = ("size", "allocated", "free", "freeing", "leaked")
_PERCENTS = ("capacity", "fragmentation")
_FIELDS = ("name", "property", "value", "source")


class Pool:
    """The values of one pool's properties."""

    def __init__(self, state: State, name: str) -> None:
        self.name = name
        self._space = Space(state, name)
        row = state.db.execute("SELECT guid, altroot FROM pool WHERE name = ?", (name,)).fetchone()
        self._guid, self._altroot = int(row[0]), str(row[1])
        query = "SELECT name, value FROM pool_property WHERE pool = ?"
        self._set: dict[str, str] = dict(state.db.execute(query, (name,)))

    def raw(self, name: str) -> tuple[str, str]:
        """A property's value in digits and its source."""
        space = self._space
        if name == "name":
            return self.name, "-"
        if name == "altroot":
            return self._altroot, "local"
        if name in ("guid", "load_guid"):
            return str(self._guid if name == "guid" else self._guid ^ 0x5DEECE66D), "-"
        if name in ("size", "allocated", "free", "capacity"):
            taken = space.allocated if name != "size" else 0
            numbers = {"size": space.size, "allocated": taken, "free": space.size - taken}
            return str(numbers.get(name, taken * 100 // space.size)), "-"
        if name in self._set:
            return self._set[name], "local"
        if name.startswith("feature@"):
            return "enabled", "local"
        row = pool_properties.TABLE.get(name)
        return (row.default, "-" if row.readonly else "default") if row else ("-", "-")

    def shown(self, name: str, exact: bool) -> tuple[str, str]:
        """A property's value as a column shows it, and its source."""
        value, source = self.raw(name)
        if name == "dedupratio" and not exact:
            return f"{value}x", source
        if not exact and name in _SIZES:
            return sizes.show(int(value)), source
        if not exact and name in _PERCENTS:
            return f"{value}%", source
        return value, source


def _columns(text: str) -> list[PoolProperty | str]:
    columns: list[PoolProperty | str] = []
    for word in text.split(","):
        row = pool_properties.look_up(word)
        if not row and not pool_properties.is_user(word):
            raise BadUsage(f"bad property list: invalid property '{word}'")
        columns.append(row or word)
    return columns


def _named(state: State, operands: Sequence[str]) -> tuple[list[Pool], bool]:
    names = [row[0] for row in state.db.execute("SELECT name FROM pool WHERE NOT exported ORDER BY name")]
    failed = False
    for operand in operands:
        try:
            pools.require_pool(state, operand)
        except Refused as why:
            print(why, file=sys.stderr)
            failed = True
    return [Pool(state, name) for name in names if not operands or name in operands], failed


def list_(state: State, words: Sequence[str]) -> int:
    """zpool list."""
    json = properties.at_least(state.lab.release, "15.0")
    options = Options(words, "gHLo:pPT:v" + "j" * json, argument_missing, listing.JSON if json else None)
    columns = _columns(options.last("o") or _COLUMNS)
    found, failed = _named(state, options.operands)
    if "j" in options:
        from chyves.lab.zfs import json_form

        names = [one if isinstance(one, str) else one.name for one in columns]
        json_form.print_pools("zpool list", found, names, "p" in options, "J" in options)
    else:
        _print(found, columns, "p" in options, "H" in options)
    if not found and not options.operands and "H" not in options and "j" not in options:
        print("no pools available")
    return 1 if failed else 0


def _print(found: Sequence[Pool], columns: Sequence[PoolProperty | str], exact: bool, scripted: bool) -> None:
    names = [one if isinstance(one, str) else one.name for one in columns]
    rows = [[pool.shown(name, exact)[0] for name in names] for pool in found]
    if scripted:
        sys.stdout.write("".join("\t".join(row) + "\n" for row in rows))
        return
    if not rows:
        return
    heads = [one.upper() if isinstance(one, str) else one.column for one in columns]
    widths = [max(_least(one), *(len(row[at]) for row in rows)) for at, one in enumerate(columns)]
    right = [not isinstance(one, str) and one.kind == "number" for one in columns]
    sys.stdout.write("".join(listing.line(row, widths, right) + "\n" for row in [heads, *rows]))


def _least(column: PoolProperty | str) -> int:
    if isinstance(column, str):
        return len(column)
    number = 5 if column.kind == "number" else 0
    return max(len(column.column), number, column.wide, *map(len, column.words), 0)


def get(state: State, words: Sequence[str]) -> int:
    """zpool get."""
    json = properties.at_least(state.lab.release, "15.0")
    options = Options(words, "Hpo:" + "j" * json, argument_missing, listing.JSON if json else None)
    if not options.operands:
        raise BadUsage("missing property argument")
    text, *operands = options.operands
    fields = (options.last("o") or "all").split(",")
    fields = list(_FIELDS) if fields == ["all"] else fields
    for field in fields:
        if field not in _FIELDS:
            raise BadUsage(f"invalid column name '{field}'")
    asked = [one if isinstance(one, str) else one.name for one in ([] if text == "all" else _columns(text))]
    found, failed = _named(state, operands)
    names = asked or [name for name in pool_properties.TABLE if name != "name"]
    if "j" in options:
        from chyves.lab.zfs import json_form

        json_form.print_pools("zpool get", found, names, "p" in options, "J" in options)
        return 1 if failed else 0
    rows = [(pool.name, name, *pool.shown(name, "p" in options)) for pool in found for name in names]
    lines = [[dict(zip(_FIELDS, row, strict=True))[field] for field in fields] for row in rows]
    if "H" in options:
        sys.stdout.write("".join("\t".join(line) + "\n" for line in lines))
    elif lines:
        heads = [field.upper() for field in fields]
        widths = [max(len(line[at]) for line in [heads, *lines]) for at in range(len(fields))]
        left = [False] * len(fields)
        sys.stdout.write("".join(listing.line(line, widths, left) + "\n" for line in [heads, *lines]))
    return 1 if failed else 0
