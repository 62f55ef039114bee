"""What has changed on this host: a JSON object a line, a file a month, in /var/log/chyves.

They are not with the logs on the primary pool: a pool that goes offline would take them with it, and a file that is
open there would keep it from going.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from chyves.host.files import opened_to_add
from chyves.host.tail import Files, Tails
from chyves.host.undo import Undo

PLACE = "/var/log/chyves"
ENDING = ".events"
BEGUN = ".begun-"
VERSION = 1
"""Of the lines: raised when a key changes its meaning or goes."""

Event = dict[str, object]


class Events:
    """Writes events; what cannot be written is told once on stderr and stops nothing.

    A command that may change something leaves a file while it is at work, which is locked. Where it is killed, nobody
    can know whether what it had done was told: the next command tells that it was `interrupted`.
    """

    def __init__(self, directory: Path, dry: bool = False) -> None:
        self.directory, self.dry = directory, dry
        self._by: str | None = None
        self._begun: tuple[Path, int] | None = None
        self._told = False

    def begin(self, by: str, guests: Sequence[str], command: str) -> None:
        """A command begins that may change something; what others did not come to tell is told first.

        Raises Interrupted where a signal comes meanwhile, as nothing has been done then.
        """
        if self.dry:
            return
        self._by = by
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._tell_of_interrupted()
            with Undo() as undo:
                mark = {"by": by, "guests": list(guests), "command": command}
                self._begun = undo.do(lambda: self._marked(mark), self._unmark, "remove the mark of a command")
                undo.do(lambda: None)
        except OSError as error:
            self._complain(error)

    def end(self) -> None:
        """The command has told all that it has changed; raises Interrupted where a signal comes meanwhile."""
        with Undo() as undo:
            undo.do(self._unmark)

    def _unmark(self) -> None:
        if self._begun is not None:
            path, descriptor = self._begun
            self._begun = None
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)

    def note(self, event: str, guest: str | None = None, **details: object) -> None:
        """Add a line about what has just been changed; `details` without a value are left out."""
        if not self.dry:
            known = {name: value for name, value in details.items() if value is not None}
            self._add({**_head(event, guest, self._by), **known})

    def _add(self, event: Event) -> None:
        """One write of a whole line; behind one that was torn (a full disk, a power cut) on a line of its own.

        What another is just writing may look torn: then there is an empty line, which nobody reads. No lock is taken,
        as anybody who may read the file could hold it.
        """
        line = json.dumps(event).encode() + b"\n"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            path = self.directory / time.strftime(f"%Y%m{ENDING}")
            descriptor = opened_to_add(path, 0o644)
            try:
                os.write(descriptor, b"\n" + line if _is_torn(path) else line)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._complain(error)

    def _marked(self, what: Mapping[str, object]) -> tuple[Path, int]:
        """The file that says that this command is at work, and the descriptor that holds its lock."""
        path = self.directory / f"{BEGUN}{os.getpid()}"
        new = path.with_name(f".new{path.name}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(new, flags, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, json.dumps(what).encode())
        new.rename(path)
        return path, descriptor

    def _tell_of_interrupted(self) -> None:
        for path in self.directory.glob(f"{BEGUN}*"):
            with suppress(FileNotFoundError, BlockingIOError):  # it has just ended, or is at work
                self._settle(path)

    def _settle(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:  # else another has told of it
                self._add({**_head("interrupted", None, None), **_about(os.read(descriptor, 1 << 16))})
                path.unlink()
        finally:
            os.close(descriptor)

    def _complain(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            print(f"{self.directory}: events cannot be written: {error.strerror}; see to that", file=sys.stderr)

    def kept(self) -> Iterator[Event]:
        """All that is kept, the oldest first; raises OSError."""
        for path in self.files():
            with suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as file:
                yield from filter(None, map(_understood, file))

    def following(self) -> Followed:
        """What comes from now on, once all that is kept by now has been read; raises OSError."""
        return Followed(self.files)

    def files(self) -> list[Path]:
        """The files in which they are, the oldest first."""
        try:
            return sorted(path for path in self.directory.iterdir() if path.suffix == ENDING and path.stem.isdecimal())
        except FileNotFoundError:
            return []


class Followed:
    """Events as they come, in files that grow and are begun anew."""

    def __init__(self, files: Files) -> None:
        self._tails = Tails(files)

    def more(self) -> list[Event]:
        """What has come since the last look; the first look gives all that is kept. Raises OSError."""
        return [event for line in self._tails.lines() if (event := _understood(line)) is not None]


def moment(event: Event) -> datetime:
    """When an event was."""
    return datetime.fromisoformat(str(event["time"]))


def _head(event: str, guest: str | None, by: str | None) -> Event:
    now = datetime.now().astimezone()
    when = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}{now:%z}"
    return {"version": VERSION, "time": when, "event": event, "guest": guest, "by": by}


def _understood(line: str) -> Event | None:
    """The event that a line is; None for one that was torn, or is none."""
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or not found.get("event"):
            return None
        moment(found)
        return found
    except (ValueError, KeyError):
        return None


def _about(written: bytes) -> Event:
    """What a command that was killed left about itself; nothing where a power cut has taken that."""
    try:
        return dict(json.loads(written))
    except (ValueError, TypeError):
        return {}


def _is_torn(path: Path) -> bool:
    """Whether what was written last is no whole line."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    finally:
        os.close(descriptor)
