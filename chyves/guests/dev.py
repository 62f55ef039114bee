"""What only those who work on chyves need, where the global property dev_mode allows it."""

from __future__ import annotations

import time

from chyves.errors import ChyvesError, UsageError
from chyves.host.machine import Host
from chyves.names import shown
from chyves.pools.holdings import Holdings
from chyves.properties import Global
from chyves.values import Int

SECONDS = Int(1, 86400)


def lock(host: Host, guest: str, seconds: str) -> None:
    """Hold a guest's lock for some seconds, to see what others say then; raises Busy where another has it."""
    holdings = _allowed(host)
    name = holdings.guest(guest).name
    try:
        patience = SECONDS.parse(seconds)
    except ValueError as error:
        raise UsageError(f"dev lock: {shown(seconds)} is not possible; give {error}") from None
    with host.locks.hold(f"guest.{name}"):
        host.terminal.say(1, f"{name}: is locked for {patience} s; end it with Ctrl-C")
        time.sleep(patience)


def prompt(host: Host, function: tuple[str, ...] = ()) -> None:
    """Read Python at a prompt, with `host`, `holdings` and `guests` at hand; raises UsageError for a function."""
    holdings = _allowed(host)
    if function:
        raise UsageError(
            f"dev: {shown(function[0])} is not called: functions of chyves 0.2.0 are gone with it; use: chyves dev"
        )
    import code

    known = {"host": host, "holdings": holdings, "guests": holdings.guests}
    banner = f"Python with {', '.join(known)} of chyves; Ctrl-D ends it."
    _complete(known)
    code.interact(banner=banner, local=known, exitmsg="")


def _allowed(host: Host) -> Holdings:
    """What there is; raises ChyvesError unless dev_mode allows to look at it so."""
    holdings = Holdings.read(host)
    if holdings.globals.dev_mode == Global.dev_mode.default:
        raise ChyvesError("dev: dev_mode is off; allow it with: chyves global set dev_mode=on")
    return holdings


def _complete(known: dict[str, object]) -> None:
    """Have the terminal's keys complete names, where this Python can."""
    try:
        import readline
        from rlcompleter import Completer
    except ImportError:
        return
    readline.set_completer(Completer(known).complete)
    readline.parse_and_bind("tab: complete")
