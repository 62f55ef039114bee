"""Letting a signal end a step that takes long and can be left anywhere."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chyves.errors import Interrupted
from chyves.host.undo import SIGNALS


@contextmanager
def at_once() -> Iterator[None]:
    """Raise Interrupted as soon as a signal comes, instead of after the step as chyves.host.undo does.

    For a step within an Undo that only fills what the steps back destroy. A second signal changes nothing. One that is
    swallowed by the code it arrives in still ends the step.
    """
    came: list[Interrupted] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not came:
            text = f"stopped by {signal.Signals(number).name}; what was done has been taken back"
            came.append(Interrupted(number, text))
            raise came[0]

    heeded = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise came[0]
