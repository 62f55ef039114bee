"""`zfs receive`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from chyves.lab.zfs import datasets, mounting, names, properties, replication, resuming
from chyves.lab.zfs.datasets import FILESYSTEM, HEADS
from chyves.lab.zfs.options import Options, argument_missing
from chyves.lab.zfs.reception import Reception, Wish
from chyves.lab.zfs.refusals import BadUsage, Refused
from chyves.lab.zfs.state import State
from chyves.lab.zfs.stream import Cut, Reader, Told


def receive(state: State, words: Sequence[str]) -> int:
    """zfs receive."""
    options = Options(words, "o:x:dehMnuvFsAc", argument_missing)
    if "d" in options and "e" in options:
        raise BadUsage("invalid option combination: -d and -e are mutually exclusive")
    given = _properties(options)
    if len(options.operands) != 1:
        raise BadUsage("too many arguments" if options.operands else "missing snapshot argument")
    if "A" in options:
        if any(letter in options for letter in "densu"):
            raise BadUsage("invalid option")
        return _abort(state, options.operands[0])
    if "c" in options:
        raise Refused("cannot receive: the lab's zfs has no damaged snapshots to heal")
    if os.isatty(0):
        raise Refused("Error: Backup stream can not be read from a terminal.\nYou must redirect standard input.")
    return _receive(state, Wish(options, options.operands[0], given, frozenset(_excluded(options))))


def _properties(options: Options) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in options.values("o"):
        name, equals, value = word.partition("=")
        if not equals:
            print("missing '=' for property=value argument", file=sys.stderr)
            raise BadUsage("")
        if name in found:
            print(f"property '{name}' specified multiple times", file=sys.stderr)
            raise BadUsage("")
        found[name] = value
    return found


def _excluded(options: Options) -> list[str]:
    for word in options.values("x"):
        if "=" in word:
            print("invalid property: '=' is not allowed in a property's name", file=sys.stderr)
            raise BadUsage("")
    return options.values("x")


def _abort(state: State, name: str) -> int:
    """-A: throw away what was received of a stream that was cut off."""
    with state.changing():
        found = datasets.find(state, name)
        if not found or found.kind not in HEADS:
            raise BadUsage(f"cannot open '{name}': dataset does not exist")
        if resuming.partial(state, found.id) is None:
            raise Refused(f"'{name}' does not have any resumable receive state to abort")
        state.then("remove", state.partial(found.id))
        if resuming.is_made(state, found.id):
            state.then("remove", state.stored(found.id))
            datasets.drop(state, found)
        state.db.execute("DELETE FROM partial WHERE dataset = ?", (found.id,))
    return 0


def _receive(state: State, wish: Wish) -> int:
    _check_properties(state, wish)
    if wish.prefix and not datasets.find(state, wish.target):
        raise Refused(f"cannot receive: specified fs ({wish.target}) does not exist")
    if wish.origin and not datasets.find(state, wish.origin):
        raise Refused(f"cannot receive: specified origin fs ({wish.origin}) does not exist")
    reader = Reader(sys.stdin.buffer)
    begin = reader.begin()
    if begin is None:
        return 0
    if begin.get("package"):
        tops = _receive_package(state, reader, begin, wish)
    else:
        sent = names.head(begin["name"])
        tops = [Reception(state, reader, begin, wish, None, sent).receive()]
    return 0 if wish.dry or wish.unmounted or _mount(state, [one for one in tops if one]) else 1


def _check_properties(state: State, wish: Wish) -> None:
    for name in (*wish.properties, *wish.excluded):
        row = properties.look_up(state.lab.release, name)
        known = row is not None or properties.is_user(name)
        fixed = row is not None and (row.readonly or row.name in ("version", "volsize"))
        if not known or (fixed and name != "origin"):
            raise Refused(f"cannot receive: invalid property '{name}'")


def _receive_package(state: State, reader: Reader, package: Told, wish: Wish) -> list[str | None]:
    try:
        for _ in reader.records():
            pass
    except Cut:
        raise Refused("cannot receive: failed to read from stream") from None
    if package["recursive"] and "@" in wish.target:
        raise Refused("cannot receive: cannot specify snapshot name for multi-snapshot stream")
    sent = names.head(package["name"])
    incremental = package["recursive"] and package["first"] is not None and not wish.dry
    top = wish.destination(sent, package["name"])
    if incremental:
        replication.adapt(state, package, names.head(top), wish.force)
    tops: list[str | None] = []
    begin = reader.begin()
    while begin is not None:
        tops.append(Reception(state, reader, begin, wish, package, sent).receive())
        begin = reader.begin()
    if incremental:
        replication.adapt(state, package, names.head(top), wish.force)
    return tops


def _mount(state: State, received: Sequence[str]) -> bool:
    """Mount what was received, and what is below the first of it, where that is new or came in a package."""
    if not received:
        return True
    with state.changing():
        top = datasets.find(state, received[0])
        if not top or top.kind != FILESYSTEM:
            return True
        below = [one for one in datasets.heads_below(state, top.name) if one.kind == FILESYSTEM]
        whole = [one for one in (top, *below) if resuming.partial(state, one.id) is None]
        return mounting.mount_automatic(state, whole)
