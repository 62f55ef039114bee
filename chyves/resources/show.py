"""Showing the ISO images and the firmware."""

from __future__ import annotations

import time
from pathlib import Path

from chyves.cli.sizes import rounded
from chyves.cli.tables import Column, Row, Table, Value
from chyves.host.machine import Host
from chyves.pools.holdings import NULL_ISO, Holdings

COLUMNS = (Column("name", "Name"), Column("size", "Size", right=True), Column("date", "Date"))


def show(host: Host, kind: str) -> Table:
    """The images (`iso`) or the firmware (`firmware`): size, and when the file was last changed."""
    found = Holdings.read(host).resources(kind)
    return Table(kind, COLUMNS, tuple(_row(host, name, file) for name, file in found.items() if name != NULL_ISO))


def isos(host: Host) -> Table:
    """The ISO images."""
    return show(host, "iso")


def firmware(host: Host) -> Table:
    """The firmware."""
    return show(host, "firmware")


def _row(host: Host, name: str, file: Path) -> Row:
    values: dict[str, Value] = {"name": name, "size": None, "date": None}
    try:
        status = file.stat()
    except OSError as error:
        host.terminal.warn(
            f"{name}: {file} cannot be looked at: {error.strerror}; import it again, or mount its dataset"
        )
        return Row(values)
    when = time.localtime(status.st_mtime)
    values |= {"size": status.st_size, "date": time.strftime("%Y-%m-%dT%H:%M:%S%z", when)}
    return Row(values, shown={"size": rounded(status.st_size), "date": time.strftime("%Y-%m-%d %H:%M", when)})
