"""Importing an ISO image or a firmware: from a file or a server into a dataset of its own on the primary pool.

It is built as `ISO/.new-NAME` and there at once by one rename, so a broken download leaves nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chyves import names
from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import NULL_ISO, RESOURCES, Holdings
from chyves.resources import leftovers
from chyves.resources.checksum import Checksum, read_checksum
from chyves.resources.download import Download
from chyves.resources.ftp import FtpServer
from chyves.resources.interrupt import at_once
from chyves.resources.source import Address, Source, read_source
from chyves.resources.unpack import unpack
from chyves.resources.web import WebServer

CHUNK = 1 << 20
MODE = 0o644


def fetch(host: Host, kind: str, source: str, checksum: str | None = None, yes: bool = False) -> None:
    """Import an image (`iso`) or a firmware (`firmware`), whole or not at all.

    The checksum is that of the file as it was fetched, before it is unpacked. Raises ChyvesError where the source, the
    name or the checksum is not right, there is no room, or there is such a resource already.
    """
    found = read_source(source)
    expected = read_checksum(checksum) if checksum else None
    file = _local(host, found.place) if isinstance(found.place, str) else None
    with leftovers.changing(host, kind, found.name):
        holdings = Holdings.read(host)
        leftovers.settle(host, holdings)
        _refuse_taken(holdings, kind, found.name)
        _Import(host, holdings, kind, found, file, expected or _ask_checksum(host, found, yes)).run()


def _local(host: Host, word: str) -> Path:
    """The file of a path: one of the host, or of the machine that a lab's directory is on."""
    places = [host.path(word), Path(word)] if word.startswith("/") else [Path(word)]
    with _told(names.shown(word)):
        file = next((place for place in places if place.exists()), places[-1])
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ChyvesError(f"{names.shown(word)}: is no regular file; give one, or an address")
        if not status.st_size:
            raise ChyvesError(f"{names.shown(word)}: is empty; give the whole file")
        file.open("rb").close()
    return file


def _refuse_taken(holdings: Holdings, kind: str, name: str) -> None:
    if name == NULL_ISO:
        raise ChyvesError(f"{name}: is the name of the empty medium that chyves keeps itself; rename the file")
    dataset = f"{holdings.primary.dataset}/{RESOURCES[kind]}/{name}"
    if dataset in holdings.primary.rows:
        raise ChyvesError(
            f"{name}: there is such a resource already; delete it first with: chyves {kind} delete {name}"
        )


def _ask_checksum(host: Host, source: Source, yes: bool) -> Checksum | None:
    """What the user answers; nothing for a file of this machine."""
    if not isinstance(source.place, Address):
        return None
    question = f"{source.name}: checksum (md5, sha1, sha256 or sha512; Return for none):"
    answer = None if yes or host.dry else host.terminal.ask(question)
    if answer and answer.strip():
        return read_checksum(answer.strip())
    host.terminal.warn(f"{source.name}: is imported without a checksum; what the server sends is believed")
    return None


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Tell of an error of the system as one sentence."""
    try:
        yield
    except OSError as error:
        raise ChyvesError(f"{what}: {error.strerror or error}; see to that and try again") from None


@dataclass
class _Import:
    """One resource on its way; `file` is its local source, None for a server's."""

    host: Host
    holdings: Holdings
    kind: str
    source: Source
    file: Path | None
    checksum: Checksum | None

    @property
    def parent(self) -> str:
        return f"{self.holdings.primary.dataset}/{RESOURCES[self.kind]}"

    @property
    def new(self) -> str:
        return f"{self.parent}/{leftovers.NEW}{self.source.name}"

    @property
    def directory(self) -> Path:
        return self.holdings.primary.place(self.parent) / f"{leftovers.NEW}{self.source.name}"

    @property
    def fetched(self) -> Path:
        return self.directory / self.source.fetched_name

    @property
    def result(self) -> Path:
        return self.directory / self.source.name

    def run(self) -> None:
        """Build the dataset, fill it, give it its name."""
        name, zfs, final = self.source.name, self.host.zfs, f"{self.parent}/{self.source.name}"
        fill = self._show if self.host.dry else self._fill
        self.host.terminal.say(1, f"{name}: importing from {self.source.shown}")
        with Undo() as undo:
            # One that is ended by force may have made it.
            undo.do(lambda: None, self._discard, f"destroy {self.new}")
            undo.do(lambda: zfs.create(self.new))
            undo.do(fill, lambda: None, "empty it")
            undo.do(lambda: zfs.rename(self.new, final), lambda: zfs.rename(final, self.new), f"rename {final}")
            self.host.events.note("image_imported", kind=self.kind, image=name)
        if not self.host.dry:
            self.host.terminal.say(2, f"{name}: imported")

    def _discard(self) -> None:
        if self.host.zfs.exists(self.new):
            leftovers.discard(self.host, self.new)

    def _fill(self) -> None:
        with at_once(), _told(self.source.name):
            room = int(self.host.zfs.get(self.new, "available"))
            with _created(self.fetched) as target:
                self._copy(target, room) if self.file else self._download(target, room)
                if not target.tell():
                    raise ChyvesError(f"{self.source.shown}: is empty; see whether it is the right one")
            if self.checksum:
                self.checksum.compare(self.fetched, self.source.shown)
            if self.source.packing:
                self._unpack(room - self.fetched.stat().st_size)

    def _copy(self, target: IO[bytes], room: int) -> None:
        assert self.file
        with self.file.open("rb") as origin:
            size = os.fstat(origin.fileno()).st_size
            if size > room:
                raise ChyvesError(f"{self.source.name}: its {size} bytes are more than the {room} that are free")
            with self.host.terminal.progress(size, self.source.name) as bar:
                while piece := origin.read(CHUNK):
                    target.write(piece)
                    bar.advance(len(piece))

    def _download(self, target: IO[bytes], room: int) -> None:
        terminal, address = self.host.terminal, self.source.place
        assert isinstance(address, Address)
        server = FtpServer(address) if address.scheme == "ftp" else WebServer(address)
        Download(server, target, self.source.fetched_name, room, terminal.progress, terminal.warn).run()

    def _unpack(self, room: int) -> None:
        with _created(self.result) as target, self.host.terminal.progress(None, f"{self.source.name} unpacked") as bar:
            unpack(self.fetched, self.source.packing, target, room, bar.advance)
            if not target.tell():
                raise ChyvesError(f"{self.source.fetched_name}: has nothing in it; see whether it is the right one")
        self.fetched.unlink()

    def _show(self) -> None:
        """Print, in a dry run, programs of FreeBSD that do the same."""
        run, fetched = self.host.run, str(self.fetched)
        if isinstance(self.source.place, Address):
            if self.source.place.user is not None:
                self.host.terminal.warn(
                    f"{self.source.name}: user and password are left out of the line that fetches it"
                )
            run.do("fetch", "-o", fetched, self.source.place.url)
        elif self.file:
            run.do("cp", str(self.file.absolute()), fetched)
        if self.checksum:
            run.do(self.checksum.kind, "-c", self.checksum.digits, fetched)
        if self.source.packing:
            run.do({"gz": "gunzip", "xz": "unxz"}[self.source.packing], fetched)
        run.do("chmod", f"{MODE:o}", str(self.result))


@contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    """A new file, which is on the disk when it is left."""
    with path.open("xb") as file:
        os.fchmod(file.fileno(), MODE)
        yield file
        file.flush()
        os.fsync(file.fileno())
