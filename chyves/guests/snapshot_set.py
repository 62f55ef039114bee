"""Snapshots of several guests of which all are taken, or none, also where that takes more than one zfs(8).

What is taken at one moment, as guests of one pool are, ZFS takes whole. Before the first of several moments all of the
snapshots are written to a file in the primary pool, which is removed after the last. Whoever finds that file with the
lock `all` in hands destroys those that were taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import Holdings

NOTE = "snapshots.json"


def take(holdings: Holdings, moments: Sequence[Sequence[str]], approve: Callable[[], object]) -> None:
    """Take snapshots (`DATASET@NAME`), each with those of all datasets below, some at each of the moments.

    Raises ChyvesError, also where `approve` does at the end, and then there is none of them.
    """
    host = holdings.host
    several = len(moments) > 1 and not host.dry
    with Undo() as undo:
        if several:
            text = json.dumps({"snapshots": [name for names in moments for name in names]})
            back = "remove what is noted of them, which the next command tries again"
            undo.do(lambda: _write(holdings, text), lambda: restore(holdings), back)
        for names in moments:
            undo.do(partial(host.zfs.snapshot, *names), partial(_destroy, host, names), f"destroy {', '.join(names)}")
        undo.do(approve)
        if several:
            undo.do(lambda: host.files.remove(note(holdings)))


def _write(holdings: Holdings, text: str) -> None:
    """Write the note, but not over that of another set, whose snapshots would never be destroyed then."""
    if note(holdings).exists():
        raise ChyvesError(f"{note(holdings)}: has snapshots that cannot be destroyed yet; see why, and try again")
    holdings.host.files.write(note(holdings), text)


def _destroy(host: Host, names: Sequence[str]) -> None:
    for name in names:
        dataset, mark, snapshot = name.partition("@")
        host.zfs.destroy_snapshots(dataset, [mark + snapshot])


def restore(holdings: Holdings) -> list[str]:
    """Destroy what was taken of a set that did not come to its end; the names of all of it, none where there is none.

    Raises ChyvesError, and then it is tried again the next time.
    """
    host, place = holdings.host, note(holdings)
    if not place.exists():
        return []
    try:
        names = [str(name) for name in json.loads(host.files.read(place))["snapshots"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ChyvesError(f"{place}: cannot be understood ({error}); look at it, and remove it") from None
    _destroy(host, [name for name in names if host.zfs.exists(name)])
    host.files.remove(place)
    return names


def note(holdings: Holdings) -> Path:
    """The file that is there while not all of a set is taken."""
    return holdings.primary.mountpoint / ".config" / NOTE
