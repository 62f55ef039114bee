"""Hearing what comes over a terminal line, without a word said on it."""

from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from chyves.host.recorder import opened_end

if TYPE_CHECKING:
    from chyves.host.run import Runner

READ = 1 << 14


class Listener:
    """Reads a line in a thread of its own, so that who writes is never held up; used with `with`."""

    def __init__(self, run: Runner, path: Path) -> None:
        """Raises ChyvesError where there is no such line."""
        self._line = opened_end(run, path)
        self._stopping, self._stop = os.pipe()
        self._heard: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def text(self) -> bytes:
        """What has come since this was asked last."""
        count = len(self._heard)
        heard, self._heard[:count] = b"".join(self._heard[:count]), []
        return heard

    def __enter__(self) -> Self:
        # Signals are for the main thread: another would take them without waking it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop, b".")
        self._thread.join()
        for descriptor in (self._line, self._stopping, self._stop):
            os.close(descriptor)

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self._stopping, select.POLLIN)
        poll.register(self._line, select.POLLIN)
        try:
            while self._stopping not in (ready := dict(poll.poll())):
                data = os.read(self._line, READ) if ready else b""
                if not data:
                    return
                self._heard.append(data)
        except OSError:
            return  # the line is gone, and with it what could be heard
