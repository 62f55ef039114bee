"""Keeping what a guest's serial console shows: a relay between the guest's null-modem pair and the user's.

bhyve and the loaders have the A end of a pair of the guest's own; its B end, and the A end of the pair that users
join, are held here. What the guest sends goes to the user and into a file; what the user types goes to the guest.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chyves.errors import ChyvesError
from chyves.host.rotation import RotatedFile

if TYPE_CHECKING:
    from chyves.host.run import Runner

READ = 1 << 14
WAITING = 1 << 14
"""Bytes kept for a user who does not read; older ones are dropped, so that the guest is never held up."""

LAST_WORDS = 200
"""Milliseconds without a byte after which a guest that has ended has said its last."""

LAST_READS = 1000

KEPT = 1 << 12
"""Bytes of the console that are kept in memory, for a message about a guest that did not come up."""

DRAIN, LEAVE = b".", b","
"""What is told to the thread: to end once the guest's last words are kept, or at once."""

GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL
"""Events of a line that is no more, which come whether they are waited for or not."""


class Recorder:
    """Relays one console in a thread of this process, which sleeps while nothing is said."""

    def __init__(self, guest: int, user: int, file: RotatedFile | None, tell: Callable[[str], None]) -> None:
        """`guest` and `user` are the ends, opened by `ends`; `tell` gets a sentence when the relay ends too early."""
        self._guest, self._user = guest, user
        self._file, self._tell = file, tell
        self._to_guest = self._to_user = self.last = b""
        self._stopping, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        # Signals are for the main thread: another would take them without waking it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def alive(self) -> bool:
        """Whether it still relays."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the relay once the guest's last words are kept."""
        self._end(DRAIN)
        for descriptor in (self._guest, self._user):
            os.close(descriptor)

    def leave(self) -> tuple[int, int]:
        """End the relay at once; the ends stay open and keep what comes, for another that goes on with them.

        What the user's terminal, or the guest, has not taken by then is lost.
        """
        self._end(LEAVE)
        return self._guest, self._user

    def _end(self, how: bytes) -> None:
        os.write(self._stop, how)
        self._thread.join()
        for descriptor in (self._stopping, self._stop):
            os.close(descriptor)

    def _work(self) -> None:
        try:
            while self._carry(None):
                pass
            if os.read(self._stopping, 1) == LEAVE:
                return
            for _ in range(LAST_READS):
                if not self._carry(LAST_WORDS):
                    break
        except OSError as error:
            self._tell(f"the console is no longer relayed: {error.strerror}; it will be at the next start")
        finally:
            if self._file is not None:
                self._file.close()

    def _carry(self, wait: int | None) -> bool:
        """Wait for bytes, and carry them; False once that is to stop, or nothing came within `wait` milliseconds."""
        poll = select.poll()
        if wait is None:
            poll.register(self._stopping, select.POLLIN)
        poll.register(self._guest, select.POLLIN | (select.POLLOUT if self._to_guest else 0))
        # What is typed waits in the line while the guest does not take it.
        poll.register(self._user, (0 if self._to_guest else select.POLLIN) | (select.POLLOUT if self._to_user else 0))
        ready = dict(poll.poll(wait))
        if self._guest in ready:
            self._from_guest()
        if self._user in ready and (not self._to_guest or ready[self._user] & GONE):
            self._to_guest += _read(self._user)
        self._to_user = _written(self._user, self._to_user)
        self._to_guest = _written(self._guest, self._to_guest)
        return bool(ready) and self._stopping not in ready and (wait is None or self._guest in ready)

    def _from_guest(self) -> None:
        data = _read(self._guest)
        if data:
            self.last = (self.last + data)[-KEPT:]
            if self._file is not None:
                self._file.write(data)
            self._to_user = (self._to_user + data)[-WAITING:]


def ends(run: Runner, guest: Path, user: Path) -> tuple[int, int]:
    """Open the ends that a relay holds; raises ChyvesError where one cannot be."""
    first = opened_end(run, guest)
    try:
        return first, opened_end(run, user)
    except BaseException:
        os.close(first)
        raise


def opened_end(run: Runner, path: Path) -> int:
    """An end of a null-modem pair, raw, and deaf to the carrier, which goes whenever the other end is closed.

    Looking at the name makes the pair where there is none (nmdm(4)). Raises ChyvesError.
    """
    import termios
    import tty

    run.ask("stat", str(path))
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise ChyvesError(f"{path}: cannot be opened: {error.strerror}; is nmdm loaded?") from None
    tty.setraw(descriptor, termios.TCSANOW)
    modes = termios.tcgetattr(descriptor)
    modes[2] = (modes[2] | termios.CLOCAL | termios.CREAD) & ~termios.HUPCL
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)
    return descriptor


def _read(descriptor: int) -> bytes:
    """What has come; raises OSError at the end of the line itself, which a null modem does not have."""
    with suppress(BlockingIOError):
        data = os.read(descriptor, READ)
        if not data:
            raise OSError(0, "the null-modem pair is gone")
        return data
    return b""


def _written(descriptor: int, data: bytes) -> bytes:
    """What of the bytes the line did not take."""
    with suppress(BlockingIOError):
        while data:
            data = data[os.write(descriptor, data) :]
    return data
