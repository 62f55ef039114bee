"""Signals while something is waited for that goes on without this process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chyves.errors import Interrupted
from chyves.host.undo import SIGNALS


@contextmanager
def told(guest: str, rest: str) -> Iterator[None]:
    """Have a signal that would end this process end the wait, at once, with Interrupted, which says `rest`.

    A signal that the process ignores (nohup(1)) stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number, f"{guest}: no longer waited for ({signal.Signals(number).name}); {rest}")

    before = {
        number: signal.signal(number, interrupt)
        for number in SIGNALS
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
