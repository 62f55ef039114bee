"""Show a log: the host's, a guest's, or what a guest's serial console has shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from chyves.cli.streams import Item, Pause, Stream
from chyves.errors import ChyvesError, NeedsRoot
from chyves.host.log import plain
from chyves.host.machine import Host
from chyves.host.tail import follow, last_lines
from chyves.pools.holdings import Holdings

LINES = 20
MONTH = re.compile(r"[0-9]{6}\.log")
CONSOLE = "console.log"
LINE = re.compile(r"(\S+) - \[(\d)\] - (.*)")
COLUMNS = ("time", "level", "text")
SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[ -/]*[0-~])|\r|\x08")
"""What a terminal would obey (ECMA-48): colours, movements, titles."""


def log(host: Host, owner: str, lines: str | None = None, f: bool = False, console: bool = False) -> Stream:
    """The last lines of a log and, with `f`, what is added to it.

    The lines reach back into earlier months. Raises ChyvesError where there is no log.
    """
    holdings = Holdings.read(host)
    directory, files = _place(holdings, owner, console)
    item = _of_console if console else _of_log
    with _told(owner, directory):
        last = last_lines(files(), int(lines or LINES))
    if not last and not f:
        raise ChyvesError(_nothing(holdings, owner, console))

    def items(pause: Pause) -> Iterator[Item]:
        yield from (item(f"{line}\n") for line in last)
        with _told(owner, directory):
            for text in follow(files, pause) if f else ():
                yield from map(item, text.splitlines(keepends=True))

    return Stream(items, COLUMNS, follows=f)


@contextmanager
def _told(owner: str, directory: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except PermissionError:
        raise NeedsRoot(f"{owner}: {directory}: is for root alone to read; try: sudo chyves ...") from None
    except OSError as error:
        raise ChyvesError(f"{owner}: {directory} cannot be read: {error.strerror}; see to that") from None


def _of_log(line: str) -> Item:
    """A line of a log with when it was written, and its level as in stdout_level, where they can be seen."""
    found = LINE.fullmatch(line.removesuffix("\n"))
    time, level, text = found.groups() if found else (None, None, line.removesuffix("\n"))
    return Item(line, {"time": time, "level": None if level is None else int(level), "text": text})


def _of_console(line: str) -> Item:
    """A line of a console, or its beginning: then its text has no end of line."""
    text = console_text(line)
    return Item(text, {"time": None, "level": None, "text": text})


def _place(holdings: Holdings, owner: str, console: bool) -> tuple[Path, Callable[[], Sequence[Path]]]:
    """The directory of a log, and what gives its files; raises ChyvesError where it is not there."""
    if owner == "global" and console:
        raise ChyvesError("global: the host's own console is not kept; name a guest")
    directory = holdings.primary.mountpoint / "logs" if owner == "global" else holdings.guest(owner).logs
    if not directory.is_dir():
        dataset = holdings.primary.dataset if owner == "global" else holdings.guest(owner).dataset
        raise ChyvesError(f"{owner}: {directory} is not there; make it with: zfs create {dataset}/logs, or mount it")
    return directory, partial(consoles if console else months, directory)


def months(directory: Path) -> list[Path]:
    """The monthly files of a log, the oldest first."""
    return sorted(path for path in directory.iterdir() if MONTH.fullmatch(path.name))


def consoles(directory: Path) -> list[Path]:
    """The files of what a console has shown, the oldest first: console.log.2, console.log.1, console.log."""
    old = {int(path.suffix[1:]): path for path in directory.glob(f"{CONSOLE}.*") if path.suffix[1:].isdecimal()}
    now = directory / CONSOLE
    return [*(old[number] for number in sorted(old, reverse=True)), *([now] if now.exists() else [])]


def _nothing(holdings: Holdings, owner: str, console: bool) -> str:
    """Why a log is empty."""
    if console:
        return f"{owner}: nothing of its console is kept yet; have that done with: chyves {owner} set console_log=yes"
    settings = holdings.globals
    written = ("host", "dual") if owner == "global" else ("guest", "dual")
    if settings.log_to_file and settings.log_mode in written:
        return f"{owner}: nothing has been logged yet; see what is there with: chyves list"
    return f"{owner}: nothing is logged (log_mode={settings.log_mode}, log_to_file={settings.get('log_to_file')})"


def console_text(text: str) -> str:
    """What a console showed, without what would steer this terminal."""
    return "".join(plain(part) if part != "\n" else part for part in re.split("(\n)", SEQUENCE.sub("", text)))
