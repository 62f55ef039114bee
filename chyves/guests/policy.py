"""What becomes of a guest whose bhyve has ended: pure, from how it did, its properties, and when it crashed before."""

from __future__ import annotations

import enum
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from chyves.properties import Guest

ENDS = {0: "reboot", 1: "power-off", 2: "halt", 3: "triple fault", 4: "error", 5: "suspended"}
"""What bhyve's exit statuses mean (bhyve(8), EXIT STATUS)."""

REBOOT = 0
ERROR = 4

POWERED_OFF = (1, 2, 5, -signal.SIGTERM)
"""Statuses of a guest that was to be off: SIGTERM kills a bhyve whose guest has not switched ACPI on."""

MOST = 5
WINDOW = 300
"""So many crashes within so many seconds are the last; a guest that ran for longer than that begins to count anew."""

LONGEST = 60
"""Seconds that are waited at most before a guest that crashed is booted again; 1, 2, 4 ... before."""

PAUSE = 1
"""Seconds before a guest that powered off is booted again: one that does so at once takes no whole processor."""


class Act(enum.Enum):
    """What a supervisor does next."""

    BOOT = "boot"
    OFF = "off"
    KEEP = "keep"


@dataclass(frozen=True)
class Next:
    """What to do after an end of bhyve, and why.

    `delay` is in seconds; `crashes` are the times of those that still count, by the clock that the caller has; `crash`
    tells what is wrong with the guest, and is empty where nothing is; `why` is for the log.
    """

    act: Act
    delay: int = 0
    crashes: tuple[float, ...] = ()
    crash: str = ""
    why: str = ""


def means(status: int) -> str:
    """What a status of bhyve says of its end; a negative one is the signal that ended it."""
    return ENDS.get(status, f"signal {-status}" if status < 0 else "error")


def after(status: int, guest: Guest, crashes: Sequence[float], now: float) -> Next:
    """What a guest's properties want after an end of bhyve with this status.

    `crashes` are the times of earlier crashes, `now` that of this end, in seconds of a clock that nobody sets.
    """
    if status == REBOOT:
        stays = "on_reboot=stop: it stays off after its reboot"
        return Next(Act.BOOT) if guest.on_reboot == "restart" else Next(Act.OFF, why=stays)
    if status in POWERED_OFF:
        again = f"on_poweroff=restart: it is booted again in {PAUSE} s"
        return Next(Act.BOOT, PAUSE, why=again) if guest.on_poweroff == "restart" else Next(Act.OFF)
    return crashed(means(status), guest, crashes, now)


def crashed(how: str, guest: Guest, crashes: Sequence[float], now: float) -> Next:
    """What a guest's on_crash wants after a crash; a boot that failed is one, too."""
    if guest.on_crash == "keep":
        why = "on_crash=keep: its VMM stays for a look, until it is stopped"
        return Next(Act.KEEP, crash=f"crashed ({how})", why=why)
    if guest.on_crash == "stop":
        return Next(Act.OFF, crash=f"crashed ({how})")
    counting = _counting([*crashes, now])
    recent = sum(1 for time in counting if now - time <= WINDOW)
    if recent >= MOST:
        often = f"crashed {recent} times within {WINDOW // 60} minutes ({how})"
        return Next(Act.OFF, crash=often, why=f"{often}; it stays off")
    delay = min(LONGEST, 2 ** (len(counting) - 1))
    which = f"crash {recent} of {MOST}"
    return Next(Act.BOOT, delay, counting, f"crashed ({how}), {which}", f"is booted again in {delay} s ({which})")


def _counting(times: Sequence[float]) -> tuple[float, ...]:
    """The crashes, the latest last, between which the guest never ran for long; as many as make a difference."""
    found = [times[-1]]
    for time in reversed(times[:-1]):
        if not 0 <= found[-1] - time <= WINDOW + LONGEST:
            break
        found.append(time)
    return tuple(reversed(found[: LONGEST.bit_length() + 1]))
