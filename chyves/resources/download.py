"""A download that goes on where it was broken off, from any server that can."""

from __future__ import annotations

import ftplib
import http.client
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Protocol
from urllib.error import HTTPError, URLError

from chyves.errors import ChyvesError

CHUNK = 1 << 16
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new try; with no byte gained in any of them the download is given up."""
BROKEN = (OSError, EOFError, http.client.HTTPException, ftplib.Error)


class Refused(ChyvesError):
    """The server will not give the file, and will not another time."""


@dataclass
class Answer:
    """A server's answer: bytes from `start` on, of a file of `total` bytes (None: unknown).

    `mark` tells this state of the file from a later one; without one a broken download begins anew. `end` is called
    after the last byte of a file of unknown length and raises where the server says that it was not the last.
    """

    start: int
    total: int | None
    mark: str
    read: Callable[[int], bytes]
    close: Callable[[], object]
    end: Callable[[], object] = lambda: None


class Server(Protocol):
    """Something that can be asked for a file, whole or (with the mark of what is there) from an offset on."""

    @property
    def shown(self) -> str: ...
    def ask(self, offset: int, mark: str) -> Answer: ...


class Bar(Protocol):
    """A progress bar."""

    def advance(self, n: int) -> object: ...


Progress = Callable[[int | None, str], AbstractContextManager[Bar]]


class _Broken(Exception):
    """An answer ended before the file did."""


@dataclass
class Download:
    """One file from a server into an open file; `room` is how many bytes there may be at most."""

    server: Server
    target: IO[bytes]
    name: str
    room: int
    progress: Progress
    warn: Callable[[str], object]
    pauses: Sequence[float] = PAUSES
    _mark: str = ""
    _total: int | None = None

    def run(self) -> None:
        """Fetch all of it; raises ChyvesError where the server refuses, or does not come back."""
        furthest = -1
        tries = iter(self.pauses)
        while True:
            try:
                self._attempt()
                return
            except _Broken as error:
                if self.target.tell() > furthest:
                    furthest, tries = self.target.tell(), iter(self.pauses)
                pause = next(tries, None)
                if pause is None:
                    raise ChyvesError(f"{self.server.shown}: {error}; try again later, or another server") from None
                self.warn(f"{self.name}: {error}; going on in {pause:g} s")
                time.sleep(pause)

    def _attempt(self) -> None:
        offset = self.target.tell() if self._mark else 0
        answer = self._ask(offset)
        try:
            if not self._continues(answer, offset):
                answer.close()
                answer = self._ask(0)
            self._take(answer)
        finally:
            answer.close()

    def _ask(self, offset: int) -> Answer:
        try:
            return self.server.ask(offset, self._mark if offset else "")
        except BROKEN as error:
            if isinstance(error, HTTPError):
                error.close()
                # 416: there is nothing from the offset on, so what is here is not a part of what is there.
                self._mark = "" if error.code == 416 else self._mark
            if self.target.tell() and not _final(error):
                raise _Broken(_reason(error)) from None
            raise Refused(f"{self.server.shown}: {_reason(error)}; see whether the address is right") from None

    def _continues(self, answer: Answer, offset: int) -> bool:
        """Whether an answer can be taken: it begins anew, or goes on with the same file."""
        if answer.start == 0:
            return True
        return answer.start == offset and answer.mark == self._mark and answer.total == self._total

    def _take(self, answer: Answer) -> None:
        if answer.start == 0:
            self.target.seek(0)
            self.target.truncate()
        elif answer.start != self.target.tell():
            raise Refused(
                f"{self.server.shown}: gives another part of the file than the one asked for; try another server"
            )
        self._mark, self._total = answer.mark, answer.total
        self._see_room(answer.total or 0)
        with self.progress(answer.total, self.name) as bar:
            bar.advance(answer.start)
            while piece := self._piece(answer):
                self._see_room(self.target.tell() + len(piece))
                self.target.write(piece)
                bar.advance(len(piece))
            self._see_end(answer)

    def _piece(self, answer: Answer) -> bytes:
        try:
            return answer.read(CHUNK)
        except BROKEN as error:
            raise _Broken(_reason(error)) from None

    def _see_end(self, answer: Answer) -> None:
        got = self.target.tell()
        if answer.total is None:
            self._hear_end(answer)
        elif got < answer.total:
            raise _Broken(f"broken off at {got} of {answer.total} bytes")
        elif got > answer.total:
            raise Refused(
                f"{self.server.shown}: sent more than the {answer.total} bytes it told of; try another server"
            )

    def _hear_end(self, answer: Answer) -> None:
        try:
            answer.end()
        except BROKEN as error:
            raise _Broken(_reason(error)) from None

    def _see_room(self, size: int) -> None:
        if size > self.room:
            raise ChyvesError(f"{self.name}: is larger than the {self.room} bytes that are free; make room first")


def _final(error: BaseException) -> bool:
    """Whether trying again is of no use: the server knows what it says."""
    if isinstance(error, HTTPError):
        return error.code < 500 and error.code not in (408, 416, 429)
    return isinstance(error, ftplib.error_perm)


def _reason(error: BaseException) -> str:
    """Why a server did not answer, in one line: its own words may be more, or worse."""
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        error = error.reason
    if isinstance(error, http.client.IncompleteRead | EOFError):
        return "the server broke the connection"
    text = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    said = f"the server says {error.code} {error.reason}" if isinstance(error, HTTPError) else text
    words = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return words[:200] or type(error).__name__
