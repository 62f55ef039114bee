"""Datasets that change places with what they were cloned from: all of a guest's, or none.

Before the first of several is promoted, what each hung on is written to a file in the primary pool, which is removed
after the last. Whoever finds that file with the lock `all` in hands takes back what was done: zfs-promote(8) of the
other side undoes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.host.undo import Undo
from chyves.pools.holdings import Holdings

NOTE = "promoting.json"


def succeed(holdings: Holdings, guest: str, origins: Mapping[str, str]) -> None:
    """Promote a guest's datasets; `origins` has the snapshot that each hangs on. Raises ChyvesError, with none done."""
    host = holdings.host
    several = len(origins) > 1 and not host.dry
    with Undo() as undo:
        if several:
            text = json.dumps({"guest": guest, "origins": dict(origins)})
            undo.do(lambda: host.files.write(note(holdings), text), lambda: host.files.remove(note(holdings)))
        for dataset, origin in origins.items():
            parent = origin.partition("@")[0]
            undo.do(lambda: None, partial(_take_back, holdings, dataset, parent), f"promote {parent} again")
            undo.do(partial(host.zfs.promote, dataset))
        if several:
            undo.do(lambda: host.files.remove(note(holdings)))


def _take_back(holdings: Holdings, dataset: str, parent: str) -> None:
    """Promote the former parent, where it hangs on the dataset now."""
    zfs = holdings.host.zfs
    if zfs.get(parent, "origin").startswith(f"{dataset}@"):
        zfs.promote(parent)


def restore(holdings: Holdings) -> str | None:
    """Take back what did not come to its end; the guest whose datasets those are, None where there is nothing."""
    host, place = holdings.host, note(holdings)
    if not place.exists():
        return None
    try:
        found = json.loads(host.files.read(place))
        guest, origins = str(found["guest"]), {str(key): str(value) for key, value in found["origins"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChyvesError(f"{place}: cannot be understood ({error}); look at it, and remove it") from None
    for dataset, origin in reversed(origins.items()):
        _take_back(holdings, dataset, origin.partition("@")[0])
    host.files.remove(place)
    return guest


def note(holdings: Holdings) -> Path:
    """The file that is there while a promotion is not at its end."""
    return holdings.primary.mountpoint / ".config" / NOTE
