"""Start guests as the host does when it boots, each in its turn."""

from __future__ import annotations

import time

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.each import each
from chyves.guests.order import Wish, boot_plan, wish_of
from chyves.guests.standing import Standing
from chyves.guests.start import start_one
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.targets import Target, named


def boot(host: Host, guest: Target) -> None:
    """Start guests by falling rcboot and then by name, each when those of its rcboot_after are up.

    `all` means those whose rcboot is above 0, and a template is started only where it is named (and refused). One that
    runs already is passed over. After a start its rcboot_delay is waited, and nothing else is.
    """
    holdings = Holdings.read(host)
    wishes: list[Wish] = []
    refused: dict[str, str] = {}
    for holding in holdings.find(guest):
        try:
            if holding.name in named(guest) or _wanted(holding, guest):
                wishes.append(wish_of(holding.properties))
        except ChyvesError as error:
            refused[holding.name] = str(error)
    plan = boot_plan(wishes, lambda name: _absent(holdings, name, guest == "all"))
    refused |= plan.refused
    turns = _Turns(host, holdings, refused)
    each(host, [holdings.guest(name) for name in (*plan.order, *refused)], turns.take)


def _wanted(holding: GuestHolding, target: Target) -> bool:
    """Whether a guest is meant that was not named."""
    return not holding.properties.template and (target != "all" or holding.properties.rcboot > 0)


def _absent(holdings: Holdings, name: str, with_host: bool) -> str:
    """Why a guest that is not to be started is not up, for a plan."""
    if name not in holdings.guests:
        return "does not exist; set rcboot_after anew"
    if running.supervisor(holdings.host, name) is not None:
        return ""
    if holdings.guests[name].properties.template:
        return "is a template; set rcboot_after anew"
    return f"{'has rcboot=0' if with_host else 'does not run'}; start that first"


class _Turns:
    """Guests that take their turns, and what has become of those before."""

    def __init__(self, host: Host, holdings: Holdings, refused: dict[str, str]) -> None:
        self.host, self.holdings, self.refused = host, holdings, refused
        self.standing = Standing(host)
        self.failed: set[str] = set(refused)
        self.delay = 0

    def take(self, holding: GuestHolding) -> None:
        """Start a guest, once the one before has had its time; raises ChyvesError with what keeps it."""
        name = holding.name
        if name in self.refused:
            raise ChyvesError(self.refused[name])
        if running.supervisor(self.host, name) is not None:
            self.host.terminal.say(2, f"{name}: runs already")
            return
        try:
            self._refuse_after_failed(holding)
            self._wait()
            start_one(self.standing, name)
        except ChyvesError:
            self.failed.add(name)
            raise
        self.delay = holding.properties.rcboot_delay

    def _refuse_after_failed(self, holding: GuestHolding) -> None:
        for other in holding.properties.rcboot_after:
            if other in self.failed:
                raise ChyvesError(
                    f"{holding.name}: is not started: it comes after {other} (rcboot_after), which is not up"
                )

    def _wait(self) -> None:
        """Wait as long as the guest that was started last wants the others to."""
        seconds, self.delay = self.delay, 0
        if self.host.dry and seconds:
            self.host.run.do("sleep", str(seconds))
        elif seconds:
            self.host.terminal.say(2, f"waiting {seconds} s (rcboot_delay)")
            time.sleep(seconds)
