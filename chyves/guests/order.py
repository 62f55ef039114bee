"""In which order guests start with the host and stop with it: pure, from what rcboot and rcboot_after say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from chyves.errors import ChyvesError
from chyves.properties import Guest


@dataclass(frozen=True)
class Wish:
    """What a guest's properties say of its turn; `stop_timeout` is in seconds."""

    name: str
    rcboot: int = 0
    after: tuple[str, ...] = ()
    stop_timeout: int = 60


def wish_of(guest: Guest) -> Wish:
    """The wish that a guest's properties are; raises PropertyError for values that cannot be."""
    return Wish(guest.owner, guest.rcboot, guest.rcboot_after, guest.stop_timeout)


def refuse_ring(guest: Guest, everyone: Mapping[str, Guest]) -> None:
    """Raise ChyvesError where a guest would come after itself."""
    ring = _ring(guest.owner, {name: wish_of(other) for name, other in everyone.items()})
    if ring:
        chain = ", ".join((*ring, guest.owner))
        raise ChyvesError(f"{guest.owner}: rcboot_after: leads back to it ({chain}); take one of them out")


@dataclass(frozen=True)
class BootPlan:
    """The guests in the order of their starts, and why others are not started, a sentence each."""

    order: tuple[str, ...]
    refused: Mapping[str, str]


Absent = Callable[[str], str]
"""Why a guest that is not to be started is not up either, as the end of a sentence; empty where it is up."""


def boot_plan(wishes: Iterable[Wish], absent: Absent) -> BootPlan:
    """The order in which guests start: by falling rcboot, then by name, each behind those that it comes after.

    A guest is refused where its rcboot_after leads back to it, or names one that will not be up.
    """
    return _Boot(wishes, absent).plan()


class _Boot:
    def __init__(self, wishes: Iterable[Wish], absent: Absent) -> None:
        self.wanted = {wish.name: wish for wish in sorted(wishes, key=_rank)}
        self.absent = absent
        self.order: list[str] = []
        self.refused: dict[str, str] = {}

    def plan(self) -> BootPlan:
        for name in self.wanted:
            ring = _ring(name, self.wanted)
            if ring:
                chain = ", ".join((*ring, name))
                self.refused[name] = f"rcboot_after leads back to it ({chain}); take one of them out"
        for name in self.wanted:
            self._place(name)
        told = {name: f"{name}: is not started: {why}" for name, why in self.refused.items()}
        return BootPlan(tuple(self.order), told)

    def _place(self, name: str) -> None:
        if name in self.order or name in self.refused:
            return
        others = self.wanted[name].after
        for other in sorted((other for other in others if other in self.wanted), key=list(self.wanted).index):
            self._place(other)
        for other in others:
            why = "is not started either" if other in self.refused else ""
            if other not in self.wanted:
                why = self.absent(other)
            if why:
                self.refused[name] = f"it comes after {other} (rcboot_after), which {why}"
                return
        self.order.append(name)


def _rank(wish: Wish) -> tuple[int, str]:
    return -wish.rcboot, wish.name


def _ring(name: str, wanted: Mapping[str, Wish]) -> tuple[str, ...]:
    """The guests over which a guest comes after itself, beginning with it; none where it does not."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen: set[str] = set()
    for way in ways:
        for other in wanted[way[-1]].after:
            if other == name:
                return way
            if other in wanted and other not in seen:
                seen.add(other)
                ways.append((*way, other))
    return ()


@dataclass(frozen=True)
class Turn:
    """When a guest stops: once those of `behind` are off; `left` guests in a row, it among them, stop from then on."""

    behind: frozenset[str] = field(default_factory=frozenset)
    left: int = 1


def stop_turns(wishes: Iterable[Wish]) -> dict[str, Turn]:
    """The turns in which running guests stop: each when those that come after it are off.

    Guests whose rcboot_after leads back to them do not wait for one another.
    """
    wanted = {wish.name: wish for wish in sorted(wishes, key=_rank, reverse=True)}
    free = {name for name in wanted if _ring(name, wanted)}
    on = {
        name: [other for other in wish.after if other in wanted and not {name, other} <= free]
        for name, wish in wanted.items()
    }

    def left(name: str) -> int:
        return 1 + max(map(left, on[name]), default=0)

    return {name: Turn(frozenset(other for other in on if name in on[other]), left(name)) for name in wanted}


def patience(stop_timeout: float, turn: Turn, remaining: float) -> float:
    """Seconds that a guest is given to react to its button: its own, but no more than its share of what remains.

    Those that stop after it have to have their shares too.
    """
    return max(0.0, min(stop_timeout, remaining / turn.left))
