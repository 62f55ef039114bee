"""What kind of refusal a message of zfs(8) or zpool(8) is: texts differ between releases of OpenZFS, kinds do not."""

from __future__ import annotations

import re

# A pattern of the message, and its kind; the first that matches counts. Each is printed by a release that is compared.
_KINDS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"snapshot delimiter '@' is not expected|missing '@' delimiter|bookmark delimiter '#' is not", "wrong type"),
        (r"invalid character .* in (pool )?name|(leading|trailing) slash in name|name is too long", "bad name"),
        (r"empty component|multiple '@'|(self|parent) reference|name must begin with a letter", "bad name"),
        (r"name is reserved|nesting depth exceeded|invalid name", "bad name"),
        (r"invalid numeric suffix|bad numeric value|numeric value is too large", "bad number"),
        (r"more recent snapshots or bookmarks exist", "more recent snapshots"),
        (r"clones of previous snapshots exist|has dependent clones", "has clones"),
        (r"has children$", "has children"),
        (r"it's being held|dataset is busy|pool or dataset is busy|unmount failed|pool is busy", "busy"),
        (r"out of space|size is greater than available space|no space", "no space"),
        (r"dataset already exists|bookmark exists|destination already exists", "exists"),
        (r"tag already exists", "tag exists"),
        (r"no such tag", "no such tag"),
        (r"incomplete stream|invalid backup stream", "broken stream"),
        (r"cannot receive: invalid property", "invalid property"),
        (r"is not earlier than it$", "not earlier"),
        (r"parent is not a filesystem", "parent is no file system"),
        (r"parent does not exist", "no parent"),
        (r"no such pool", "no such pool"),
        (r"dataset does not exist|could not find any snapshots", "does not exist"),
    )
)
_LISTED = re.compile(r"use '-[rR]' to (destroy|force deletion of) the following")
_HINTS = re.compile(
    r"^$|^use '|^ *zfs send -t|^A resuming stream|^Partially received|^must |^no snapshots were created$"
    r"|^To reduce wasted space|^WARNING|^non-deduplicated"
)
_NAMED = re.compile(r"'[^']*'")


def kinds(status: int, err: str, prefix: str) -> list[str]:
    """The kinds of what is said on standard error, and the names that it lists; of a usage its first line alone."""
    lines = err.replace(prefix, "").splitlines()
    if status == 2:
        lines = lines[:1]
    found: set[str] = set()
    listing = False
    for line in lines:
        if listing and " " not in line:
            found.add(f"names {line}")
            continue
        listing = bool(_LISTED.search(line))
        if not _HINTS.search(line):
            found.add(_kind(line))
    return sorted(found)


def _kind(line: str) -> str:
    for pattern, kind in _KINDS:
        if pattern.search(line):
            return kind
    return "? " + _NAMED.sub("'X'", line)
