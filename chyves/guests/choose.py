"""The guests that a target means (chyves.targets): those named, and those that are as it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.names import shown
from chyves.properties import Guest
from chyves.targets import GROUP, POOL, RUNNING, STATE, STOPPED, Like, Name, terms

if TYPE_CHECKING:
    from chyves.pools.holdings import GuestHolding, Holdings


class Choice:
    """What is looked at to choose guests, each once for a whole target and only where it is asked for."""

    def __init__(self, holdings: Holdings) -> None:
        self.holdings = holdings

    @cached_property
    def properties(self) -> Mapping[str, Guest]:
        """Of every guest whose file can be read; the others are warned of, and are not chosen by what they are like."""
        return self.holdings.each_properties(self.holdings.host.terminal.warn)

    @cached_property
    def running(self) -> frozenset[str]:
        """The guests that run."""
        host = self.holdings.host
        return frozenset(name for name in running.recorded(host) if running.living(host, name) is not None)

    def of(self, part: str) -> list[GuestHolding]:
        """The guests of one part, by name; raises ChyvesError where there is none."""
        wanted = terms(part)
        named = [self.holdings.guest(term.name).name for term in wanted if isinstance(term, Name)]
        alike = [term for term in wanted if isinstance(term, Like)]
        found = [name for name in named or self.holdings.guests if all(self._holds(term, name) for term in alike)]
        if not found:
            group = part.startswith(GROUP) and len(wanted) == 1
            why = "no guest is in this group; see: chyves list groups" if group else "no guest is so; see: chyves list"
            raise ChyvesError(f"{shown(part)}: {why}")
        return [self.holdings.guest(name) for name in found]

    def _holds(self, term: Like, name: str) -> bool:
        try:
            return term.holds(self._text(term.what, name))
        except ValueError:
            return False  # a value that is none of its type's equals none; the guest's own commands tell of it

    def _text(self, what: str, name: str) -> str | None:
        if what == STATE:
            return RUNNING if name in self.running else STOPPED
        if what == POOL:
            return self.holdings.guests[name].pool.name
        guest = self.properties.get(name)
        return None if guest is None else guest.counting(what)


def chosen(holdings: Holdings, parts: Iterable[str]) -> list[GuestHolding]:
    """The guests of a target's parts, each once, in the order in which the parts have them; raises ChyvesError."""
    choice = Choice(holdings)
    return list({holding.name: holding for part in parts for holding in choice.of(part)}.values())
