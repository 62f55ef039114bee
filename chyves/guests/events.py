"""Show what has changed on this host, and what changes (chyves.host.events)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

from chyves.cli.streams import Item, Pause, Stream, json_line
from chyves.cli.tables import Value
from chyves.errors import ChyvesError, UsageError
from chyves.host.events import Event, moment
from chyves.host.machine import Host
from chyves.host.tail import PAUSE
from chyves.names import shown

COLUMNS = ("time", "event", "guest", "by")
SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def events(host: Host, since: str | None = None, f: bool = False) -> Stream:
    """All events that are kept, or those since a time, and with `f` what comes; raises ChyvesError."""
    first = None if since is None else beginning(since, datetime.now().astimezone())

    def items(pause: Pause) -> Iterator[Item]:
        try:
            for event in _all(host, f, pause):
                if first is None or moment(event) >= first:
                    yield _item(event)
        except BrokenPipeError:
            raise
        except OSError as error:
            place = host.events.directory
            raise ChyvesError(f"{place}: the events cannot be read: {error.strerror}; see to that") from None

    return Stream(items, COLUMNS, follows=f)


def _all(host: Host, follows: bool, pause: Pause) -> Iterator[Event]:
    if not follows:
        yield from host.events.kept()
        return
    followed = host.events.following()
    while True:
        yield from followed.more()
        pause(PAUSE)


def beginning(text: str, now: datetime) -> datetime:
    """The time that a word means: so long ago (`90s`, `10m`, `2h`, `7d`), or a date and time of ISO 8601, here.

    Raises UsageError.
    """
    span = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    try:
        return now - timedelta(seconds=int(span[1]) * SPANS[span[2]]) if span else _zoned(text)
    except (ValueError, OverflowError):
        right = "give 10m, 2h or 7d, or a time such as 2026-01-31T12:00"
        raise UsageError(f"events: {shown(text)} is no time; {right}") from None


def _zoned(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.astimezone() if found.tzinfo is None else found


def _item(event: Event) -> Item:
    values = cast("dict[str, Value]", event)
    return Item(json_line(values), values)
