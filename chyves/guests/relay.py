"""A console's relay, handed from a guest's supervisor to what it is while bhyve runs (chyves.guests.watch)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from chyves.host.log import Log
from chyves.host.recorder import Recorder
from chyves.host.rotation import RotatedFile

Logs = Iterable[tuple[Path, str]]
"""Directories of logs, and what a line in each begins with."""


def words(ends: tuple[int, int], file: RotatedFile, logs: Logs) -> list[str]:
    """What `resumed` needs to go on, as words `name=value`."""
    told = json.dumps([[str(directory), head] for directory, head in logs])
    return [
        f"console={ends[0]},{ends[1]}",
        f"file={file.path}",
        f"size={file.size}",
        f"old={file.old}",
        f"logs={told}",
    ]


def resumed(given: Mapping[str, str]) -> Recorder:
    """The relay that another has left, on the same ends and into the same file."""
    log, logs = Log(), json.loads(given["logs"])

    def tell(text: str) -> None:
        for directory, head in logs:
            log.write(Path(directory), 1, f"{head}console_log: {text}")

    guest, _, user = given["console"].partition(",")
    file = RotatedFile(Path(given["file"]), int(given["size"]), int(given["old"]), tell)
    return Recorder(int(guest), int(user), file, tell)
