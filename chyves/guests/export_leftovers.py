"""What a crash left of an export: a half-written file, wherever it is, and the snapshot of the guest.

While a guest is exported there is a dataset below `guests/.new` that says into which file, so that whoever finds it
takes away what was written beside that.
"""

from __future__ import annotations

import os
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.host.machine import Host

EXPORTED = ":exported"
"""What the name of that dataset ends in."""

EXPORTING = "chyves:exporting"
"""Its property that names the file; there is none where the stream goes to standard output."""


def mark(path: Path | None) -> dict[str, str]:
    """The ZFS property that says into which file a guest goes."""
    return {EXPORTING: str(path)} if path is not None else {}


def outcome(host: Host, dataset: str, taken_back: str) -> str:
    """What becomes of an export that was killed: at its last step the file had its name already."""
    return "finished" if (path := _path(host, dataset)) is not None and os.path.lexists(path) else taken_back


def take_back(host: Host, dataset: str) -> None:
    """Remove what is half written, where the dataset is that of an export; raises ChyvesError."""
    path = _path(host, dataset)
    if path is None:
        return
    try:
        host.files.remove_unfinished(path)
    except OSError as error:
        raise ChyvesError(f"{path.parent}: cannot be read: {error.strerror}; see to that and try again") from None


def _path(host: Host, dataset: str) -> Path | None:
    told = host.zfs.get(dataset, EXPORTING) if dataset.endswith(EXPORTED) else "-"
    return Path(told) if told.startswith("/") else None
