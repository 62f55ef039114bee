"""What running guests use now, live on a screen, or as tables for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

from chyves.cli.sizes import rounded
from chyves.cli.streams import Item, Pause, Stream
from chyves.cli.tables import Column, Row, Table, Value, plain, tabs
from chyves.errors import UsageError
from chyves.guests import live_screen, usage
from chyves.guests.usage import Sample, Usage
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings

INTERVAL = 2
COLUMNS = (
    Column("guest", "Guest"),
    Column("pid", "PID", right=True),
    Column("cpu_percent", "CPU %", right=True),
    Column("cpus", "CPUs", right=True),
    Column("memory", "Memory", right=True),
    Column("ram", "RAM", right=True),
    Column("disk_read", "Read/s", right=True),
    Column("disk_written", "Written/s", right=True),
    Column("net_received", "In/s", right=True),
    Column("net_sent", "Out/s", right=True),
)
RATES = ("disk_read", "disk_written", "net_received", "net_sent")


@dataclass(frozen=True)
class Look(Item):
    """What was used up to one look, as an item of a stream."""

    table: Table


class Looks(Stream):
    """Looks as they come: tables for people, a JSON object a line, lines with tabs for scripts."""

    def shown(self, item: Item, json: bool, headless: bool) -> str:
        """A look in the form that was asked for."""
        return tabs(item.table) if headless and isinstance(item, Look) else super().shown(item, json, headless)


def top(
    host: Host, guest: str | None = None, b: bool = False, every: str | None = None, count: str | None = None
) -> Stream | None:
    """A table each so many seconds (`every`), of what was used in these; `count` with `b` or without a terminal.

    Else they are shown on the terminal until q is typed. Raises UsageError for numbers that are none.
    """
    seconds = _number("--every", every, INTERVAL, 86400)
    most = None if count is None else _number("--count", count, 1, 1 << 31)
    holdings = Holdings.read(host)
    only = None if guest is None else [holdings.guest(guest).name]
    tables = _tables(host, list(holdings.pools), only)
    if b or not (host.terminal.attended and live_screen.possible()):
        return Looks(lambda pause: islice(_paced(tables, seconds, pause), most or 1), (), follows=True)
    live_screen.show(tables, seconds, most)
    return None


def _number(option: str, text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 11 and 1 <= int(text) <= most):
        raise UsageError(f"top: {option} {text}: is not possible; give a whole number from 1 to {most}")
    return int(text)


def _tables(host: Host, pools: list[str], only: list[str] | None) -> Iterator[Table]:
    """What was used between one look and the next; the first shows no rates. Whoever takes them waits between."""
    before: Sample | None = None
    while True:
        now = usage.sample(host, pools, only)
        yield table(before, now)
        before = now


def _paced(tables: Iterator[Table], seconds: int, pause: Pause) -> Iterator[Look]:
    """All but the first, so many seconds after one another."""
    next(tables)
    while True:
        pause(seconds)
        now = next(tables)
        yield Look(plain(now), {now.name: cast("list[Value]", [row.values for row in now.rows])}, now)


def table(before: Sample | None, now: Sample) -> Table:
    """The guests at a time, the busiest first, with what each used a second since an earlier one."""
    span = now.at - before.at if before else 0.0
    earlier = before.guests if before else {}
    rows = [_row(earlier.get(name), one, span) for name, one in now.guests.items()]
    rows.sort(key=lambda row: (-float(str(row.values["cpu_percent"] or 0)), str(row.values["guest"])))
    return Table("usage", COLUMNS, tuple(rows))


def _row(before: Usage | None, now: Usage, span: float) -> Row:
    if before is not None and before.pid != now.pid:
        before = None
    cpu = None if before is None or not span else round(100 * max(0.0, now.seconds - before.seconds) / span, 1)
    values: dict[str, Value] = {
        "guest": now.guest,
        "pid": now.pid,
        "cpu_percent": cpu,
        "cpus": now.cpus,
        "memory": now.memory,
        "ram": now.ram,
        "cpu_seconds": now.seconds,
    }
    values |= {name: _rate(_counted(before, name), _counted(now, name), span) for name in RATES}
    shown = {"memory": rounded(now.memory), "ram": rounded(now.ram)}
    shown |= {name: rounded(value) for name in RATES if isinstance(value := values[name], int)}
    return Row(values, shown)


def _counted(one: Usage | None, name: str) -> int | None:
    if one is None:
        return None
    disks = one.disks
    return {
        "disk_read": None if disks is None else disks.read,
        "disk_written": None if disks is None else disks.written,
        "net_received": one.received,
        "net_sent": one.sent,
    }[name]


def _rate(before: int | None, now: int | None, span: float) -> int | None:
    """Bytes a second; a counter that began anew counts from nothing."""
    if before is None or now is None or not span:
        return None
    return round((now - before if now >= before else now) / span)
