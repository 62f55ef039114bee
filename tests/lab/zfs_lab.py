"""A lab of nothing but a pool, and its zfs and zpool called in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from chyves.lab.place import Lab
from chyves.lab.zfs import commands


def poke(path: Path, text: str) -> None:
    """Write over the beginning of a file or volume in place, as programs do."""
    with open(path, "r+" if path.exists() else "w") as file:
        file.write(text)


def peek(path: Path, length: int) -> str:
    """The beginning of a file or volume."""
    with open(path) as file:
        return file.read(length)


class Said(NamedTuple):
    """What a program did: its status and what it wrote."""

    status: int
    out: str
    err: str


class Zfs:
    """The zfs of a lab: `zfs("list", "-H")` is what it says, `zfs.ok(...)` its output when it must succeed."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def run(self, program: str, *words: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = commands.run(self.lab, program, words)
        return Said(status, out.getvalue(), err.getvalue())

    def __call__(self, *words: str) -> Said:
        return self.run("zfs", *words)

    def zpool(self, *words: str) -> Said:
        return self.run("zpool", *words)

    def ok(self, *words: str) -> str:
        said = self(*words)
        assert (said.status, said.err) == (0, ""), said
        return said.out

    def refused(self, *words: str) -> str:
        """What is written to standard error by a command that must fail and change nothing.

        The status is 1, but for `zfs set` since OpenZFS 2.2, which ends with 255 where a property cannot be set.
        """
        before = self.everything()
        said = self(*words)
        of_set = said.err.startswith("cannot set property") and self.lab.release not in ("11.0", "13.2")
        assert said.status == (255 if words[0] == "set" and of_set else 1), said
        assert self.everything() == before
        return said.err.rstrip("\n")

    def misused(self, *words: str) -> str:
        """The first line of what a command says that must fail with usage, status 2."""
        before = self.everything()
        said = self(*words)
        assert said.status == 2, said
        assert "usage:" in said.err
        assert self.everything() == before
        return said.err.split("\n")[0]

    def value(self, prop: str, name: str) -> str:
        return self.ok("get", "-Hp", "-o", "value", prop, name).rstrip("\n")

    def source(self, prop: str, name: str) -> str:
        return self.ok("get", "-H", "-o", "source", prop, name).rstrip("\n")

    def names(self, *words: str) -> list[str]:
        return self.ok("list", "-H", "-o", "name", *words).split()

    def everything(self) -> str:
        """All datasets with all that can be set or seen of them."""
        properties = self("get", "-Hp", "-r", "-o", "name,property,value,source", "all", *self._pools())
        snapshots = self("list", "-H", "-o", "name", "-t", "snapshot").out.splitlines()
        holds = [self("holds", "-H", name).out for name in snapshots]
        return properties.out + "".join(holds)

    def _pools(self) -> list[str]:
        return self.zpool("list", "-H", "-o", "name").out.split()

    def path(self, name: str) -> Path:
        """The directory that a file system is mounted on."""
        return Path(self.value("mountpoint", name))

    def device(self, name: str) -> Path:
        """Where the node of a volume (or of its snapshot) is."""
        return self.lab.root / "dev/zvol" / name


def picture(zfs: Zfs) -> dict[str, object]:
    """All datasets with what tells them apart and what is in them, but for what is new in every run (guids, times)."""
    columns = "name,type,origin,mounted,mountpoint,volsize,refreservation,userrefs,x:y"
    rows = [line.split("\t") for line in zfs("list", "-Hp", "-t", "all", "-o", columns).out.splitlines()]
    told: dict[str, object] = {row[0]: (row, inside) for row, inside in zip(rows, all_contents(zfs, rows), strict=True)}
    nodes = zfs.lab.root / "dev/zvol"
    told["nodes"] = sorted(str(node.relative_to(nodes)) for node in nodes.rglob("*"))
    told["views"] = sorted(str(view) for view in zfs.lab.root.rglob(".zfs/snapshot/*"))
    return told


def contents(zfs: Zfs, name: str) -> dict[str, str]:
    """What is in the files of a dataset, by path; of a volume the first bytes."""
    return all_contents(zfs, [[name]])[0]


def all_contents(zfs: Zfs, rows: list[list[str]]) -> list[dict[str, str]]:
    with contextlib.closing(sqlite3.connect(zfs.lab.state / "zfs.db")) as db:
        found = db.execute("SELECT name, id, place, head FROM dataset").fetchall()
    known: dict[str, tuple[int, str | None, str]] = {name: (number, place, head) for name, number, place, head in found}
    mounted = {place for _, place, _ in known.values() if place}
    return [_files(zfs, known[row[0]], mounted) if "#" not in row[0] else {} for row in rows]


def _files(zfs: Zfs, dataset: tuple[int, str | None, str], mounted: set[str]) -> dict[str, str]:
    number, place, head = dataset
    top = Path(place or zfs.lab.state / "zfs" / str(number))
    if head == "volume":
        return {"": peek(top, 16)}
    found: dict[str, str] = {}
    for directory, below, files in os.walk(top):
        below[:] = [one for one in below if f"{directory}/{one}" not in mounted and one != ".zfs"]
        found.update({os.path.relpath(f"{directory}/{file}", top): Path(directory, file).read_text() for file in files})
    return found


def disagreements(zfs: Zfs) -> list[str]:
    """Where the state and the files of a lab do not agree; nothing when all is well."""
    store, nodes = zfs.lab.state / "zfs", zfs.lab.root / "dev/zvol"
    with contextlib.closing(sqlite3.connect(zfs.lab.state / "zfs.db")) as db:
        rows = db.execute("SELECT id, name, kind, head, volsize, place FROM dataset").fetchall()
        wrong = [f"step left: {row}" for row in db.execute("SELECT * FROM journal")]
    stored, placed = set[str](), set[str]()
    for number, name, kind, head, volsize, place in rows:
        if kind == "bookmark":
            continue
        (placed if place else stored).add(place or str(number))
        data = Path(place) if place else store / str(number)
        if head == "filesystem" and not data.is_dir():
            wrong.append(f"{name}: no directory {data}")
        if head == "volume" and (not data.is_file() or data.stat().st_size != volsize):
            wrong.append(f"{name}: {data} is not a volume of {volsize}")
        if kind == "volume" and place and place != f"{nodes}/{name}":
            wrong.append(f"{name}: node at {place}")
    kept = [path for path in store.iterdir() if path.name.isdigit()]
    wrong += [f"left in the store: {path}" for path in kept if path.name not in stored]
    wrong += [f"left over: {path}" for path in (store / "staging").iterdir()]
    files = [path for path in nodes.rglob("*") if path.is_file() and not path.is_symlink()]
    return wrong + [f"a node too many: {path}" for path in files if str(path) not in placed]


def made(top: Path, release: str = "14.3") -> Zfs:
    """A lab below a directory, with the pool zroot on a disk."""
    for part in ("root/dev", "state", "bin"):
        (top / part).mkdir(parents=True)
    (top / "lab.json").write_text(json.dumps({"release": release, "pool": "zroot"}))
    zfs = Zfs(Lab.open(top))
    assert zfs.zpool("create", "zroot", "ada0") == Said(0, "", "")
    return zfs
