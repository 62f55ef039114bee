"""The last of what a program said, or a guest's console showed, in one line for a message."""

from __future__ import annotations

LINES = 5
"""Lines of a console that are told."""


def on_console(shown: bytes) -> str:
    """The last lines that a console showed, without what would steer a terminal; empty where there are none."""
    from chyves.guests.log import console_text

    lines = [line.strip() for line in console_text(shown.decode(errors="replace")).splitlines()]
    return " / ".join([line for line in lines if line][-LINES:])


def last(words: str) -> str:
    """The last lines of what a program said."""
    return " / ".join(words.splitlines()[-3:]) or "it said nothing"
