"""Datasets that are to go with all below them: what ZFS would not let go of is told before anything has."""

from __future__ import annotations

from collections.abc import Mapping

from chyves.errors import ChyvesError
from chyves.host.machine import Host

COLUMNS = ("name", "userrefs", "clones")


def refuse_bound(host: Host, doomed: Mapping[str, str]) -> None:
    """Refuse where a snapshot is held, or something was cloned from it that stays; raises ChyvesError.

    `doomed` are datasets by what users call them. One zfs process, however many there are.
    """
    rows = host.zfs.list(*doomed.values(), properties=COLUMNS, types="snapshot", recursive=True) if doomed else []
    going = tuple(f"{dataset}/" for dataset in doomed.values())
    for row in rows:
        snapshot = row["name"]
        staying = [clone for clone in row["clones"].split(",") if clone not in ("", "-")]
        staying = [clone for clone in staying if not f"{clone}/".startswith(going)]
        if staying:
            were = "were" if staying[1:] else "was"
            what = f"{', '.join(staying)} {were} cloned from {snapshot}"
            raise ChyvesError(f"{_called(doomed, snapshot)}: {what}; promote or destroy that first")
        if row["userrefs"] not in ("0", "-"):
            raise ChyvesError(
                f"{_called(doomed, snapshot)}: {snapshot} is held; see who does with: zfs holds {snapshot}"
            )


def _called(doomed: Mapping[str, str], snapshot: str) -> str:
    head = f"{snapshot.partition('@')[0]}/"
    return next(name for name, dataset in doomed.items() if head.startswith(f"{dataset}/"))
