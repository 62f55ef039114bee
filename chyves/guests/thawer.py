"""The process that sees to it that no guest stays frozen: `python -m chyves.guests.thawer MARK SECONDS PIPE GUEST...`.

It waits until whoever froze the guests has closed the pipe, by ending as planned or in any other way, and for so many
seconds at most (with `-` for the pipe: for these seconds, or until no guest is frozen any more). Guests that then still
have a note with the mark are thawed.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from chyves.errors import ChyvesError
from chyves.guests import freeze
from chyves.guests.journal import Journal
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings

LOOK_AGAIN = 1
"""Seconds between looks whether somebody has thawed them."""
BEGIN = 60
"""Seconds in which an agent has been told to freeze, or will not be."""


def main(argv: Sequence[str]) -> int:
    """Wait, and thaw what is still frozen."""
    mark, seconds, pipe, *names = argv
    host = Host.open(os.environ, lasting=True)
    if pipe != freeze.NOBODY:
        select.select([int(pipe)], [], [], float(seconds))
    else:
        _wait(host, mark, names, float(seconds))
    for name in _frozen(host, mark, names):
        with suppress(ChyvesError):  # the next command that changes something tries it again, and tells
            freeze.thaw(host, name)
            _tell(host, name)
    return 0


def _wait(host: Host, mark: str, names: Sequence[str], seconds: float) -> None:
    """Wait so long, or until nobody is frozen any more, or is not at all."""
    began, seen = time.monotonic(), False
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_AGAIN))
        if _frozen(host, mark, names):
            seen = True
        elif seen or time.monotonic() > began + BEGIN:
            return


def _frozen(host: Host, mark: str, names: Sequence[str]) -> list[str]:
    """The guests that still have a note with the mark."""
    notes = {name: freeze.noted(host, name) for name in names}
    return [name for name, note in notes.items() if note is not None and note[0] == mark]


def _tell(host: Host, name: str) -> None:
    """Have it in the log, which may be on a pool that does not answer: so it comes last."""
    holdings = Holdings.read(host)
    Journal(holdings, holdings.guest(name)).write(1, "was still frozen; it is thawed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
