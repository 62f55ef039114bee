"""chyves from Python: `import chyves`, and `chyves.open().guest("web1").start()`.

Every command is a method, by the same table and carried out by the same function as a line that is typed. What it
shows is what `--json` prints, as Python values; an error is a ChyvesError, whose `status` is the one with which the
command ends: UsageError (2), Busy (75), NeedsRoot (77), Interrupted (128 and the signal's number), ProgramFailed with
the program's `argv`, `code` and what it `said`, SeveralFailed with the `errors` of the guests. A word that a method
does not have is a TypeError. Nothing is printed to standard output, and nobody is asked at a terminal: as from a
script, what needs a yes needs `yes=True`. What is told on the way goes to `tell`.

Threads may look at the same time. What changes something is for the main thread alone, as it heeds signals: SIGINT,
SIGTERM and SIGHUP end it whole or taken back, as they end a command, and raise Interrupted; afterwards the process has
its own handlers again. A process that ignores SIGCHLD is refused, as it cannot know how programs end; nor can one whose
handler collects children that are not its own. Several processes are kept apart by the same locks as commands.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chyves.carry import carry_out
from chyves.cli.calls import Call, calls
from chyves.cli.parser import Request, parse
from chyves.errors import ChyvesError
from chyves.verbs import GuestsVerbs, HostVerbs

if TYPE_CHECKING:
    from chyves.carry import Result
    from chyves.cli.streams import Stream

Tell = Callable[[str], object]


class Host(HostVerbs):
    """A host of chyves: this machine, or a lab."""

    def __init__(self, environ: Mapping[str, str], tell: Tell | None) -> None:
        self._environ, self._tell = environ, tell

    def guest(self, *names: str) -> Guests:
        """Guests by name, `:group` or `property=value`, or all of them (`all`); none is looked up yet."""
        return Guests(self, ",".join(names))

    def guests(self) -> list[Guests]:
        """Each guest that there is, by name; raises ChyvesError."""
        return [self.guest(row["guest"]) for row in self.list()]

    @property
    def defaults(self) -> Guests:
        """What new guests begin with, of which the methods `get` and `set` are for."""
        return self.guest("defaults")

    @property
    def properties(self) -> Guests:
        """The properties of the host itself, of which the methods `get`, `set` and `log` are for."""
        return self.guest("global")

    def run(self, *words: str) -> object:
        """Do what a line of these words does; what it shows, and with `--dry-run` the lines that it would run."""
        return self._carry(parse(words), words, printed=True)

    def do(self, call: Call, values: Sequence[object], options: Mapping[str, object], target: str = "") -> object:
        """Carry a method out; raises ChyvesError."""
        request = call.request(target, values, options)
        return self._carry(request, call.words(request))

    def _carry(self, request: Request, words: Sequence[str], printed: bool = False) -> object:
        row = request.command
        if row.terminal:
            raise ChyvesError(f"{row.name}: takes over the terminal; type it: chyves {' '.join(words)}")
        if row.changes and threading.current_thread() is not threading.main_thread():
            raise ChyvesError(f"{row.name}: changes something, which is for the main thread alone")
        out = _Aside()
        with contextlib.redirect_stdout(out) if request.dry_run else contextlib.nullcontext():
            told = carry_out(request, words, self._environ, lambda result: _plain(result, request), self._hear)
        return out.getvalue() if printed and told is None else told

    def _hear(self, host: Any) -> None:
        host.terminal.attended = False
        if self._tell is not None:
            host.terminal.out = self._tell


class _Aside(io.StringIO):
    """Standard output while this thread prints the lines of a dry run; what others print goes where it went."""

    def __init__(self) -> None:
        super().__init__()
        self._thread, self._others = threading.get_ident(), sys.stdout

    def write(self, text: str) -> int:
        return super().write(text) if threading.get_ident() == self._thread else self._others.write(text)

    def flush(self) -> None:
        if threading.get_ident() != self._thread:
            self._others.flush()


class Guests(GuestsVerbs):
    """One guest or several, as the target of a command names them."""

    def __init__(self, host: Host, name: str) -> None:
        self._host, self.name = host, name

    def __repr__(self) -> str:
        return f"guest({self.name!r})"

    def get(self, property: str) -> Any:
        """The value of a property, of its own type: cpu is an int, ram a number of bytes; raises ChyvesError.

        Of several guests, or of `all` properties, a dict of dicts: the values by property, by guest.
        """
        rows = self.do(_call("get"), (property,), {})
        assert isinstance(rows, list)
        found: dict[str, dict[str, Any]] = {}
        for row in rows:
            found.setdefault(row["owner"], {})[row["property"]] = _typed(row)
        alone = len(found) == 1 and property != "all" and "," not in self.name
        return found[rows[0]["owner"]][property] if alone else found

    def set(self, properties: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Set properties, all or none: `set(cpu=2, ram="4G")`; True and False are yes and no, None is none."""
        words = [f"{name}={_text(value)}" for name, value in {**(properties or {}), **more}.items()]
        self.do(_call("set"), words, {})

    def do(self, call: Call, values: Sequence[object], options: Mapping[str, object]) -> object:
        """Carry a method out; raises ChyvesError."""
        return self._host.do(call, values, options, self.name)


def open(lab: str | None = None, tell: Tell | None = None) -> Host:
    """The host of this process: the machine, or the lab of CHYVES_LAB or `lab`; nothing is looked at yet.

    `tell` gets each line that a command tells on the way; without it they go to standard error.
    """
    return Host({**os.environ, **({} if lab is None else {"CHYVES_LAB": lab})}, tell)


def _call(name: str) -> Call:
    return next(call for call in calls() if call.name == name and call.target is not None)


def _plain(result: Result, request: Request) -> object:
    """What a command told, as Python values: for a row of the table what --json prints of it."""
    from chyves.cli.streams import Stream

    if isinstance(result, str) and request.command.json:
        return [{"text": result}]
    if result is None or isinstance(result, str):
        return result
    if isinstance(result, int):
        raise ChyvesError(f"{request.command.name}: ended with status {result}")
    if isinstance(result, Stream):
        return _items(result)
    from chyves.cli.tables import objects

    return objects(result)


def _items(stream: Stream) -> Iterator[dict[str, Any]]:
    for item in stream.items(time.sleep):
        yield dict(item.values)


def _typed(row: Mapping[str, Any]) -> Any:
    """A value of the type of its property; its text where that is of no known property, or cannot be read."""
    from chyves.properties import Defaults, Global, Guest

    section = {"global": Global, "defaults": Defaults}.get(row["owner"], Guest)
    known = section.row(row["property"])
    try:
        return known.type.parse(row["value"] or "-") if known else row["value"]
    except ValueError:
        return row["value"]


def _text(value: object) -> str:
    """A value as `set` takes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
