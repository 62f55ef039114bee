"""Two programs with a pipe between them, through which this process hands what the one writes to the other.

So they end with it: killed, it leaves the one without a reader and the other with a stream that is cut off, and none of
them goes on with what nobody looks after any more.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from chyves.errors import ProgramFailed
from chyves.host import undo

CHUNK = 1 << 20
GLANCE = 0.2
"""Seconds after which a signal that was noted while nothing flowed is acted on."""

READER_GONE = ("Broken pipe", "signal received")
"""What zfs send says when zfs receive has ended: then the words of the latter are the reason."""

Program = tuple[str, Sequence[str]]
"""A program's file and its words, the first of which is its name."""


class Pipeline:
    """One run of `first | second`."""

    def __init__(self, first: Program, second: Program, env: Mapping[str, str]) -> None:
        self.argv = (first[1], second[1])
        self._said = [bytearray(), bytearray()]
        self._sender = _start(first, env, subprocess.DEVNULL, subprocess.PIPE)
        try:
            self._receiver = _start(second, env, subprocess.PIPE, subprocess.DEVNULL)
        except BaseException:
            _end([self._sender])
            raise
        self._programs = (self._sender, self._receiver)

    def run(self, heed: Callable[[int], None]) -> None:
        """Wait until both have ended; `heed` is told how many bytes more have passed.

        Raises ProgramFailed with the words of the one that failed first, and with those of the other in a note;
        Interrupted when a signal came, which ends both.
        """
        try:
            self._pass(heed)
            for program in self._programs:
                program.wait()
        finally:
            _end(self._programs)
        self._tell()

    def _pass(self, heed: Callable[[int], None]) -> None:
        """Hand on what flows, and listen to what both say, until both have closed all they had."""
        with selectors.DefaultSelector() as watched:
            flow = _Flow(watched, self._sender.stdout, self._receiver.stdin, heed)
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
        if len(failed) == 2 and any(words in said[0] for words in READER_GONE):
            cause = 1
        error = ProgramFailed(self.argv[cause], self._programs[cause].returncode, said[cause])
        if said[1 - cause]:
            error.add_note(said[1 - cause])
        raise error


class _Flow:
    """What goes from one pipe to the other; waits for neither, so that a signal is heeded whoever hangs."""

    def __init__(
        self, watched: selectors.BaseSelector, source: IO[bytes] | None, target: IO[bytes] | None,
        heed: Callable[[int], None],
    ) -> None:  # fmt: skip
        assert source and target
        self._watched, self._source, self._target, self._heed = watched, source, target, heed
        self._waiting = memoryview(b"")
        os.set_blocking(target.fileno(), False)
        watched.register(source, selectors.EVENT_READ)

    def go_on(self) -> None:
        """Write what waits, or read more, as whichever is possible now."""
        if self._waiting:
            self._write()
            return
        data = os.read(self._source.fileno(), CHUNK)
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
        except BrokenPipeError:
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
