"""ZFS through zfs(8) and zpool(8), whose answers are checked before they are believed.

Options stand before names, as FreeBSD's getopt does not look for them behind; numbers are exact (`-p`).
"""

from __future__ import annotations

import builtins
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.run import End, Runner
from chyves.host.zfs import Heed, Zfs, portions

POOL_COLUMNS = ("name", "size", "alloc", "free", "health")
PAUSE = 0.02
UNMOUNTED = "cannot mount"


class Zfs8(Zfs):
    """What ZFS can do (chyves.host.zfs), done by programs."""

    def __init__(self, run: Runner) -> None:
        self.run = run

    def list(
        self,
        *names: str,
        properties: Sequence[str] = ("name",),
        types: str = "filesystem,volume",
        recursive: bool = False,
        depth: int | None = None,
    ) -> list[dict[str, str]]:
        columns = properties if "name" in properties else ("name", *properties)
        reach = ["-r"] if recursive else [] if depth is None else ["-d", str(depth)]

        def ask(columns: Sequence[str], some: Sequence[str]) -> str:
            return self.run.ask("zfs", "list", "-Hp", "-o", ",".join(columns), "-t", types, *reach, *some)

        several = portions(names) if names else ([],)
        rows = [row for some in several for row in _listed(columns, partial(ask, some=some))]
        if names:
            _within("zfs list", (row["name"] for row in rows), names)
        return rows

    def get(self, name: str, property: str) -> str:
        answer = self.run.ask("zfs", "get", "-Hp", "-o", "name,value", property, name)
        if not (answer.startswith(f"{name}\t") and answer.endswith("\n")):
            raise _not_understood("zfs get", answer)
        return answer[len(name) + 1 : -1]

    def exists(self, name: str) -> bool:
        try:
            self.run.ask("zfs", "list", "-H", "-o", "name", name)
        except ProgramFailed as failure:
            if f"cannot open '{name}': dataset does not exist" in failure.said:
                return False
            raise
        return True

    def create(self, name: str, properties: Mapping[str, str] = {}, parents: bool = False) -> None:
        self._create(*(["-p"] if parents else []), *_options(properties), name)

    def create_volume(self, name: str, size: int, properties: Mapping[str, str] = {}, parents: bool = False) -> None:
        self._create(*(["-p"] if parents else []), "-V", str(size), *_options(properties), name)

    def _create(self, *words: str) -> None:
        try:
            self.run.do("zfs", "create", *words)
        except ProgramFailed as failure:
            if "successfully created" in failure.said:
                _take_back(failure, f"destroy {words[-1]}", lambda: self.destroy(words[-1]))
            raise

    def copy(self, snapshot: str, name: str, properties: Mapping[str, str] = {}, heed: Heed = lambda _: None) -> None:
        self.run.pipe(("zfs", "send", snapshot), ("zfs", "receive", *_options(properties), name), heed)

    def replicate(
        self, snapshot: str, name: str, properties: Mapping[str, str] = {}, heed: Heed = lambda _: None
    ) -> None:
        self.run.pipe(_send_all(snapshot), _receive_all(name, properties), heed)

    def send(self, snapshot: str, sink: End, heed: Heed = lambda _: None) -> None:
        self.run.pipe(_send_all(snapshot), sink, heed)

    def receive(self, source: End, name: str, heed: Heed = lambda _: None) -> None:
        self.run.pipe(source, _receive_all(name, {}), heed)

    def local(self, *names: str) -> dict[str, dict[str, str]]:
        words = ("zfs", "get", "-Hp", "-s", "local,received", "-o")
        pairs = _rows("zfs get", self.run.ask(*words, "name,property", "all", *names), ("name", "property"))
        heads = [f"{pair['name']}\t{pair['property']}" for pair in pairs]
        values = _apart("zfs get", self.run.ask(*words, "name,property,value", "all", *names), heads)
        found: dict[str, dict[str, str]] = {name: {} for name in names}
        for pair, value in zip(pairs, values, strict=True):
            if pair["name"] not in found:
                raise _not_understood("zfs get", pair["name"])
            found[pair["name"]][pair["property"]] = _whole(pair["name"], pair["property"], value)
        return found

    def let_go(self, snapshot: str, recursive: bool = False) -> None:
        self.run.do("zfs", "destroy", "-d", *(["-r"] if recursive else []), snapshot)

    def clone(self, snapshot: str, name: str, properties: Mapping[str, str] = {}) -> None:
        try:
            self.run.do("zfs", "clone", *_options(properties), snapshot, name)
        except ProgramFailed as failure:
            _take_back(failure, f"destroy {name}", lambda: self.destroy(name) if self.exists(name) else None)
            raise

    def promote(self, name: str) -> None:
        self.run.do("zfs", "promote", name)

    def set(self, name: str, properties: Mapping[str, str]) -> None:
        if properties:
            self.run.do("zfs", "set", *(f"{key}={value}" for key, value in properties.items()), name)

    def inherit(self, name: str, property: str, recursive: bool = False) -> None:
        self.run.do("zfs", "inherit", *(["-r"] if recursive else []), property, name)

    def rename(self, old: str, new: str, parents: bool = False) -> None:
        try:
            # OpenZFS up to 2.1 fails where it cannot mount what it renamed; later ones warn, and end with status 0.
            self.run.do("zfs", "rename", *(["-p"] if parents else []), old, new, failing=UNMOUNTED)
        except ProgramFailed as failure:
            _take_back(failure, f"rename {new} back", lambda: self._rename_back(old, new))
            raise

    def _rename_back(self, old: str, new: str) -> None:
        if not self.exists(old) and self.exists(new):
            self.run.do("zfs", "rename", new, old)
            # What zfs unmounted to rename it stays so when it cannot be mounted under the new name.
            for row in self.list(old, properties=("mounted", "canmount", "mountpoint"), recursive=True):
                if (row["mounted"], row["canmount"]) == ("no", "on") and row["mountpoint"].startswith("/"):
                    self.mount(row["name"])

    def destroy(self, name: str) -> None:
        self.run.do("zfs", "destroy", name)

    def below(self, name: str) -> builtins.list[str]:
        answer = self.run.ask("zfs", "destroy", "-rnpv", name)
        lines = [line.partition("\t") for line in answer.splitlines()]
        found = [rest for word, _, rest in lines if word == "destroy"]
        if any(word not in ("destroy", "reclaim") for word, _, _ in lines) or name not in found:
            raise _not_understood("zfs destroy -rnpv", answer)
        _within("zfs destroy -rnpv", found, (name,))
        return found

    def destroy_all(self, name: str, expected: Collection[str]) -> None:
        if not self.run.dry:
            self._refuse_more(name, expected)
        self.run.do("zfs", "destroy", "-r", name)

    def mount(self, name: str) -> None:
        self.run.do("zfs", "mount", name)

    def snapshot(self, *names: str) -> None:
        self.run.do("zfs", "snapshot", "-r", *names)

    def rollback(self, name: str) -> None:
        self.run.do("zfs", "rollback", name)

    def reclaimed(self, dataset: str, snapshots: Sequence[str]) -> tuple[builtins.list[str], int]:
        answer = self.run.ask("zfs", "destroy", "-rnpv", _together(dataset, snapshots))
        lines = [line.partition("\t") for line in answer.splitlines()]
        found = [rest for word, _, rest in lines if word == "destroy"]
        sizes = [rest for word, _, rest in lines if word == "reclaim"]
        if len(found) + len(sizes) != len(lines) or len(sizes) != 1 or not sizes[0].isdecimal():
            raise _not_understood("zfs destroy -rnpv", answer)
        for each in found:
            if f"@{each.partition('@')[2]}" not in snapshots:
                raise _not_understood("zfs destroy -rnpv", each)
        _within("zfs destroy -rnpv", found, (dataset,))
        return found, int(sizes[0])

    def destroy_snapshots(self, dataset: str, snapshots: Sequence[str]) -> None:
        self.run.do("zfs", "destroy", "-r", _together(dataset, snapshots))

    def _refuse_more(self, name: str, expected: Collection[str]) -> None:
        more = [each for each in self.below(name) if each not in expected]
        if more:
            raise ChyvesError(f"{name}: has more below it than it had: {', '.join(more)}; look at it and try again")

    def pools(self) -> builtins.list[dict[str, str]]:
        return _rows("zpool list", self.run.ask("zpool", "list", "-Hp", "-o", ",".join(POOL_COLUMNS)), POOL_COLUMNS)

    def wait_for_volume(self, path: Path, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not self.run.dry and not path.exists():
            if time.monotonic() > deadline:
                raise ChyvesError(f"{path}: did not appear within {seconds:g} seconds; look at the volume's volmode")
            time.sleep(PAUSE)


def _together(dataset: str, snapshots: Sequence[str]) -> str:
    """Several snapshots of a dataset as one name, which zfs(8) does in one change of the pool."""
    return f"{dataset}@{','.join(name.removeprefix('@') for name in snapshots)}"


def _take_back(failure: ProgramFailed, what: str, back: Callable[[], None]) -> None:
    """Undo what a program did before it failed; where that fails too, the failure tells it."""
    try:
        back()
    except ChyvesError as error:
        failure.add_note(f"could not {what}: {error}")


def _send_all(snapshot: str) -> Sequence[str]:
    return ("zfs", "send", "-R", snapshot)


def _receive_all(name: str, properties: Mapping[str, str]) -> Sequence[str]:
    return ("zfs", "receive", "-x", "mountpoint", *_options(properties), name)


def _options(properties: Mapping[str, str]) -> Sequence[str]:
    return [word for name, value in properties.items() for word in ("-o", f"{name}={value}")]


def _listed(columns: Sequence[str], ask: Callable[[Sequence[str]], str]) -> list[dict[str, str]]:
    """The lines of `zfs list` by column, with values of any text: they are printed as they are, also line ends.

    Such a value can look like further lines. So where a property of a user is set, or lines are odd, the columns that
    can have any text are asked for one by one: the others have told by then which datasets there are.
    """
    free = [column for column in columns if ":" in column or column == "mountpoint"]
    answer = ask(columns)
    try:
        rows = _rows("zfs list", answer, columns)
    except ChyvesError:
        if not free:
            raise
    else:
        if all(row[column] == "-" for row in rows for column in free if ":" in column):
            return rows
    firm = [column for column in columns if column not in free]
    rows = _rows("zfs list", ask(firm), firm)
    names = [row["name"] for row in rows]
    for column in free:
        for row, value in zip(rows, _apart("zfs list", ask(("name", column)), names), strict=True):
            row[column] = value
    return rows


def _rows(command: str, answer: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """An answer's lines by column; raises ChyvesError for a line with another number of columns."""
    rows = [line.split("\t") for line in answer.split("\n") if line]
    for row in rows:
        if len(row) != len(columns):
            raise _not_understood(command, "\t".join(row))
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _apart(command: str, answer: str, heads: Sequence[str]) -> list[str]:
    """The values, of any text, that stand behind these heads of lines.

    Raises ChyvesError where that is not clear: a value has a line that looks like one of a dataset, or there is another
    dataset by now.
    """
    known, width = frozenset(heads), heads[0].count("\t") + 1 if heads else 1
    pools = {re.split("[/@#\t]", head, maxsplit=1)[0] for head in heads}
    found: list[str] = []
    values: list[str] = []
    for line in answer.removesuffix("\n").split("\n") if answer else ():
        *fields, last = line.split("\t", width)
        head = "\t".join(fields)
        if head in known:
            found.append(head)
            values.append(last)
        elif not values or (fields and re.split("[/@#]", head, maxsplit=1)[0] in pools):
            raise _not_understood(command, line)
        else:
            values[-1] += f"\n{line}"
    if found != list(heads):
        raise _not_understood(command, answer)
    return values


def _whole(name: str, property: str, value: str) -> str:
    """A value that is passed on; one with bytes that are no UTF-8 would become another."""
    if "\ufffd" in value:
        raise ChyvesError(f"{name}: {property} has bytes that are no text; mend it with: zfs inherit {property} {name}")
    return value


def _within(command: str, found: Iterable[str], names: Iterable[str]) -> None:
    """Refuse datasets that were not asked for: neither of these nor below them."""
    asked = frozenset(names)
    below = tuple(f"{name}{mark}" for name in asked for mark in "/@#")
    for each in found:
        if each not in asked and not each.startswith(below):
            raise _not_understood(command, each)


def _not_understood(command: str, answer: str) -> ChyvesError:
    return ChyvesError(f"{command}: answered what was not asked for: {answer[:200]!a}; run it by hand and look")
