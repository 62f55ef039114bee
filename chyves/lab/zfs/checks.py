"""Whether `property=value` may be set: the checks of libzfs, in its order and its words."""

from __future__ import annotations

from collections.abc import Mapping

from chyves.lab.zfs import properties, sizes
from chyves.lab.zfs.properties import INDEX, NUMBER, Property
from chyves.lab.zfs.refusals import Refused

_LONGEST_NAME = 255
_LONGEST_VALUE = 8191
_COMPONENT = 255
_LETTER = {"filesystem": "f", "volume": "v", "snapshot": "s", "bookmark": "b"}
AUTO = "auto"
NO_LIMIT = "none"


def biggest_block(release: str) -> int:
    """The biggest block of file systems and volumes: 1M by default to OpenZFS 2.1, 16M since 2.2."""
    return 16 << 20 if properties.at_least(release, "14.0") else 1 << 20


def fits(row: Property, kind: str) -> bool:
    """Whether a property is for datasets of a kind."""
    return _LETTER[kind] in row.kinds


def checked(release: str, kind: str, given: Mapping[str, str], action: str, creating: bool) -> dict[str, str]:
    """The values as they are kept: numbers in digits, `0` for no quota, words without their synonyms.

    `action` begins every refusal (`cannot create 'x'`). Raises Refused.
    """
    kept: dict[str, str] = {}
    for name, value in given.items():
        try:
            if properties.is_user(name):
                kept[name] = _user(name, value)
                continue
            row = _settable(release, kind, name, creating)
            kept[row.name] = _value(release, kind, row, value)
        except Refused as why:
            raise Refused(f"{action}: {why}") from None
    return kept


def _user(name: str, value: str) -> str:
    if len(name.encode()) > _LONGEST_NAME:
        raise Refused(f"property name '{name}' is too long")
    if len(value.encode(errors="surrogateescape")) > _LONGEST_VALUE:
        raise Refused("property value too long")
    if any("\udc80" <= character <= "\udcff" for character in value):
        raise Refused(f"bytes that are no UTF-8 are not kept by the lab: '{name}'")
    return value


def _settable(release: str, kind: str, name: str, creating: bool) -> Property:
    if kind == "snapshot":
        raise Refused("this property can not be modified for snapshots")
    if properties.is_counted(name):
        raise Refused(f"'{name}' is readonly" if "quota" not in name else f"'{name}' is not kept by the lab")
    row = properties.look_up(release, name)
    if not row:
        raise Refused(f"invalid property '{name}'")
    if not fits(row, kind):
        raise Refused(f"'{name}' does not apply to datasets of this type")
    once = row.setting in (properties.ONCE, properties.ONCE_DEFAULT)
    if row.readonly and not (creating and once):
        raise Refused(f"'{name}' is readonly")
    return row


def _value(release: str, kind: str, row: Property, value: str) -> str:
    if row.type == INDEX:
        if value not in row.choices and value not in properties.synonyms(row.name):
            raise Refused(f"'{row.name}' must be one of '{row.values}'")
        if row.name in ("encryption", "keyformat") and value != row.default:
            raise Refused(f"the lab's zfs encrypts nothing; leave '{row.name}' at '{row.default}'")
        return properties.canonical(row.name, value)
    if row.type == NUMBER:
        return _number(release, kind, row, value)
    if row.name == "mountpoint" and value not in ("none", "legacy"):
        _mountpoint(value)
    return value


def _number(release: str, kind: str, row: Property, value: str) -> str:
    if value == AUTO:
        if row.name != "refreservation":
            raise Refused(f"'auto' is invalid value for '{row.name}'")
        if kind != "volume":
            raise Refused(f"'{row.name}=auto' only allowed on volumes")
        return AUTO
    if value == NO_LIMIT and row.name.endswith("_limit"):
        return NO_LIMIT
    number = 0 if value == NO_LIMIT else sizes.parse(value)
    if number == 0 and value != NO_LIMIT and row.name in ("quota", "refquota"):
        raise Refused("use 'none' to disable quota/refquota")
    if row.name in ("volblocksize", "recordsize"):
        biggest = biggest_block(release)
        if number < 512 or number > biggest or not sizes.power_of_two(number):
            raise Refused(f"'{row.name}' must be power of 2 from 512B to {sizes.show(biggest, 'B')}")
    return str(number)


def _mountpoint(value: str) -> None:
    if not value.startswith("/"):
        raise Refused("'mountpoint' must be an absolute path, 'none', or 'legacy'")
    if any(len(part.encode()) > _COMPONENT for part in value.split("/")):
        raise Refused("component of 'mountpoint' is too long")
