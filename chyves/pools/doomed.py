"""Datasets that are to go with all below them: what ZFS would not let go of is told before anything has."""

from __future__ import annotations

from collections.abc import Mapping

from chyves.errors import ChyvesError
from chyves.host.machine import Host

COLUMNS = ("name", "userrefs", "clones")


def refuse_bound(host: Host, doomed: Mapping[str, str]) -> None:
    """Raise ChyvesError where one of these datasets cannot go; `doomed` has them by what users call them."""
    for sentence in bound(host, doomed).values():
        raise ChyvesError(sentence)


def bound(host: Host, doomed: Mapping[str, str]) -> dict[str, str]:
    """Why some of these datasets cannot go, by what users call them: one zfs process, however many there are.

    A snapshot is held, or something was cloned from it that stays when all of these go.
    """
    rows = host.zfs.list(*doomed.values(), properties=COLUMNS, types="snapshot", recursive=True) if doomed else []
    going = tuple(f"{dataset}/" for dataset in doomed.values())
    found: dict[str, str] = {}
    for row in rows:
        staying = [clone for clone in row["clones"].split(",") if clone not in ("", "-")]
        staying = [clone for clone in staying if not f"{clone}/".startswith(going)]
        if staying or row["userrefs"] not in ("0", "-"):
            called = _called(doomed, row["name"])
            found.setdefault(called, f"{called}: {_reason(row['name'], staying)}")
    return found


def _reason(snapshot: str, staying: list[str]) -> str:
    if not staying:
        return f"{snapshot} is held; see who does with: zfs holds {snapshot}"
    were = "were" if staying[1:] else "was"
    return f"{', '.join(staying)} {were} cloned from {snapshot}; promote or destroy that first"


def _called(doomed: Mapping[str, str], snapshot: str) -> str:
    head = f"{snapshot.partition('@')[0]}/"
    return next(name for name, dataset in doomed.items() if head.startswith(f"{dataset}/"))
