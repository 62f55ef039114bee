"""ZFS through zfs(8) and zpool(8), whose answers are checked before they are believed.

Options stand before names, as FreeBSD's getopt does not look for them behind; numbers are exact (`-p`).
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.run import Runner

Heed = Callable[[int], None]
POOL_COLUMNS = ("name", "size", "alloc", "free", "health")
PAUSE = 0.02


class Zfs:
    """Datasets and pools of the host. Every refusal by ZFS is a ProgramFailed with its words."""

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
        """Datasets with properties of theirs, from one process; all of the host where no name is given.

        Numbers are in bytes, times in seconds since 1970; `-` is a property that is not there.
        Raises ProgramFailed when a name is missing, ChyvesError when the answer is not to the question.
        """
        columns = properties if "name" in properties else ("name", *properties)
        reach = ["-r"] if recursive else [] if depth is None else ["-d", str(depth)]
        answer = self.run.ask("zfs", "list", "-Hp", "-o", ",".join(columns), "-t", types, *reach, *names)
        rows = _rows("zfs list", answer, columns)
        for row in rows:
            _within("zfs list", row["name"], names)
        return rows

    def get(self, name: str, property: str) -> str:
        """The value of one property of a dataset; `-` where it has none."""
        answer = self.run.ask("zfs", "get", "-Hp", "-o", "name,value", property, name)
        rows = _rows("zfs get", answer, ("name", "value"))
        if len(rows) != 1 or rows[0]["name"] != name:
            raise _not_understood("zfs get", answer)
        return rows[0]["value"]

    def exists(self, name: str) -> bool:
        """Whether there is a dataset; raises ProgramFailed when ZFS cannot tell."""
        try:
            self.run.ask("zfs", "list", "-H", "-o", "name", name)
        except ProgramFailed as failure:
            if f"cannot open '{name}': dataset does not exist" in failure.said:
                return False
            raise
        return True

    def create(self, name: str, properties: Mapping[str, str] = {}, parents: bool = False) -> None:
        """Make a file system; with `parents` also those above it, and then one that is there already will do.

        When that fails, none of it is left: what zfs could make and not mount is destroyed again.
        """
        self._create(*(["-p"] if parents else []), *_options(properties), name)

    def create_volume(self, name: str, size: int, properties: Mapping[str, str] = {}, parents: bool = False) -> None:
        """Make a volume of `size` bytes, which ZFS rounds up to its blocks; `parents` as for a file system."""
        self._create(*(["-p"] if parents else []), "-V", str(size), *_options(properties), name)

    def _create(self, *words: str) -> None:
        try:
            self.run.do("zfs", "create", *words)
        except ProgramFailed as failure:
            if "successfully created" in failure.said:
                _take_back(failure, f"destroy {words[-1]}", lambda: self.destroy(words[-1]))
            raise

    def copy(self, snapshot: str, name: str, properties: Mapping[str, str] = {}, heed: Heed = lambda _: None) -> None:
        """Make a dataset of its own, on any pool, of a snapshot, which it has too then; `heed` is told the bytes.

        Properties are only those given. When that fails, the dataset is not there.
        """
        self.run.pipe(("zfs", "send", snapshot), ("zfs", "receive", *_options(properties), name), heed)

    def replicate(
        self, snapshot: str, name: str, properties: Mapping[str, str] = {}, heed: Heed = lambda _: None
    ) -> None:
        """Make a replica of a dataset with all below it, on another pool: with their properties and older snapshots.

        Mountpoints are inherited there; `properties` are set on it beside. When that fails, a part of it may be there.
        """
        receive = ("zfs", "receive", "-x", "mountpoint", *_options(properties), name)
        self.run.pipe(("zfs", "send", "-R", snapshot), receive, heed)

    def local(self, *names: str) -> dict[str, dict[str, str]]:
        """The properties that were set on datasets themselves, or came with them, from one process."""
        answer = self.run.ask("zfs", "get", "-Hp", "-s", "local,received", "-o", "name,property,value", "all", *names)
        found: dict[str, dict[str, str]] = {name: {} for name in names}
        for row in _rows("zfs get", answer, ("name", "property", "value")):
            if row["name"] not in found:
                raise _not_understood("zfs get", row["name"])
            found[row["name"]][row["property"]] = row["value"]
        return found

    def let_go(self, snapshot: str, recursive: bool = False) -> None:
        """Destroy a snapshot as soon as no clone hangs on it any more; `recursive` also those of its name below."""
        self.run.do("zfs", "destroy", "-d", *(["-r"] if recursive else []), snapshot)

    def clone(self, snapshot: str, name: str, properties: Mapping[str, str] = {}) -> None:
        """Make a dataset out of a snapshot on the same pool; when that fails, it is not there."""
        try:
            self.run.do("zfs", "clone", *_options(properties), snapshot, name)
        except ProgramFailed as failure:
            _take_back(failure, f"destroy {name}", lambda: self.destroy(name) if self.exists(name) else None)
            raise

    def promote(self, name: str) -> None:
        """Let a clone take over the snapshot that it hangs on, and all older ones: what it came from is the clone."""
        self.run.do("zfs", "promote", name)

    def set(self, name: str, properties: Mapping[str, str]) -> None:
        """Set properties of a dataset, all in one change."""
        if properties:
            self.run.do("zfs", "set", *(f"{key}={value}" for key, value in properties.items()), name)

    def inherit(self, name: str, property: str, recursive: bool = False) -> None:
        """Have a property of a dataset be again what that above it says; `recursive` also of all below it."""
        self.run.do("zfs", "inherit", *(["-r"] if recursive else []), property, name)

    def rename(self, old: str, new: str, parents: bool = False) -> None:
        """Give a dataset, with all below it, another name in its pool; `parents` makes what is missing above that.

        When that fails, it has its old name: zfs can fail when it has renamed a file system and cannot mount it.
        """
        try:
            self.run.do("zfs", "rename", *(["-p"] if parents else []), old, new)
        except ProgramFailed as failure:
            _take_back(failure, f"rename {new} back", lambda: self._rename_back(old, new))
            raise

    def _rename_back(self, old: str, new: str) -> None:
        if not self.exists(old) and self.exists(new):
            self.run.do("zfs", "rename", new, old)

    def destroy(self, name: str) -> None:
        """Destroy one dataset or snapshot that has nothing below it."""
        self.run.do("zfs", "destroy", name)

    def below(self, name: str) -> builtins.list[str]:
        """What destroying a dataset with all below it would take, in the order of ZFS: the dataset itself is last.

        Raises ProgramFailed where something elsewhere depends on it (a clone of one of its snapshots).
        """
        answer = self.run.ask("zfs", "destroy", "-rnpv", name)
        lines = [line.partition("\t") for line in answer.splitlines()]
        found = [rest for word, _, rest in lines if word == "destroy"]
        if any(word not in ("destroy", "reclaim") for word, _, _ in lines) or name not in found:
            raise _not_understood("zfs destroy -rnpv", answer)
        for each in found:
            _within("zfs destroy -rnpv", each, (name,))
        return found

    def destroy_all(self, name: str, expected: Collection[str]) -> None:
        """Destroy a dataset with all below it; raises ChyvesError when that would take more than is expected."""
        if not self.run.dry:
            self._refuse_more(name, expected)
        self.run.do("zfs", "destroy", "-r", name)

    def mount(self, name: str) -> None:
        """Mount a file system at its place."""
        self.run.do("zfs", "mount", name)

    def snapshot(self, name: str) -> None:
        """Take a snapshot (`DATASET@NAME`) of a dataset and of all below it, all at the same moment or none."""
        self.run.do("zfs", "snapshot", "-r", name)

    def rollback(self, name: str) -> None:
        """Bring one dataset back to a snapshot of it (`DATASET@NAME`), which must be its latest."""
        self.run.do("zfs", "rollback", name)

    def reclaimed(self, dataset: str, snapshots: Sequence[str]) -> tuple[builtins.list[str], int]:
        """What destroying snapshots (`@NAME`) of a dataset and of all below it takes, and the bytes that come back."""
        answer = self.run.ask("zfs", "destroy", "-rnpv", _together(dataset, snapshots))
        lines = [line.partition("\t") for line in answer.splitlines()]
        found = [rest for word, _, rest in lines if word == "destroy"]
        sizes = [rest for word, _, rest in lines if word == "reclaim"]
        if len(found) + len(sizes) != len(lines) or len(sizes) != 1 or not sizes[0].isdecimal():
            raise _not_understood("zfs destroy -rnpv", answer)
        for each in found:
            if f"@{each.partition('@')[2]}" not in snapshots:
                raise _not_understood("zfs destroy -rnpv", each)
            _within("zfs destroy -rnpv", each, (dataset,))
        return found, int(sizes[0])

    def destroy_snapshots(self, dataset: str, snapshots: Sequence[str]) -> None:
        """Destroy snapshots (`@NAME`) of a dataset and of all below it, where they are: all at once, or none."""
        self.run.do("zfs", "destroy", "-r", _together(dataset, snapshots))

    def _refuse_more(self, name: str, expected: Collection[str]) -> None:
        more = [each for each in self.below(name) if each not in expected]
        if more:
            raise ChyvesError(f"{name}: has more below it than it had: {', '.join(more)}; look at it and try again")

    def pools(self) -> builtins.list[dict[str, str]]:
        """The pools of the host: name, size, alloc and free in bytes, health."""
        return _rows("zpool list", self.run.ask("zpool", "list", "-Hp", "-o", ",".join(POOL_COLUMNS)), POOL_COLUMNS)

    def wait_for_volume(self, path: Path, seconds: float = 10) -> None:
        """Wait for the device of a volume, which appears some time after the volume; not at all in a dry run."""
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


def _options(properties: Mapping[str, str]) -> Sequence[str]:
    return [word for name, value in properties.items() for word in ("-o", f"{name}={value}")]


def _rows(command: str, answer: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """An answer's lines by column; a value with a tab or a line end in it shows as a wrong number of columns."""
    rows = [line.split("\t") for line in answer.split("\n") if line]
    for row in rows:
        if len(row) != len(columns):
            raise _not_understood(command, "\t".join(row))
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _within(command: str, found: str, names: Sequence[str]) -> None:
    """Refuse a dataset that was not asked for."""
    if names and not any(found == name or found.startswith((f"{name}/", f"{name}@", f"{name}#")) for name in names):
        raise _not_understood(command, found)


def _not_understood(command: str, answer: str) -> ChyvesError:
    return ChyvesError(f"{command}: answered what was not asked for: {answer[:200]!a}; run it by hand and look")
