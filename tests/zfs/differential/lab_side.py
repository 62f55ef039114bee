"""The lab as a machine whose zfs is compared with the real one."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from unittest import mock

from chyves.lab.zfs import commands
from tests.lab.zfs_lab import made
from tests.zfs.differential.agent import digest, files, payload
from tests.zfs.differential.steps import Said


class LabSide:
    """A lab with one pool on a file; its zfs and zpool run in this process."""

    def __init__(self, top: Path, pool: str, release: str) -> None:
        self.pool, self.release = pool, release
        self.lab = made(top, release).lab
        self.run(["zpool", "destroy", "zroot"])
        self.prefix = str(self.lab.root)
        self._sitting: list[subprocess.Popen[bytes]] = []

    def reset(self, size: int) -> None:
        """Make the pool anew, with nothing in it."""
        self.rise()
        self.run(["zpool", "destroy", "-f", self.pool])
        with open(self.lab.root / "disk", "wb") as file:
            file.truncate(size)
        said = self.run(["zpool", "create", "-O", "atime=off", self.pool, "/disk"])
        if said[0]:
            raise RuntimeError(said)

    def close(self) -> None:
        """Leave no process behind."""
        self.rise()

    def run(self, words: list[str], given: bytes = b"") -> Said:
        status, out, err = self._run(words, given)
        return status, out.decode(errors="replace"), err

    patient = run

    def _run(self, words: list[str], given: bytes = b"") -> tuple[int, bytes, str]:
        out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
        source = io.TextIOWrapper(io.BytesIO(given))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.object(sys, "stdin", source):
            status = commands.run(self.lab, words[0], words[1:])
        return status, out.buffer.getvalue(), err.getvalue()

    def pipe(self, send: list[str], receive: list[str], part: float) -> list[Said]:
        """Send into a receiver, or (`part` below 1) only the beginning of the stream."""
        status, stream, err = self._run(send)
        return [(status, "", err), self.run(receive, stream if part == 1 else stream[: int(len(stream) * part)])]

    def resume(self, dataset: str, receive: list[str]) -> list[Said]:
        """Send and receive the rest of a stream that was cut off."""
        token = self.run(["zfs", "get", "-H", "-o", "value", "receive_resume_token", dataset])[1].strip()
        return self.pipe(["zfs", "send", "-t", token], receive, 1)

    def write(self, dataset: str, name: str, seed: int, size: int) -> str:
        """Write a file into a file system, or over the beginning of a volume; where that cannot be, why."""
        place, kind = self._place(dataset)
        if not place:
            return "no place"
        try:
            if self._readonly(dataset):
                return "OSError"
            with open(place if kind == "volume" else f"{place}/{name}", "r+b" if kind == "volume" else "wb") as file:
                file.write(payload(seed, size))
        except OSError as error:
            return type(error).__name__
        return "written"

    def _readonly(self, dataset: str) -> bool:
        """What is read-only is not kept from writing in a lab, whose file systems are directories."""
        return self.run(["zfs", "get", "-H", "-o", "value", "readonly", dataset])[1].strip() == "on"

    def sit(self, dataset: str) -> str:
        """Have a process stand in a file system, or hold a volume open."""
        place, kind = self._place(dataset)
        if not place:
            return "no place"
        if kind == "volume":
            with open(place, "rb") as file:
                self._sitting.append(subprocess.Popen(["sleep", "1000"], stdin=file))
        else:
            self._sitting.append(subprocess.Popen(["sleep", "1000"], cwd=place))
        return "sitting"

    def rise(self) -> None:
        """End those processes."""
        for process in self._sitting:
            process.kill()
            process.wait()
        self._sitting = []

    def contents(self) -> dict[str, dict[str, str] | str]:
        """What is in the file systems that are mounted, and in the volumes."""
        places = {name: (place, kind) for name, place, kind in self.rows() if place}
        mounted = {place for place, kind in places.values() if kind == "filesystem"}
        return {
            name: files(Path(place), mounted - {place}) if kind == "filesystem" else digest(Path(place))
            for name, (place, kind) in places.items()
        }

    def rows(self) -> list[tuple[str, str | None, str]]:
        """Every dataset of the pool: name, place and kind."""
        with contextlib.closing(sqlite3.connect(self.lab.state / "zfs.db")) as db:
            where = "WHERE name = ? OR name LIKE ? OR name LIKE ? OR name LIKE ? ORDER BY name"
            likes = (self.pool, f"{self.pool}/%", f"{self.pool}@%", f"{self.pool}#%")
            return db.execute(f"SELECT name, place, kind FROM dataset {where}", likes).fetchall()

    def _place(self, dataset: str) -> tuple[str | None, str]:
        found = {name: (place, kind) for name, place, kind in self.rows()}
        place, kind = found.get(dataset, (None, ""))
        return (place, kind) if kind in ("filesystem", "volume") and place and os.path.exists(place) else (None, kind)
