"""What is known of a house that many hands change: whose name is whose, and which settings must be there."""

from __future__ import annotations

import itertools
import math
import random
import threading
from dataclasses import dataclass, field

HANDS = 8
UNKNOWN = math.inf
"""When what was killed came to its end: the next command may finish it, or take it back."""


@dataclass
class Span:
    """A command from its begin to its end, in the order of events; `sure` is that it said it was done."""

    begin: float
    end: float
    sure: bool


@dataclass
class Setting(Span):
    """A hand has given its own property of a guest a value, higher than any before."""

    hand: int
    value: int


@dataclass
class Snapshot(Span):
    """A snapshot of a guest."""

    name: str


@dataclass
class Rollback(Span):
    """A guest went back to a snapshot."""

    to: Snapshot


@dataclass
class Guest:
    """One guest, by all names that it has or may have."""

    names: list[str]
    made: Span
    origin: Guest | None = None
    gone: Span | None = None
    settings: list[Setting] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    rollbacks: list[Rollback] = field(default_factory=list)

    def certain(self, setting: Setting) -> bool:
        """Whether a setting is there still: no rollback that was not over before it went back behind it."""
        return setting.sure and all(back.end < setting.begin or setting.end < back.to.begin for back in self.rollbacks)

    def least(self, hand: int) -> int:
        """The value that the property of a hand must have at least."""
        own = [setting.value for setting in self.settings if setting.hand == hand and self.certain(setting)]
        return max([0, *own, *self._inherited(hand)])

    def _inherited(self, hand: int) -> list[int]:
        if self.origin is None:
            return []
        return [
            setting.value
            for setting in self.origin.settings
            if setting.hand == hand and setting.end < self.made.begin and self._came_along(setting)
        ]

    def _came_along(self, setting: Setting) -> bool:
        """Whether what the original had was there when this one was cloned, and no rollback here went behind that."""
        origin = self.origin
        assert origin is not None
        before = [back for back in origin.rollbacks if back.begin < self.made.end]
        return setting.sure and all(back.end < setting.begin or setting.end < back.to.begin for back in before)

    def tried(self, hand: int) -> set[int]:
        """All values that the property may have: those that were given, to it or to what it is a clone of."""
        own = {setting.value for setting in self.settings if setting.hand == hand}
        return {0, *own, *(self.origin.tried(hand) if self.origin else ())}


class Register:
    """The guests, and the order in which commands begin and end."""

    def __init__(self, names: list[str]) -> None:
        self.lock = threading.Lock()
        self._ticks = itertools.count(1)
        self._numbers = itertools.count(1)
        self.guests = [Guest([name], Span(0, 0, True)) for name in names]

    def tick(self) -> int:
        """A moment later than any before."""
        return next(self._ticks)

    def name(self) -> str:
        """A name that no guest had."""
        return f"n{next(self._numbers):04}"

    def number(self) -> int:
        """A value higher than any before."""
        return next(self._ticks)

    def some(self, chance: random.Random) -> tuple[Guest, str]:
        """A guest that may be there, by one of its names."""
        with self.lock:
            guest = chance.choice([guest for guest in self.guests if guest.gone is None and guest.made.sure])
            return guest, chance.choice(guest.names)
