"""A lab of nothing but a pool, and its zfs and zpool called in this process."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import NamedTuple

from chyves.lab.place import Lab
from chyves.lab.zfs import commands


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
        """What is written to standard error by a command that must fail with status 1 and change nothing."""
        before = self.everything()
        said = self(*words)
        assert said.status == 1, said
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


def made(top: Path, release: str = "14.3") -> Zfs:
    """A lab below a directory, with the pool zroot on a disk."""
    for part in ("root/dev", "state", "bin"):
        (top / part).mkdir(parents=True)
    (top / "lab.json").write_text(json.dumps({"release": release, "pool": "zroot"}))
    zfs = Zfs(Lab.open(top))
    assert zfs.zpool("create", "zroot", "ada0") == Said(0, "", "")
    return zfs
