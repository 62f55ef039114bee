"""What start waits for once bhyve runs a guest: words on its serial console, a port that answers, its agent."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from typing import Protocol

from chyves.errors import Busy, ChyvesError, UsageError
from chyves.guests import agent, prepare, running
from chyves.guests.console import line_of
from chyves.guests.last_words import on_console
from chyves.guests.log import consoles
from chyves.host.listener import Listener
from chyves.host.machine import Host
from chyves.host.tail import Added
from chyves.names import shown
from chyves.pools.holdings import GuestHolding, Holdings

SECONDS = 300
"""How long it may take unless told: a check of large disks and a firmware that waits for a network are in it."""

PAUSE = 0.2
CONNECTING = 2.0
"""Seconds that one try to reach a port may take."""

FORMS = "serial:REGEX, tcp:PORT, tcp:HOST:PORT or agent"


class Sign(Protocol):
    """What shows that a guest is ready; `what` is it in words."""

    what: str

    def seen(self) -> bool:
        """Whether it has been seen; raises ChyvesError where it never can be."""

    def console(self) -> bytes | None:
        """What the console has shown since the start; None where that is not known."""


class Readiness:
    """What is waited for of each guest of a start, and until when."""

    def __init__(self, host: Host, text: str, seconds: int) -> None:
        """Raises UsageError for a text that is nothing to wait for."""
        self._host, self._seconds = host, seconds
        self._kind, _, self._of = text.partition(":")
        self._deadline = 0.0
        if self._kind == "serial":
            self._pattern = _pattern(self._of)
        elif self._kind == "tcp":
            self._place = _place(self._of)
        elif text not in ("running", "agent"):
            raise UsageError(f"start: --wait: {shown(text)} is nothing to wait for; give {FORMS}")

    @contextmanager
    def watching(self, holding: GuestHolding) -> Iterator[Sign]:
        """The sign of a guest, which is looked for from now on, before it starts. Raises ChyvesError."""
        with self._console(holding) as console:
            match self._kind:
                case "serial":
                    yield _Words(self._pattern, console)
                case "tcp":
                    yield _Port(self._host, holding, self._place, console)
                case "agent":
                    yield _Agent(self._host, holding, console)
                case _:
                    yield _Runs(console)

    def begun(self) -> None:
        """The time begins to count."""
        self._deadline = time.monotonic() + self._seconds

    def wait(self, name: str, sign: Sign) -> None:
        """Return when a guest shows the sign; raises ChyvesError when its time is over, or it does not run any more."""
        while not sign.seen():
            if running.living(self._host, name) is None:
                raise ChyvesError(f"{name}: is off, and there was no sign of {sign.what}{_last(name, sign)}")
            if time.monotonic() >= self._deadline:
                within = f"within {self._seconds} s (--wait-for)"
                raise ChyvesError(f"{name}: runs, but there was no sign of {sign.what} {within}{_last(name, sign)}")
            time.sleep(PAUSE)

    def _console(self, holding: GuestHolding) -> AbstractContextManager[Callable[[], bytes] | None]:
        """What gives all that a console shows from now on; with console_log that is kept anyway.

        Else, where it is its words that are waited for, this process has the line, as cu(1) would. Whoever is on it
        stays there.
        """
        guest = holding.properties
        if guest.console_log and guest.serial is not None:
            return nullcontext(Added(lambda: consoles(holding.logs) if holding.logs.is_dir() else []).text)
        return self._line(holding) if self._kind == "serial" else nullcontext(None)

    @contextmanager
    def _line(self, holding: GuestHolding) -> Iterator[Callable[[], bytes]]:
        host, name, device = self._host, holding.name, line_of(holding)
        with host.locks.hold("all"):
            prepare.modules(Holdings.read(host))  # without nmdm there is no line
        session = host.lines.session(device)
        if session is not None:
            raise Busy(
                f"{name}: its console is in use by {session}, who is not disturbed; to wait for its words at the same "
                f"time: chyves {name} set console_log=yes"
            )
        with host.lines.taken(device), Listener(host.run, host.path(f"/dev/{device}")) as listener:
            yield listener.text


class _Words:
    """Words on the console."""

    def __init__(self, pattern: re.Pattern[str], console: Callable[[], bytes] | None) -> None:
        self._pattern, self._console = pattern, console
        self._shown = b""
        self.what = f"{shown(pattern.pattern)} on its console"

    def seen(self) -> bool:
        self._shown += self._console() if self._console else b""
        return self._pattern.search(self._shown.decode(errors="replace")) is not None

    def console(self) -> bytes | None:
        return self._shown


class _Runs:
    """Nothing but that bhyve runs, which is so when start has returned."""

    what = "bhyve"

    def __init__(self, console: Callable[[], bytes] | None) -> None:
        self.console = console or _unknown

    def seen(self) -> bool:
        return True


class _Port(_Runs):
    """A port that takes a connection."""

    def __init__(
        self, host: Host, holding: GuestHolding, place: tuple[str, int], console: Callable[[], bytes] | None
    ) -> None:
        super().__init__(console)
        self._host, self._holding, (self._address, self._port) = host, holding, place
        self.what = f"an answer on port {self._port}"

    def seen(self) -> bool:
        import socket

        for address in [self._address] if self._address else self._addresses():
            try:
                socket.create_connection((address, self._port), CONNECTING).close()
            except OSError:
                continue
            return True
        return False

    def _addresses(self) -> Sequence[str]:
        """The guest's addresses: as its agent says, or as far as the host has heard of them (arp(8))."""
        name, guest = self._holding.name, self._holding.properties
        if guest.agent:
            with suppress(ChyvesError):
                return [found.address for found in agent.addresses(self._host, name)]
        macs = guest.tap_mac.values()
        lines = self._host.run.ask("arp", "-an").splitlines()
        found = (re.match(r"\S+ \((\S+)\) at (\S+) on ", line) for line in lines)
        return [match[1] for match in found if match and match[2].lower() in macs]


class _Agent(_Runs):
    """The guest agent, which answers."""

    what = "its agent"

    def __init__(self, host: Host, holding: GuestHolding, console: Callable[[], bytes] | None) -> None:
        super().__init__(console)
        self._host, self._name = host, holding.name
        if not holding.properties.agent:
            raise ChyvesError(f"{self._name}: has no port for its agent; use: chyves {self._name} set agent=yes")

    def seen(self) -> bool:
        return agent.ping(self._host, self._name)


def _unknown() -> None:
    return None


def _pattern(text: str) -> re.Pattern[str]:
    try:
        if text:
            return re.compile(text)
        why = "it is empty"
    except (re.error, OverflowError, RecursionError) as error:
        why = str(error)
    raise UsageError(f"start: --wait: {shown(text)} is no regular expression: {why}; see: pydoc re")


def _place(text: str) -> tuple[str, int]:
    """Host, empty where it is the guest itself, and port of `[HOST:]PORT`; raises UsageError."""
    address, _, port = text.rpartition(":")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise UsageError(f"start: --wait: {shown(port)} is no port; give a number from 1 to 65535")
    return address.strip("[]"), int(port)


def _last(name: str, sign: Sign) -> str:
    """What the console showed last, for a message."""
    console = sign.console()
    if console is None:
        return f"; what it shows is kept with: chyves {name} set console_log=yes"
    return f"; its console showed last: {on_console(console) or 'nothing'}"


class Waiting(ExitStack):
    """The guests of a start that are waited for, each from before it begins until its sign is seen."""

    def __init__(self, readiness: Readiness) -> None:
        super().__init__()
        self._readiness, self._signs = readiness, dict[str, Sign]()

    def begin(self, holding: GuestHolding, start: Callable[[], object]) -> None:
        """Start a guest, with an eye on it; raises ChyvesError."""
        with ExitStack() as begun:
            sign = begun.enter_context(self._readiness.watching(holding))
            start()
            self._readiness.begun()
            self._signs[holding.name] = sign
            self.push(begun.pop_all())

    def begun(self, holding: GuestHolding) -> bool:
        """Whether a guest has been started."""
        return holding.name in self._signs

    def end(self, holding: GuestHolding) -> None:
        """Wait for a guest; raises ChyvesError."""
        self._readiness.wait(holding.name, self._signs[holding.name])
