"""The lines with which a guest would start, without starting it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from chyves.bhyve.launch import Launch
from chyves.cli.tables import Column, Row, Table, Value
from chyves.guests import prepare
from chyves.host.machine import Host
from chyves.masking import masked
from chyves.pools.holdings import Holdings

COLUMNS = (Column("guest", "Guest"), Column("program", "Program"), Column("line", "Line"))


def explain(host: Host, guest: str, iso: str | None = None) -> Table:
    """The files that a start would write, the loader's line and bhyve's, fit for sh; secrets are masked.

    Raises ChyvesError for what keeps the guest from starting, as far as that can be known without trying.
    """
    holdings = Holdings.read(host)
    launch = prepare.lines(holdings, holdings.guest(guest), iso)
    for warning in launch.warnings:
        host.terminal.warn(warning)
    return Table("lines", COLUMNS, tuple(_rows(guest, launch)), told=tuple(_told(launch)))


def _told(launch: Launch) -> Iterator[str]:
    for path, text in launch.files.items():
        yield f"# {path}:"
        yield from (f"#   {masked(line)}" for line in text.splitlines())
    for line in filter(None, (launch.loader, launch.bhyve)):
        yield masked(shlex.join(line))


def _rows(guest: str, launch: Launch) -> Iterator[Row]:
    for argv in filter(None, (launch.loader, launch.bhyve)):
        words: list[Value] = [masked(word) for word in argv]
        yield Row({"guest": guest, "program": argv[0], "words": words}, {"line": masked(shlex.join(argv))})
