"""Signals while something is waited for that goes on without this process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from chyves.errors import Interrupted
from chyves.host.undo import SIGNALS, noted


class _Ended(BaseException):
    """A signal came: not an error, so that nothing that stands by errors (a log that cannot be written) keeps it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def told(guest: str, rest: str) -> Iterator[None]:
    """Have a signal that would end this process end the wait, at once, with Interrupted, which says `rest`.

    So does one that an Undo around it has noted. A signal that the process ignores (nohup(1)) stays ignored.
    """

    before: dict[int, Any] = {}

    def interrupt(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)  # the wait ends once
        raise _Ended(number)

    try:
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.getsignal(number)
                signal.signal(number, interrupt)
        came = noted()
        if came is not None:
            raise _Ended(came)
        yield
    except _Ended as ended:
        name = signal.Signals(ended.number).name
        raise Interrupted(ended.number, f"{guest}: no longer waited for ({name}); {rest}") from None
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)
