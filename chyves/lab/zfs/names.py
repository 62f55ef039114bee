"""What datasets, snapshots, bookmarks and pools may be called (namecheck rules of OpenZFS)."""

from __future__ import annotations

from collections.abc import Collection

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.: ")
_LONGEST = 255
_LONGEST_POOL = 237  # room for the hidden POOL/$ORIGIN@$ORIGIN
_DEEPEST = 50
_RESERVED_STARTS = ("mirror", "raidz", "draid", "spare")


def head(name: str) -> str:
    """The file system or volume that a snapshot's or bookmark's name begins with."""
    return name.replace("#", "@").split("@", 1)[0]


def tag(name: str) -> str:
    """The part of a snapshot's name behind `@`."""
    return name.partition("@")[2]


def parent(name: str) -> str | None:
    """The file system above; None for a pool."""
    above, slash, _ = name.rpartition("/")
    return above if slash else None


def pool(name: str) -> str:
    """The pool that a dataset is in."""
    return head(name).split("/", 1)[0]


def fault(name: str, kinds: Collection[str], changing: bool = False) -> str | None:
    """Why no dataset of these kinds can be called so, in the words of zfs(8); None when one can.

    `%` passes the check of names that are only looked up, and not of names that are made.
    """
    return _delimiter_fault(name, kinds) or (
        "invalid character % in name" if changing and "%" in name else _spelling_fault(name)
    )


def _delimiter_fault(name: str, kinds: Collection[str]) -> str | None:
    if "@" in name and "snapshot" not in kinds:
        return "snapshot delimiter '@' is not expected here"
    if "@" not in name and set(kinds) == {"snapshot"}:
        return "missing '@' delimiter in snapshot name"
    if "#" in name and "bookmark" not in kinds:
        return "bookmark delimiter '#' is not expected here"
    if "#" not in name and set(kinds) == {"bookmark"}:
        return "missing '#' delimiter in bookmark name"
    return None


def _spelling_fault(name: str) -> str | None:
    if len(name.encode()) > _LONGEST:
        return "name is too long"
    if name.startswith("/"):
        return "leading slash in name"
    if not name:
        return "empty component or misplaced '@' or '#' delimiter in name"
    return _components_fault(name)


def _components_fault(name: str) -> str | None:
    start, delimited = 0, False
    while True:
        end = next((at for at in range(start, len(name)) if name[at] in "/@#"), len(name))
        component, closer = name[start:end], name[end : end + 1]
        if not closer and end and name[end - 1] == "/":
            return "trailing slash in name"
        wrong = _component_fault(component, closer, delimited)
        if wrong or not closer:
            return wrong
        if closer == "/" and delimited:
            return "trailing slash in name"
        delimited = delimited or closer in "@#"
        start = end + 1


def _component_fault(component: str, closer: str, delimited: bool) -> str | None:
    for letter in component:
        if letter not in _LETTERS and letter != "%":
            return f"invalid character '{letter}' in name"
    if closer in ("", "/") and component in (".", ".."):
        return ("self reference, '.'" if component == "." else "parent reference, '..'") + " is found in name"
    if closer and closer in "@#" and delimited:
        return "multiple '@' and/or '#' delimiters in name"
    if not component:
        return "empty component or misplaced '@' or '#' delimiter in name"
    return None


def nested_too_deep(name: str) -> bool:
    """Whether a dataset would be more levels down than OpenZFS allows."""
    return head(name).count("/") >= _DEEPEST


def pool_fault(name: str, making: bool) -> str | None:
    """Why no pool can be called so; a pool that is made has more names to keep away from than one that is looked up."""
    if len(name.encode()) > _LONGEST_POOL:
        return "name is too long"
    for letter in name:
        if letter not in _LETTERS:
            return f"invalid character '{letter}' in pool name"
    if not (name[:1].isascii() and name[:1].isalpha()):
        return "name must begin with a letter"
    if name in ("mirror", "raidz", "draid") or (making and (name == "log" or name.startswith(_RESERVED_STARTS))):
        return "name is reserved"
    return None
