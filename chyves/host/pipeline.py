"""Two programs with a pipe between them, through which this process hands what the one writes to the other.

So they end with it: killed, it leaves the one without a reader and the other with a stream that is cut off, and none of
them goes on with what nobody looks after any more. In the place of one of them there can be a file that is open.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host import undo
from chyves.host.run import End

CHUNK = 1 << 20
GLANCE = 0.2
"""Seconds after which a signal that was noted while nothing flowed is acted on."""

READER_GONE = ("Broken pipe", "signal received")
"""What zfs send says when zfs receive has ended: then the words of the latter are the reason."""

Program = tuple[str, Sequence[str]]
"""A program's file and its words, the first of which is its name."""


class Pipeline:
    """One run of `first | second`, of `first > file` or of `second < file`."""

    def __init__(self, first: Program | End, second: Program | End, env: Mapping[str, str]) -> None:
        self._argv: list[Sequence[str]] = []
        self._programs: list[subprocess.Popen[bytes]] = []
        self._ends = first, second
        try:
            self._source = self._opened(first, env, writes=True)
            self._target = self._opened(second, env, writes=False)
        except BaseException:
            _end(self._programs)
            raise
        self._said = [bytearray() for _ in self._programs]

    def _opened(self, end: Program | End, env: Mapping[str, str], *, writes: bool) -> IO[bytes]:
        """What a program that is started now writes, or reads; or the file in its place."""
        if isinstance(end, End):
            return open(os.dup(end.descriptor), "rb" if writes else "wb", buffering=0)
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        program = _start(end, env, nothing if writes else pipe, pipe if writes else nothing)
        self._programs.append(program)
        self._argv.append(end[1])
        stream = program.stdout if writes else program.stdin
        assert stream
        return stream

    def run(self, heed: Callable[[int], None]) -> None:
        """Wait until both have ended; `heed` is told how many bytes more have passed.

        Raises ProgramFailed with the words of the one that failed first, and with those of the other in a note;
        ChyvesError for a file that cannot be read or written; Interrupted when a signal came, which ends both.
        """
        blocked = os.get_blocking(self._target.fileno())
        try:
            self._pass(heed)
            for program in self._programs:
                program.wait()
        finally:
            if isinstance(self._ends[1], End):  # whoever else has it open finds it as it was
                os.set_blocking(self._ends[1].descriptor, blocked)
            for stream in (self._source, self._target):
                with suppress(OSError):
                    stream.close()
            _end(self._programs)
        self._tell()

    def _pass(self, heed: Callable[[int], None]) -> None:
        """Hand on what flows, and listen to what both say, until both have closed all they had."""
        # Of the kinds of selectors, poll(2) takes files too.
        with selectors.PollSelector() as watched:
            flow = _Flow(watched, (self._source, self._target), self._ends, heed)
            for which, program in enumerate(self._programs):
                if program.stderr:
                    watched.register(program.stderr, selectors.EVENT_READ, which)
            while watched.get_map():
                for key, _ in watched.select(GLANCE):
                    if key.data is None:
                        flow.go_on()
                        continue
                    words = os.read(key.fd, CHUNK)
                    self._said[key.data] += words
                    if not words:
                        watched.unregister(key.fileobj)
                number = undo.noted()
                if number is not None:
                    raise undo.stopped_by(number)

    def _tell(self) -> None:
        said = [bytes(words).decode(errors="replace").strip() for words in self._said]
        failed = [number for number, program in enumerate(self._programs) if program.returncode]
        if not failed:
            return
        cause = failed[0]
        if len(failed) == 2 and self._lost_its_reader(said[0]):
            cause = 1
        error = ProgramFailed(self._argv[cause], self._programs[cause].returncode, said[cause])
        for other in said[:cause] + said[cause + 1 :]:
            if other:
                error.add_note(other)
        raise error

    def _lost_its_reader(self, said: str) -> bool:
        """Whether the first program failed because the second had ended: what zfs(8) writes itself ends it silently."""
        return self._programs[0].returncode == -signal.SIGPIPE or any(words in said for words in READER_GONE)


class _Flow:
    """What goes from one pipe to the other; waits for neither, so that a signal is heeded whoever hangs."""

    def __init__(
        self, watched: selectors.BaseSelector, streams: tuple[IO[bytes], IO[bytes]],
        ends: tuple[Program | End, Program | End], heed: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._watched, self._ends, self._heed = watched, ends, heed
        self._source, self._target = streams
        begun = ends[0].begun if isinstance(ends[0], End) else b""
        self._waiting = memoryview(begun)
        os.set_blocking(self._target.fileno(), False)
        if begun:
            watched.register(self._target, selectors.EVENT_WRITE)
        else:
            watched.register(self._source, selectors.EVENT_READ)

    def go_on(self) -> None:
        """Write what waits, or read more, as whichever is possible now."""
        if self._waiting:
            self._write()
            return
        try:
            data = os.read(self._source.fileno(), CHUNK)
        except OSError as error:
            raise _not_passed(self._ends[0], "cannot be read", error) from None
        if not data:
            self._close(self._source)
            return
        self._heed(len(data))
        self._waiting = memoryview(data)
        self._turn(self._source, self._target, selectors.EVENT_WRITE)

    def _write(self) -> None:
        try:
            self._waiting = self._waiting[os.write(self._target.fileno(), self._waiting) :]
        except BlockingIOError:
            return
        except OSError as error:
            if not isinstance(error, BrokenPipeError) or isinstance(self._ends[1], End):
                raise _not_passed(self._ends[1], "cannot be written", error) from None
            # The sender is told by its pipe, as one in a shell's pipeline is.
            self._close(self._target)
            return
        if not self._waiting:
            self._turn(self._target, self._source, selectors.EVENT_READ)

    def _turn(self, old: IO[bytes], new: IO[bytes], event: int) -> None:
        self._watched.unregister(old)
        self._watched.register(new, event)

    def _close(self, watched: IO[bytes]) -> None:
        self._watched.unregister(watched)
        self._source.close()
        self._target.close()


def _not_passed(end: Program | End, what: str, error: OSError) -> ChyvesError:
    name = end.name if isinstance(end, End) else end[1][0]
    return ChyvesError(f"{name}: {what}: {error.strerror}; see to that and try again")


def _start(program: Program, env: Mapping[str, str], source: int, target: int) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own: Ctrl-C reaches chyves alone, which then ends both."""
    file, argv = program
    return subprocess.Popen(
        [file, *argv[1:]],
        stdin=source,
        stdout=target,
        stderr=subprocess.PIPE,
        env=dict(env),
        start_new_session=True,
        bufsize=0,
    )


def _end(programs: Sequence[subprocess.Popen[bytes]]) -> None:
    """End what still runs of both, and collect it."""
    for program in programs:
        if program.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        for stream in (program.stdin, program.stdout, program.stderr):
            if stream:
                with suppress(OSError):
                    stream.close()
