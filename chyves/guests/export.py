"""Export a guest: a file, or standard output, with all its datasets, properties and snapshots, from one moment.

It is the stream of `zfs send -R`, which chyves turns into a guest (chyves.guests.import_guest) and any ZFS receives.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from chyves.errors import ChyvesError, ProgramFailed
from chyves.guests import export_leftovers, leftovers, prepare, rollback, running
from chyves.guests.export_leftovers import EXPORTED
from chyves.guests.freeze import frozen_guests
from chyves.guests.leftovers import NEW
from chyves.guests.lineage import origins
from chyves.guests.process_snapshots import take_process_snapshots
from chyves.host.machine import Host
from chyves.host.run import STDOUT, End
from chyves.host.undo import Undo
from chyves.names import shown
from chyves.pools.holdings import GuestHolding, Holdings

DASH = "-"
COLUMNS = ("logicalused",)
"""What is asked of the datasets beside: about how much is sent."""

ENCRYPTED = "encrypted"
"""What zfs says of what it sends only raw."""


def export(host: Host, guest: str, file: str, freeze: bool = False) -> None:
    """Write a guest to a new file that only its owner can read, whole or not at all; `-` is standard output.

    One that runs is as after a power cut; with `freeze` its agent has its file systems stand still at that moment.
    Raises ChyvesError.
    """
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host, COLUMNS)
        holding = holdings.guest(guest)
        rollback.refuse_unfinished(holdings, guest)
        _refuse_clone(holding)
        path = _place(host, file)
        runs = running.living(host, guest) is not None
        if runs and not freeze:
            host.terminal.say(1, f"{guest}: runs; what is exported is as after a power cut at this moment")
        where = str(path or STDOUT.name)
        host.terminal.say(1, f"{guest}: exporting to {where}")
        _Export(holdings, holding, path, runs and freeze).carry_out(f"{guest}: is exported to {where}")


def _refuse_clone(holding: GuestHolding) -> None:
    """Refuse a guest of which something hangs on what is not sent with it: nobody could receive it elsewhere."""
    name = holding.name
    for origin in origins(holding):
        advice = f"free it with: chyves {name} promote, or export a copy: chyves {name} clone NEW -ie"
        raise ChyvesError(f"{name}: is a ZFS clone of {origin.snapshot}, which would not be in the file; {advice}")


def _place(host: Host, file: str) -> Path | None:
    """Where a new file is to be; None for standard output. Raises ChyvesError where it cannot be."""
    if file == DASH:
        if not host.dry and os.isatty(STDOUT.descriptor):
            raise ChyvesError("export: standard output is a terminal; name a file, or pipe it into a program")
        return None
    there, path = host.path(file), Path(file).absolute()
    path = there if file.startswith("/") and there.parent.is_dir() else path
    if not str(path).isprintable():
        raise ChyvesError(f"{shown(file)}: has characters that cannot be shown; choose another name")
    if os.path.lexists(path):
        raise ChyvesError(f"{shown(file)}: is there already; choose another name, or remove it")
    if not path.parent.is_dir():
        raise ChyvesError(f"{shown(file)}: there is no directory {path.parent}; make it, or choose another place")
    return path


class _Export:
    """One guest on its way into a file."""

    def __init__(self, holdings: Holdings, holding: GuestHolding, path: Path | None, freeze: bool) -> None:
        self.holdings, self.host, self.holding = holdings, holdings.host, holding
        self.path, self.freeze = path, freeze
        self.mark = f"{holding.pool.guests_dataset}/{NEW.name}/{holding.name}{EXPORTED}"

    def carry_out(self, done: str) -> None:
        """Write the file, or take back what was begun of it."""
        host, holding, mark = self.host, self.holding, self.mark
        with Undo():
            with Undo() as undo:
                leftovers.within(undo, host, holding.pool, mark)
                undo.do(
                    lambda: host.zfs.create(mark, export_leftovers.mark(self.path), parents=True),
                    lambda: leftovers.discard(host, holding.pool, mark, host.zfs.below(mark)),
                    f"destroy {mark}",
                )
                prepare.fix(undo, self.holdings, holding)
                tag = self._snapshot(undo)
                with self._sink(undo) as sink:
                    self._send(undo, tag, sink)
                    undo.do(lambda: host.zfs.destroy_snapshots(holding.dataset, [f"@{tag}"]))
                    self._put(undo, sink)
                host.events.note("exported", holding.name, file=str(self.path or DASH))
            leftovers.finish(host, holding.pool, mark, [mark], done)
        host.terminal.say(1, done)

    def _snapshot(self, undo: Undo) -> str:
        name = self.holding.name
        with frozen_guests(self.host, [name] if self.freeze else [], "it is not exported") as still_frozen:
            tag = take_process_snapshots(undo, self.host, self.holding.dataset)
            undo.do(still_frozen)
        return tag

    @contextmanager
    def _sink(self, undo: Undo) -> Iterator[End]:
        """The file, open to be written; what is half written goes where that is taken back."""
        host, path = self.host, self.path
        if path is None:
            yield STDOUT
            return
        back = partial(host.files.remove_unfinished, path)
        begun = undo.do(lambda: host.files.begin(path), back, f"remove what is half written beside {path}")
        with nullcontext() if host.dry else open(begun.descriptor, "wb", buffering=0):
            yield begun

    def _send(self, undo: Undo, tag: str, sink: End) -> None:
        host, holding = self.host, self.holding
        size = int(holding.rows[holding.dataset]["logicalused"])
        try:
            with host.terminal.progress(size, f"{holding.name} to {self.path or STDOUT.name}") as progress:
                undo.do(lambda: host.zfs.send(f"{holding.dataset}@{tag}", sink, progress.advance))
        except ProgramFailed as failure:
            if ENCRYPTED not in failure.said:
                raise
            advice = f"send it raw by hand: zfs send -Rw {holding.dataset}@SNAPSHOT"
            raise ChyvesError(f"{holding.name}: is encrypted by ZFS, and not so in a file; {advice}") from failure

    def _put(self, undo: Undo, sink: End) -> None:
        host, path = self.host, self.path
        if path is not None:
            undo.do(lambda: host.files.put(sink, path), lambda: host.files.remove(path), f"remove {path}")
