"""Import a guest from a file of `export`: received below `guests/.new`, and there at once by one rename.

What other guests of this host have already is made new for it, as for one that goes back to a snapshot; all else stays.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import leftovers
from chyves.guests.copy import refuse_full
from chyves.guests.create import refuse_taken
from chyves.guests.export import DASH
from chyves.guests.leftovers import NEW
from chyves.guests.process_snapshots import drop_process_snapshots
from chyves.guests.restored import Restored, restored
from chyves.host.machine import Host
from chyves.host.run import STDIN, End
from chyves.host.undo import Undo
from chyves.names import PROCESS, shown
from chyves.network.plan import with_member
from chyves.pools import newer
from chyves.pools.holdings import GUEST_FILE, GuestHolding, Holdings, PoolHolding
from chyves.pools.writing import save
from chyves.properties import Guest

BEGIN = tuple(struct.Struct(f"{order}IIQQQIIQQ256s") for order in "<>")
"""The record that a stream begins with, of a machine of either order of bytes (OpenZFS: dmu_replay_record)."""

MAGIC = 0x2F5BACBAC
PACKED = {b"\x1f\x8b": "gzip -dc", b"\x28\xb5\x2f\xfd": "zstd -dc", b"\xfd7zXZ": "xz -dc", b"BZh": "bzip2 -dc"}
"""What files begin with that were packed, and what unpacks them."""


class Sent(NamedTuple):
    """What a stream says of itself: the dataset and the snapshot that were sent; empty is what has no name."""

    dataset: str
    snapshot: str

    @property
    def guest(self) -> str:
        return self.dataset.rpartition("/")[2]


def import_guest(host: Host, file: str, name: str | None = None, pool: str | None = None) -> None:
    """Make a guest of a file of `export`, or of standard input (`-`), whole or not at all.

    It is called as it was unless told. Raises ChyvesError for a name that is taken, and for what is no such file.
    """
    with _opened(host, file) as source, host.locks.hold("all"):
        sent = read_beginning(source, file)
        holdings = leftovers.settled(host)
        where = holdings.pool(pool)
        new = name if name is not None else _own_name(sent, file)
        refuse_taken(holdings, new)
        size = os.fstat(source.descriptor).st_size
        refuse_full(new, where, size, int(host.zfs.get(where.guests_dataset, "available")))
        host.terminal.say(1, f"{new}: importing to {where.name}")
        _Import(holdings, where, new, file).carry_out(source, sent, size)


@contextmanager
def _opened(host: Host, file: str) -> Iterator[End]:
    """The file, with the beginning of what is in it; a stream is for zfs to read on."""
    with ExitStack() as opened:
        try:
            source = _begun(_source(host, file, opened))
        except OSError as error:
            what = STDIN.name if file == DASH else shown(file)
            raise ChyvesError(f"{what}: cannot be read: {error.strerror}; see to that and try again") from None
        yield source


def _source(host: Host, file: str, opened: ExitStack) -> End:
    """The file, which `opened` closes; raises OSError."""
    if file == DASH:
        if os.isatty(STDIN.descriptor):
            raise ChyvesError("import: standard input is a terminal; name a file, or pipe one into it")
        return STDIN
    there, path = host.path(file), Path(file).absolute()
    path = there if file.startswith("/") and there.exists() else path
    return End(opened.enter_context(path.open("rb", buffering=0)).fileno(), str(path))


def _begun(end: End) -> End:
    """The same with what it begins with, as much as a stream's first record."""
    begun = b""
    while len(begun) < BEGIN[0].size and (more := os.read(end.descriptor, BEGIN[0].size - len(begun))):
        begun += more
    return end._replace(begun=begun)


def read_beginning(source: End, file: str) -> Sent:
    """What a stream says that it is of; raises ChyvesError for what is no stream."""
    for kind in BEGIN if len(source.begun) == BEGIN[0].size else ():
        record, _, magic, *_, name = kind.unpack(source.begun)
        if record == 0 and magic == MAGIC:
            dataset, _, snapshot = name.partition(b"\0")[0].decode("ascii", "replace").partition("@")
            return Sent(dataset, snapshot)
    if not source.begun:
        raise ChyvesError(f"{shown(file)}: has nothing in it; give a file of: chyves GUEST export FILE")
    for beginning, program in PACKED.items():
        if source.begun.startswith(beginning):
            raise ChyvesError(f"{shown(file)}: is packed; unpack it on the way: {program} FILE | chyves import -")
    raise ChyvesError(f"{shown(file)}: is no stream of zfs send; give a file of: chyves GUEST export FILE")


def _own_name(sent: Sent, file: str) -> str:
    """What the guest was called; raises ChyvesError where none can be called so now."""
    try:
        return names.new_guest(sent.guest)
    except ChyvesError as error:
        raise ChyvesError(f"{error} (to call it otherwise: chyves import {shown(file)} NAME)") from None


class _Import:
    """One guest on its way out of a file."""

    def __init__(self, holdings: Holdings, pool: PoolHolding, name: str, file: str) -> None:
        self.holdings, self.host, self.pool, self.name, self.file = holdings, holdings.host, pool, name, file
        self.parent, self.final = f"{pool.guests_dataset}/{NEW.name}", f"{pool.guests_dataset}/{name}"
        self.new = f"{self.parent}/{name}"
        self.place = pool.place(pool.guests_dataset) / NEW.name / name / ".config" / GUEST_FILE

    def carry_out(self, source: End, sent: Sent, size: int) -> None:
        """Make the guest, or take back what was made of it."""
        host, pool = self.host, self.pool
        with Undo():
            with Undo() as undo:
                leftovers.within(undo, host, pool, self.new)
                undo.do(lambda: host.zfs.create(self.parent, parents=True))
                leftovers.arriving(undo, host, pool, self.new)
                with host.terminal.progress(size, f"{self.name} from {source.name}") as progress:
                    undo.do(lambda: host.zfs.receive(source, self.new, progress.advance))
                if sent.snapshot.startswith(PROCESS):
                    undo.do(lambda: host.zfs.destroy_snapshots(self.new, [f"@{sent.snapshot}"]))
                found = None
                if not host.dry:
                    undo.do(lambda: drop_process_snapshots(host, self.new))  # those that clones were made from
                    found = self._adapt(undo)
                undo.do(lambda: host.zfs.rename(self.new, self.final))
                host.events.note("imported", self.name, pool=pool.name)
            leftovers.tidy(host, pool, self.new)
        self._tell(found)

    def _adapt(self, undo: Undo) -> Restored:
        """Have the properties be such as a guest of this host can have."""
        host, settings = self.host, self.holdings.globals
        holding = GuestHolding(host, self.pool, self.name)
        holding.properties = self._properties()
        newer.refuse_guest(holding)
        found = restored(self.holdings, holding, holding.properties)
        if found.guest.text != holding.properties.text:
            undo.do(lambda: save(host, found.guest, self.place))
        changed = settings
        for tap, bridge in found.on.items():
            changed = with_member(changed, bridge, tap)
        if changed.text != settings.text:
            undo.do(
                lambda: save(host, changed, self.holdings.globals_file),
                lambda: save(host, settings, self.holdings.globals_file),
                f"take the taps of {self.name} off their bridges",
            )
        return found

    def _properties(self) -> Guest:
        """What came with the guest; raises ChyvesError where it is none of chyves."""
        rows = self.host.zfs.list(self.new, properties=("name", "mounted"), recursive=True)
        mounted = {row["name"] for row in rows if row["mounted"] == "yes"}
        if not {self.new, f"{self.new}/.config"} <= mounted or not self.place.is_file():
            raise ChyvesError(
                f"{shown(self.file)}: has no guest of chyves in it, whose properties would be in .config; "
                "give a file of: chyves GUEST export FILE"
            )
        return Guest(self.name, self.host.files.read_properties(self.place))

    def _tell(self, found: Restored | None) -> None:
        terminal = self.host.terminal
        if found is None:
            terminal.warn(f"{self.name}: what other guests have already is known, and made new, once it is received")
            return
        for line in found.words:
            terminal.say(2, line)
        terminal.say(1, f"{self.name}: is imported to {self.pool.name}")
        firmware = found.guest.uefi_firmware
        if found.guest.loader == "uefi" and firmware and firmware not in self.holdings.resources("firmware"):
            terminal.warn(f"{self.name}: boots with {firmware}, which is to be brought: chyves firmware import FILE")
