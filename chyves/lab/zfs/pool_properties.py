"""The table of pool properties, and what `zpool set` and `zpool create -o` accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from chyves.lab.zfs.refusals import Refused


class PoolProperty(NamedTuple):
    """One row; `kind` is `number` (aligned right), `string` or `index`, `words` what an index may be."""

    name: str
    column: str
    kind: str
    default: str = "-"
    words: tuple[str, ...] = ()
    readonly: bool = True
    creating: bool = False
    wide: int = 0


_SWITCH = ("on", "off")

# In the order of `zpool get all`.
TABLE = {
    row.name: row
    for row in (
        PoolProperty("name", "NAME", "string"),
        PoolProperty("size", "SIZE", "number"),
        PoolProperty("capacity", "CAP", "number"),
        PoolProperty("altroot", "ALTROOT", "string", creating=True),
        PoolProperty("health", "HEALTH", "number", "ONLINE", wide=8),
        PoolProperty("guid", "GUID", "number"),
        PoolProperty("version", "VERSION", "number"),
        PoolProperty("bootfs", "BOOTFS", "string", readonly=False),
        PoolProperty("delegation", "DELEGATION", "index", "on", _SWITCH, readonly=False),
        PoolProperty("autoreplace", "REPLACE", "index", "off", _SWITCH, readonly=False),
        PoolProperty("cachefile", "CACHEFILE", "string", readonly=False),
        PoolProperty("failmode", "FAILMODE", "index", "wait", ("wait", "continue", "panic"), readonly=False),
        PoolProperty("listsnapshots", "LISTSNAPS", "index", "off", _SWITCH, readonly=False),
        PoolProperty("autoexpand", "EXPAND", "index", "off", _SWITCH, readonly=False),
        PoolProperty("dedupratio", "DEDUP", "number", "1.00"),
        PoolProperty("free", "FREE", "number"),
        PoolProperty("allocated", "ALLOC", "number"),
        PoolProperty("readonly", "RDONLY", "index", "off", _SWITCH),
        PoolProperty("ashift", "ASHIFT", "number", "12", readonly=False),
        PoolProperty("comment", "COMMENT", "string", readonly=False),
        PoolProperty("expandsize", "EXPANDSZ", "number"),
        PoolProperty("freeing", "FREEING", "number", "0"),
        PoolProperty("fragmentation", "FRAG", "number", "0"),
        PoolProperty("leaked", "LEAKED", "number", "0"),
        PoolProperty("multihost", "MULTIHOST", "index", "off", _SWITCH, readonly=False),
        PoolProperty("checkpoint", "CKPOINT", "number"),
        PoolProperty("load_guid", "LOAD_GUID", "number"),
        PoolProperty("autotrim", "AUTOTRIM", "index", "off", _SWITCH, readonly=False),
        PoolProperty("compatibility", "COMPATIBILITY", "string", "off", readonly=False),
    )
}
_SHORT = {row.column.lower(): row for row in TABLE.values()} | {"listsnaps": TABLE["listsnapshots"]}


def look_up(word: str) -> PoolProperty | None:
    """The property of a name or of a column's heading."""
    return TABLE.get(word) or _SHORT.get(word)


def is_user(word: str) -> bool:
    """Whether a word names a user property or a feature of a pool."""
    return ":" in word or word.startswith(("feature@", "unsupported@"))


def checked(given: Mapping[str, str], action: str, creating: bool) -> dict[str, str]:
    """The values as they are kept; raises Refused, whose text begins with `action`."""
    kept: dict[str, str] = {}
    for name, value in given.items():
        if is_user(name):
            kept[name] = value
            continue
        row = look_up(name)
        if not row:
            raise Refused(f"{action}: property '{name}' is not a valid pool or vdev property")
        if row.readonly and not (creating and row.creating):
            raise Refused(f"{action}: '{name}' is readonly")
        if row.words and value not in row.words:
            raise Refused(f"{action}: '{row.name}' must be one of '{' | '.join(row.words)}'")
        if row.name == "ashift" and not (value.isdigit() and (value == "0" or 9 <= int(value) <= 16)):
            raise Refused(f"{action}: property 'ashift' number '{value}' is invalid, only values between 9 and 16 are")
        kept[row.name] = value
    return kept
