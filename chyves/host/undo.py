"""Undo: what was done is taken back, last first, unless all of it was done."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from chyves.errors import Interrupted

if TYPE_CHECKING:
    from threading import Timer

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PATIENCE = 10.0
"""Seconds that a program which is waited for is given to end by itself once a signal has come."""

_open: list[Undo] = []
"""Those that are being worked on now, the outermost first."""

_waits: list[Wait] = []
"""What is being waited for now."""


class Undo:
    """The steps that take back the steps done so far.

    A signal is noted when it comes and acted on between two steps, so that no step is ever done without its way back
    being known; while steps are taken back, it waits for the end of that. A step back that fails does not keep the
    others from being run; it is told in a note of the error. One Undo within a step of another leaves its signals to
    the outer one when it has ended. A signal that the process ignores (nohup(1)) stays ignored.

    Raises Interrupted: at the next step after a signal; or at the end, where the signal came in the last step, whose
    work is then kept.
    """

    def __init__(self) -> None:
        self._back: list[tuple[str, Callable[[], Any]]] = []
        self._signals: list[int] = []
        self._before: dict[int, Any] = {}
        self._taking_back = False

    def do(self, act: Callable[[], T], back: Callable[[], Any] | None = None, what: str = "") -> T:
        """Do a step; `back` takes it back and `what` says in words what that does (`remove tap5`).

        A step without `back` is taken back by that of an earlier one (a dataset within a dataset).
        """
        number = noted()
        if number is not None:
            raise stopped_by(number)
        done = act()
        if back is not None:
            self._back.append((what, back))
        return done

    def __enter__(self) -> Self:
        _open.append(self)
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._taking_back = error is not None
        try:
            while error is not None and self._back:
                what, back = self._back.pop()
                try:
                    back()
                except BaseException as failure:
                    error.add_note(f"could not {what}: {failure}")
        finally:
            _open.remove(self)
            for number, handler in self._before.items():
                signal.signal(number, handler)
        self._pass_on(error)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)
        if noted() is not None:
            for wait in _waits:
                wait.limit()

    @staticmethod
    def _first() -> int:
        """The signal that came first, of those noted at any level."""
        return next(number for undo in _open for number in undo._signals)

    def _pass_on(self, error: BaseException | None) -> None:
        """Leave the signals to the Undo around this one, or act on them where there is none."""
        if not self._signals or isinstance(error, Interrupted):
            return
        if _open:
            _open[-1]._signals += self._signals
            return
        number = self._signals[0]
        if error is None:
            raise Interrupted(number, f"stopped by {_name(number)}, after all was done")
        told = Interrupted(number, f"{error}; then stopped by {_name(number)}")
        for note in getattr(error, "__notes__", ()):
            told.add_note(note)
        raise told from error


class Wait:
    """While something is waited for: `end` ends it where a signal has come and it then goes on for PATIENCE seconds.

    A program that hangs would make chyves deaf otherwise. What takes something back is not ended.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._timer: Timer | None = None
        self.ended = False
        """Whether it did not end by itself."""

    def __enter__(self) -> Self:
        _waits.append(self)
        if noted() is not None:
            self.limit()
        return self

    def __exit__(self, *_: object) -> None:
        _waits.remove(self)
        if self._timer is not None:
            self._timer.cancel()

    def limit(self) -> None:
        """From now on it has PATIENCE seconds."""
        from threading import Timer

        if self._timer is None:
            self._timer = Timer(PATIENCE, self._give_up)
            self._timer.daemon = True
            self._timer.start()

    def _give_up(self) -> None:
        self.ended = True
        self._end()


def noted() -> int | None:
    """The signal that an Undo has noted and not yet acted on: what takes long ends then. None while taking back."""
    waiting = any(undo._signals for undo in _open) and not any(undo._taking_back for undo in _open)
    return Undo._first() if waiting else None


def stopped_by(number: int) -> Interrupted:
    """The error by which a signal ends what is under way."""
    return Interrupted(number, f"stopped by {_name(number)}; what was done has been taken back")


def _name(number: int) -> str:
    return signal.Signals(number).name
