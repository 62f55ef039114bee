"""What is sent, piece by piece: where its content is, how big it will be, and how far it has come."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from chyves.lab.zfs import busy, datasets, difference, sizes
from chyves.lab.zfs.datasets import BOOKMARK, FILESYSTEM, SNAPSHOT, Dataset
from chyves.lab.zfs.difference import Position
from chyves.lab.zfs.options import Options
from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.state import State
from chyves.lab.zfs.stream import Told, Writer

_OVERHEAD = 624  # OpenZFS's records of begin and end
_WHOLE = "--head--"


class Part(NamedTuple):
    """One stream: a snapshot (or what is not mounted), whole or since a base; `clone` makes a new dataset of that.

    `hint` is the short name of the base, as a package shows it.
    """

    target: Dataset
    base: Dataset | None
    clone: bool
    hint: str | None


def name(part: Part) -> str:
    """What the snapshot is called that a stream makes."""
    return part.target.name if part.target.kind == SNAPSHOT else f"{part.target.name}@{_WHOLE}"


def begin(part: Part, start: Position | None) -> Told:
    """What the stream says of itself."""
    target = part.target
    return {
        "name": name(part),
        "guid": target.guid,
        "from": part.base.guid if part.base else 0,
        "clone": part.clone,
        "kind": target.head,
        "volsize": target.volsize,
        "volblocksize": target.volblocksize,
        "creation": target.creation,
        "resuming": start is not None,
        # A bookmark has no content to compare with: all is sent.
        "whole": part.base is None or part.base.kind == BOOKMARK,
    }


def contents(state: State, part: Part) -> tuple[str, str | None]:
    """Where the content is that is sent, and that which it is compared with."""
    base = part.base if part.base and part.base.kind != BOOKMARK else None
    return datasets.data(state, part.target), datasets.data(state, base) if base else None


def refuse_in_use(state: State, target: Dataset, problem: str) -> None:
    """Raise Refused for a file system that is mounted, or a volume that somebody has open: they change."""
    used = bool(target.place) if target.kind == FILESYSTEM else busy.in_use([datasets.data(state, target)], ())
    if used:
        raise Refused(f"{problem}: target is busy; if a filesystem, it must not be mounted")


class Telling:
    """What `-v`, `-P` and `-n` tell about the streams of one command."""

    def __init__(self, options: Options) -> None:
        self._parsable = "P" in options
        self._verbose = self._parsable or "v" in options or "V" in options
        self._progress = "v" in options
        self._file = sys.stdout if "n" in options else sys.stderr

    def plan(self, state: State, parts: Sequence[Part], whole_names: bool) -> None:
        """Tell what will be sent and how big it is thought to be; a package tells the bases by their short names."""
        if not self._verbose:
            return
        total = 0
        for part in parts:
            size = difference.estimate(*contents(state, part)) + _OVERHEAD
            total += size
            self._tell(part, part.base.name if whole_names and part.base else part.hint, size)
        shown = f"size\t{total}" if self._parsable else f"total estimated size is {sizes.show(total, 'B')}"
        print(shown, file=self._file, flush=True)

    def _tell(self, part: Part, base: str | None, size: int) -> None:
        if self._parsable:
            text = f"incremental\t{base}\t{name(part)}\t{size}" if base else f"full\t{name(part)}\t{size}"
        else:
            since = "@" * (base is not None and "@" not in base and "#" not in base) + (base or "")
            text = f"send from {since} to {name(part)}" if base else f"full send of {name(part)}"
            text += f" estimated size is {sizes.show(size, 'B')}"
        print(text, file=self._file)

    @contextmanager
    def progress(self, writer: Writer, part: Part) -> Iterator[None]:
        """Tell once a second how far the stream has come."""
        if not self._progress:
            yield
            return
        if not self._parsable:
            print(f"TIME        SENT   SNAPSHOT {name(part)}", file=sys.stderr, flush=True)
        done, before = threading.Event(), writer.sent
        teller = threading.Thread(target=self._tell_progress, args=(done, writer, before, name(part)), daemon=True)
        teller.start()
        try:
            yield
        finally:
            done.set()
            teller.join()

    def _tell_progress(self, done: threading.Event, writer: Writer, before: int, of: str) -> None:
        while not done.wait(1):
            clock, sent = time.strftime("%H:%M:%S"), writer.sent - before
            plain = f"{clock}   {sizes.show(sent, 'B'):>5}   {of}\n"
            text = f"{clock}\t{sent}\t{of}\n" if self._parsable else plain
            print(text, end="", file=sys.stderr, flush=True)
