"""Stop guests as the host does when it shuts down: side by side, and before the host's patience ends.

rc.shutdown(8) ends after rcshutdown_timeout seconds (rc.conf(5), 90 unless changed), and init(8) ends it after the
sysctl kern.init_shutdown_timeout (120 unless changed); what still runs then loses its power.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from chyves.errors import ChyvesError, SeveralFailed
from chyves.guests import running
from chyves.guests.each import begun
from chyves.guests.order import Turn, Wish, patience, stop_turns, wish_of
from chyves.guests.stop import asked_by, force_off, free_rest, press
from chyves.host.machine import Host
from chyves.host.signals import told
from chyves.host.undo import Undo
from chyves.names import shown
from chyves.pools.holdings import Holdings
from chyves.targets import Target
from chyves.values import Int

HOST_LIMIT = 90
"""Seconds in which rc.shutdown ends where the host does not say (rc.conf(5))."""

SHARE = 2 / 3
"""The part of the host's limit that guests have to react; the rest is for pulling plugs, and for other services."""

PULL = 3
"""Seconds that each step of pulling a plug is given here."""


def shutdown(host: Host, guest: Target, seconds: str | None = None) -> None:
    """Stop running guests side by side, those that come after another (rcboot_after) before that.

    Each has its stop_timeout to react to its power button (on arm64: to its agent), and all together `seconds`, which
    is two thirds of what the host gives unless told; the plugs of the others are pulled. Guests that do not run are
    passed over.
    """
    limit = _given(seconds) if seconds else host_limit(host) * SHARE
    work = _Shutdown(host, {one.name: one for one in _running(host, guest)}, time.monotonic() + limit)
    with Undo():
        work.run()
    if work.failed:
        raise SeveralFailed(f"{', '.join(work.failed)}: could not be stopped")


def host_limit(host: Host) -> float:
    """Seconds in which the host expects its services to have stopped."""
    told = [host.kernel.sysctl("kern.init_shutdown_timeout").get("kern.init_shutdown_timeout", "")]
    with suppress(ChyvesError):  # an rc.conf that is broken must not keep guests from being stopped
        told.append(host.run.ask("sysrc", "-n", "-i", "rcshutdown_timeout").strip())
    return min((int(text) for text in told if text.isdecimal() and int(text) > 0), default=HOST_LIMIT)


def _given(seconds: str) -> int:
    try:
        return Int(1, 86400).parse(seconds)
    except ValueError as error:
        raise ChyvesError(f"{shown(seconds)}: is no number of seconds; give {error}") from None


def _running(host: Host, guest: Target) -> list[Wish]:
    """The guests that are to stop; all of them also where their pools or files cannot be read."""
    if guest != "all":
        wanted = Holdings.read(host).find(guest)
        return [wish_of(holding.properties) for holding in wanted if running.recorded_of(host, holding.name)]
    found = {name: Wish(name) for name in running.recorded(host)}
    try:
        holdings = Holdings.read(host)
    except ChyvesError as error:
        host.terminal.warn(str(error))
        return list(found.values())
    for name in found:
        try:
            found[name] = wish_of(holdings.guest(name).properties)
        except ChyvesError as error:
            host.terminal.warn(str(error))
    return list(found.values())


@dataclass
class _Shutdown:
    """Guests on their way down until `end`; `pressed` are those that were asked, with their supervisor and deadline."""

    host: Host
    wishes: dict[str, Wish]
    end: float
    failed: list[str] = field(default_factory=list)
    pressed: dict[str, tuple[int, float]] = field(default_factory=dict)
    waiting: dict[str, Turn] = field(default_factory=dict)

    def run(self) -> None:
        self.waiting = stop_turns(self.wishes.values())
        while self.waiting or self.pressed:
            for name in self._ready():
                self._ask(name, self.waiting.pop(name))
            with begun(list(self.waiting)):
                self._pull(self._look())

    def _ready(self) -> list[str]:
        """Those whose turn has come: what comes after them is off."""
        on = {*self.waiting, *self.pressed}
        return [name for name, turn in self.waiting.items() if not turn.behind & on]

    def _ask(self, name: str, turn: Turn) -> None:
        """Press a guest's button; where that cannot be, its plug is pulled."""
        now = time.monotonic()
        given = patience(self.wishes[name].stop_timeout, turn, self.end - now)
        try:
            supervisor = press(self.host, name)
        except ChyvesError as error:
            if running.recorded_of(self.host, name):
                self.host.terminal.warn(str(error))
                self._off(name)
            return
        self.host.terminal.say(1, f"{name}: stopping")
        if not self.host.dry:
            self.pressed[name] = (supervisor, now + given)

    def _look(self) -> list[str]:
        """Wait until a guest is off or its time is; those whose time is over."""
        if not self.pressed:
            return []
        pids = {supervisor: name for name, (supervisor, _) in self.pressed.items()}
        first = min(deadline for _, deadline in self.pressed.values())
        with told(", ".join(self.pressed), "asked to go off, so that they may still do; see: chyves list"):
            ended = self.host.processes.wait_for_some(pids, max(0.0, first - time.monotonic()))
        for pid in ended:
            del self.pressed[pids[pid]]
            self._rest(pids[pid])
        now = time.monotonic()
        return [name for name, (_, deadline) in self.pressed.items() if deadline <= now]

    def _rest(self, name: str) -> None:
        try:
            free_rest(self.host, name)
        except ChyvesError as error:
            self._fail(name, error)
        else:
            self.host.terminal.say(2, f"{name}: is off", logged=True)

    def _pull(self, late: Sequence[str]) -> None:
        for name in late:
            asked, _ = asked_by(self.host, name)
            self.host.terminal.warn(f"{name}: did not react to {asked} in time; its plug is pulled")
            del self.pressed[name]
            self._off(name)

    def _off(self, name: str) -> None:
        try:
            force_off(self.host, name, PULL)
        except ChyvesError as error:
            self._fail(name, error)

    def _fail(self, name: str, error: ChyvesError) -> None:
        self.host.terminal.failed(error)
        self.failed.append(name)
