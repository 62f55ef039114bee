"""How the program itself is brought up to date: chyves says which command does it, and asks nobody by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import chyves
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError, UsageError
from chyves.host.machine import Host
from chyves.names import shown
from chyves.resources.source import Address, address
from chyves.resources.web import WebServer

LONGEST = 1 << 16
"""Bytes of a source that are looked at: a line is all that is needed."""

_VERSION = re.compile(r"(?:.*[\s=\"':v-])?([0-9]+\.[0-9]+(?:\.[0-9]+)*)[\"']?,?\s*", re.IGNORECASE)
BRANCHES = ("master", "dev")
COLUMNS = (
    Column("chyves", "chyves"),
    Column("source", "Source"),
    Column("newer", "Newer"),
    Column("kind", "Is"),
    Column("package", "Package"),
    Column("command", "Command"),
)


@dataclass(frozen=True)
class Way:
    """How an installation is brought up to date: what it is, its package, the line that does it, and that in words."""

    kind: str
    package: str
    command: str
    told: str


def upgrade(host: Host, branch: Sequence[str] = ()) -> Table:
    """How this chyves is brought up to date; raises UsageError for a branch, which 0.2.0 fetched and installed."""
    if branch:
        known = f"{branch[0]}: chyves fetches and installs nothing of itself" if branch[0] in BRANCHES else ""
        raise UsageError(f"upgrade: {known or f'{shown(branch[0])} is not possible'}; see what does it: chyves upgrade")
    way = _way(host)
    return _table(way, None, way.told)


def check(host: Host, source: Sequence[str] = ()) -> Table:
    """Whether a source that the user names has another version; raises UsageError without one."""
    if len(source) != 1:
        why = "chyves asks the web for nothing by itself" if not source else f"{shown(source[1])} is one word too many"
        raise UsageError(f"upgrade check: {why}; name one file or address that holds a version")
    text = _text(source[0])
    theirs = version_in(text)
    if theirs is None:
        raise ChyvesError(f"{shown(source[0])}: no line of it ends with a version such as 0.3.0; name another source")
    way = _way(host)
    return _table(way, theirs, compared(theirs), *((way.told,) if _newer(theirs) else ()))


def _table(way: Way, theirs: str | None, *told: str) -> Table:
    """This program and how it is brought up to date, beside the version of a source; `told` is what people are told."""
    newer = None if theirs is None else _newer(theirs)
    values: dict[str, Value] = {"chyves": chyves.__version__, "source": theirs, "newer": newer}
    row = Row({**values, "kind": way.kind, "package": way.package or None, "command": way.command})
    return Table("upgrades", COLUMNS, (row,), told=(f"chyves {chyves.__version__}", *told))


def compared(theirs: str) -> str:
    """What a source's version means for this program."""
    if _newer(theirs):
        return f"{theirs} is newer"
    return "this is the newest" if _numbers(theirs) == _numbers(chyves.__version__) else f"{theirs} is older"


def version_in(text: str) -> str | None:
    """The version of the first line that ends with one, as `0.3.0`, `v0.3.0` and `version = "0.3.0"` do."""
    return next((match[1] for line in text.splitlines() if (match := _VERSION.fullmatch(line))), None)


def _way(host: Host) -> Way:
    """How this installation is brought up to date."""
    top = Path(chyves.__file__).parents[1]
    if (top / ".git").exists():
        line = f"git -C {top} pull && make -C {top} install"
        return Way("checkout", "", line, f"this is a checkout; bring it up to date with: {line}")
    package = _package(host, chyves.__file__)
    if package:
        line = f"pkg upgrade {package.rpartition('-')[0]}"
        return Way("package", package, line, f"this is the package {package}; bring it up to date with: {line}")
    line = "git pull && make install"
    return Way("copy", "", line, f"this was put here by hand; bring it up to date in a checkout with: {line}")


def _package(host: Host, file: str) -> str:
    """The package that a file is of, as pkg-which(8) tells it; empty where it is of none, or there is no pkg."""
    try:
        # Without -N, pkg would offer to fetch itself where it is not there yet (pkg(7)).
        if host.run.probe("pkg", "-N")[0] != 0:
            return ""
        status, said = host.run.probe("pkg", "which", "-q", file)
    except ChyvesError:
        return ""
    return said.strip() if status == 0 else ""


def _newer(theirs: str) -> bool:
    return _numbers(theirs) > _numbers(chyves.__version__)


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version for comparison; zeros at the end mean nothing."""
    numbers = [int(number) for number in re.findall(r"[0-9]+", version)]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _text(source: str) -> str:
    """The beginning of what the user named."""
    place = address(source)
    try:
        if isinstance(place, Address):
            return _fetched(place)
        with open(place, "rb") as file:
            return file.read(LONGEST).decode(errors="replace")
    except (OSError, HTTPException) as error:
        name = place.shown if isinstance(place, Address) else shown(place)
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ChyvesError(f"{name}: cannot be read: {reason}; name another source") from None


def _fetched(place: Address) -> str:
    if place.scheme not in ("http", "https"):
        raise ChyvesError(f"{place.shown}: is fetched by import only; give an http or https address, or a file")
    answer = WebServer(place).ask(0, "")
    try:
        return answer.read(LONGEST).decode(errors="replace")
    finally:
        answer.close()
