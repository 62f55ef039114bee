"""File systems of guests that stand still, so that a snapshot has them whole; and that never stay so.

The agent in a guest freezes them until it is told otherwise: it has no limit of time of its own. So a note is written
down before a guest is frozen, and removed once it is thawed; a process of its own (chyves.guests.thawer) thaws what has
a note when the command that froze it has ended, in whatever way, or when its time is over; and should that have been
killed too, the next command that changes something does.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.guests import agent, running
from chyves.guests.agent_verbs import dry_ask, with_agent
from chyves.guests.each import each
from chyves.guests.supervise import own_program
from chyves.host.agent import Silent
from chyves.host.machine import Host
from chyves.host.run import show
from chyves.host.undo import Undo
from chyves.pools.holdings import GuestHolding
from chyves.targets import Target

LIMIT = 60
"""Seconds that guests stay frozen at most, unless told."""
PATIENCE = 20.0
"""Seconds that an agent is given to freeze: it writes out what the guest has in memory first."""
REACH = 10.0
"""Seconds that are spent on reaching an agent that is to thaw."""
FREEZE, THAW = "guest-fsfreeze-freeze", "guest-fsfreeze-thaw"
PAUSE = 0.1
NOBODY = "-"
"""Instead of a descriptor: the thawer waits for its time alone."""


def by_hand(host: Host, guest: Target, seconds: str | None = None) -> None:
    """Freeze the file systems of guests until they are thawed, and for so many seconds at most."""
    limit = int(seconds) if seconds else LIMIT
    each(host, with_agent(host, guest), lambda holding: _by_hand(host, holding.name, limit))


def _by_hand(host: Host, name: str, limit: int) -> None:
    if host.dry:
        dry_ask(host, name, FREEZE)
        host.run.do("sleep", str(limit))
        dry_ask(host, name, THAW)
        return
    with host.locks.hold(f"guest.{name}"):
        mark = secrets.token_hex(8)
        _refuse_frozen(host, name)
        host.run.detach(own_program("chyves.guests.thawer", mark, str(limit), NOBODY, name))
        with Undo() as undo:
            number = undo.do(lambda: freeze(host, name, mark, until=time.monotonic() + limit))
        host.terminal.say(1, f"{name}: {_counted(number)} frozen, for {limit} s at most")


def thaw_by_hand(host: Host, guest: Target) -> None:
    """Thaw the file systems of guests."""
    each(host, with_agent(host, guest), lambda holding: _thaw_by_hand(host, holding))


def _thaw_by_hand(host: Host, holding: GuestHolding) -> None:
    if host.dry:
        dry_ask(host, holding.name, THAW)
        return
    with host.locks.hold(f"guest.{holding.name}"):
        with Undo() as undo:
            number = undo.do(lambda: thaw(host, holding.name))
        host.terminal.say(1, f"{holding.name}: {_counted(number)} thawed")


def _counted(number: int) -> str:
    return f"{number} file system{'' if number == 1 else 's'}"


@contextmanager
def watched(host: Host, names: Sequence[str]) -> Iterator[str]:
    """Have what is frozen of these guests meanwhile thawed when this process has ended; the mark of their notes.

    Also after LIMIT seconds.
    """
    mark = secrets.token_hex(8)
    if host.dry or not names:
        yield mark
        return
    reading, writing = os.pipe()
    try:
        try:
            host.run.detach(
                own_program("chyves.guests.thawer", mark, str(LIMIT), str(reading), *names), keep=(reading,)
            )
        finally:
            os.close(reading)
        yield mark
    finally:
        os.close(writing)


@contextmanager
def frozen_guests(
    host: Host, names: Sequence[str], done: str = "the snapshot is taken"
) -> Iterator[Callable[[], None]]:
    """Freeze all these guests, and thaw them at the end, whatever that is; what is given raises for one that is not.

    Raises ChyvesError where one cannot be frozen, and then none is; or could not be thawed, once all was tried. `done`
    says then what was done meanwhile.
    """
    failed: list[ChyvesError] = []
    with watched(host, names) as mark, Undo() as undo:
        counts: dict[str, int] = {}
        for name in names:
            steps = partial(freeze, host, name, mark), partial(thaw, host, name)
            counts[name] = undo.do(*steps, f"thaw {name}, which the next command tries again")
            host.terminal.say(2, f"{name}: {_counted(counts[name])} frozen")
        yield partial(_refuse_thawed, host, [name for name in names if counts[name]])
        for name in names:
            try:
                thaw(host, name)
            except ChyvesError as error:
                failed.append(error)
            else:
                host.terminal.say(2, f"{name}: thawed")
    if failed:
        told = "; ".join(map(str, failed))
        raise ChyvesError(f"{told}; {done}, and the next command tries again to thaw")


def _refuse_thawed(host: Host, names: Sequence[str]) -> None:
    """Raise ChyvesError where what was frozen is not any more: somebody has thawed it, or its time was over."""
    for name in names:
        if not frozen(host, name):
            raise ChyvesError(f"{name}: was thawed before its snapshot was taken; take it again")


def freeze(host: Host, name: str, mark: str, until: float = 0.0) -> int:
    """Freeze the file systems of a guest; how many. They are thawed again where that ends in the middle.

    `until` is by time.monotonic: up to then no command takes them for left behind, once they are frozen. Raises
    NoAgent, AgentRefused, and ChyvesError where they are frozen already.
    """
    if host.dry:
        show(["chyves", name, "agent", "freeze"])
        return 0
    _refuse_frozen(host, name)
    asked = False
    try:
        with agent.talking(host, name, agent.LIMIT) as talk:
            host.files.write(_note(host, name), f"{mark} 0.0\n")
            asked = True
            number = _number(talk.ask(FREEZE, seconds=PATIENCE))
            if until:
                host.files.write(_note(host, name), f"{mark} {until}\n")
            return number
    except agent.AgentRefused:
        host.files.remove(_note(host, name))  # the agent itself thaws what it could not freeze to the end
        raise
    except BaseException as error:
        # Only now, as the port listens to one conversation at a time.
        try:
            if asked:
                thaw(host, name)
        except ChyvesError as failure:
            error.add_note(f"could not thaw {name}, which the next command tries again: {failure}")
        raise


def _refuse_frozen(host: Host, name: str) -> None:
    if noted(host, name) is not None:
        raise ChyvesError(f"{name}: is frozen already; thaw it first: chyves {name} agent thaw")


def _number(told: object) -> int:
    """How many file systems an agent has told of; raises Silent."""
    if not isinstance(told, int):
        raise Silent("answered what is not understood")
    return told


def frozen(host: Host, name: str) -> bool:
    """Whether the agent says that file systems of the guest are frozen; raises NoAgent, AgentRefused."""
    return bool(agent.ask(host, name, "guest-fsfreeze-status") == "frozen")


def thaw(host: Host, name: str) -> int:
    """Thaw the file systems of a guest; how many were frozen. Raises NoAgent, AgentRefused, and the note stays.

    Its time is over from now on, so that the next command finishes what does not come to its end here.
    """
    if host.dry:
        show(["chyves", name, "agent", "thaw"])
        return 0
    note = noted(host, name)
    if note is not None and note[1]:
        with suppress(ChyvesError):  # what cannot be written must not keep the guest frozen
            host.files.write(_note(host, name), f"{note[0]} 0.0\n")
    deadline = time.monotonic() + REACH
    while True:
        try:
            with agent.talking(host, name, REACH) as talk:
                number = _number(talk.ask(THAW, seconds=REACH))
            break
        except agent.NoAgent:
            if time.monotonic() > deadline or running.living(host, name) is None:
                raise
            time.sleep(PAUSE)
    try:
        host.files.remove(_note(host, name))
    except ChyvesError as error:
        raise ChyvesError(f"{name}: is thawed; the next command sees to what is noted of it: {error}") from None
    return number


def noted(host: Host, name: str) -> tuple[str, float] | None:
    """The mark of what is frozen of a guest, and until when it may be; None where nothing is noted."""
    try:
        mark, _, until = _note(host, name).read_text().strip().partition(" ")
        return mark, float(until)
    except (OSError, ValueError):
        return None


def settle(host: Host, name: str) -> None:
    """Thaw a guest that a command which was killed has left frozen; the caller has locked the guest."""
    note = noted(host, name)
    if note is None or note[1] > time.monotonic():
        return
    try:
        thaw(host, name)
    except ChyvesError as error:
        host.terminal.warn(
            f"{name}: was left frozen, and cannot be thawed, which the next command tries again: {error}"
        )
    else:
        host.terminal.warn(f"{name}: was left frozen by a command that was ended; it is thawed")


def _note(host: Host, name: str) -> Path:
    return running.directory(host, name) / "frozen"
