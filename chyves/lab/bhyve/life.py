"""How a guest lives and ends: signals, what bhyvectl asks for, and the statuses of bhyve (section 1.9)."""

from __future__ import annotations

import os
import select
import signal
from typing import Protocol

from chyves.lab.bhyve.ends import End


class Guest(Protocol):
    """Something that runs as a guest."""

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable when it has something to tell."""

    @property
    def patience(self) -> float | None:
        """Seconds after which to look at it although it told nothing; None for never."""

    def happened(self) -> int | None:
        """Read what it has to tell, or look at it after `patience` seconds; its status once it has ended."""

    def press_power_button(self) -> bool:
        """Press the ACPI power button; False where the guest has not switched ACPI on."""

    def interrupt(self) -> None:
        """Inject a non-maskable interrupt."""

    def kill(self) -> None:
        """Pull the plug; returns when nothing of the guest is left."""


WORDS = {"reset": End.RESET, "poweroff": End.POWEROFF, "destroy": End.ERROR}


def wake_up_on_terminate() -> int:
    """From now on a SIGTERM does not kill this process: it makes the returned descriptor readable."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGTERM, lambda *_: None)
    return read


def live(guest: Guest, orders: int) -> int:
    """Let a guest live until it ends or is ended, and return bhyve's status.

    `orders` is where the words of bhyvectl come. SIGTERM presses the power button; where the guest has not switched
    ACPI on, it kills bhyve, as its default action does.
    """
    pressed = wake_up_on_terminate()
    while True:
        ready, _, _ = select.select([orders, pressed, *guest.descriptors], [], [], guest.patience)
        if orders in ready:
            status = _obey(guest, os.read(orders, 4096).decode().split())
            if status is not None:
                return status
        if pressed in ready:
            os.read(pressed, 64)
            if not guest.press_power_button():
                guest.kill()
                die_of(signal.SIGTERM)
        if not ready or set(ready) & set(guest.descriptors):
            ended = guest.happened()
            if ended is not None:
                return ended


def _obey(guest: Guest, words: list[str]) -> int | None:
    for word in words:
        if word == "nmi":
            guest.interrupt()
        else:
            guest.kill()
            return WORDS[word]
    return None


def die_of(number: int) -> None:
    """End this process by a signal's default action."""
    if number != signal.SIGKILL:  # whose action is always the default
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
