"""The state of a lab's pools: one SQLite file, changed in one transaction per command, and the files beside it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from chyves.lab.place import Lab
from chyves.lab.zfs import journal, locking
from chyves.lab.zfs.journal import Step

_VERSION = 2
_SCHEMA = """
CREATE TABLE pool (
    name TEXT PRIMARY KEY, guid INTEGER NOT NULL, size INTEGER NOT NULL, devices TEXT NOT NULL, altroot TEXT NOT NULL,
    exported INTEGER NOT NULL DEFAULT 0, txg INTEGER NOT NULL DEFAULT 4);
CREATE TABLE pool_property (pool TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (pool, name));
CREATE TABLE dataset (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, head TEXT NOT NULL,
    guid INTEGER NOT NULL, txg INTEGER NOT NULL, creation INTEGER NOT NULL, origin INTEGER, volsize INTEGER,
    volblocksize INTEGER, place TEXT, referenced INTEGER NOT NULL DEFAULT 0, logical INTEGER NOT NULL DEFAULT 0,
    deferred INTEGER NOT NULL DEFAULT 0);
CREATE INDEX dataset_origin ON dataset (origin) WHERE origin IS NOT NULL;
CREATE INDEX dataset_place ON dataset (place) WHERE place IS NOT NULL;
CREATE TABLE property (
    dataset INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (dataset, name)) WITHOUT ROWID;
CREATE TABLE hold (snapshot INTEGER NOT NULL, tag TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (snapshot, tag));
CREATE TABLE journal (
    step INTEGER PRIMARY KEY, act TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, number INTEGER NOT NULL);
"""
# What came with `zfs receive`: properties of received datasets, and receptions that can be taken up again.
_SCHEMA_2 = """
CREATE TABLE received (
    dataset INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, hidden INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (dataset, name)) WITHOUT ROWID;
CREATE TABLE partial (dataset INTEGER PRIMARY KEY, begin TEXT NOT NULL, made INTEGER NOT NULL);
"""


def _how_to_open(path: str) -> str:
    """The database as the user may have it: an ordinary user of root's lab reads it.

    The log is read with it where there is one; else nobody has the database open, and a reader who could not make a
    log takes it as it lies.
    """
    place = path.replace("?", "%3f").replace("#", "%23")
    if not os.path.exists(path) or os.access(path, os.W_OK):
        return f"file:{place}"
    return f"file:{place}?mode=ro" + ("" if os.path.exists(f"{path}-shm") else "&immutable=1")


class State:
    """The pools of a lab as they are; `changing()` is the only way to change them.

    A dataset's data are at its `place` (a mountpoint, a node below dev/zvol), or, while it has none, in the store
    under the dataset's number; a snapshot's always are. Readers never wait: SQLite's write-ahead log shows them the
    state before a change that is under way. Writers wait for each other, on a lock that a killed process loses.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.root = str(lab.root)
        self.store = str(lab.state / "zfs")
        self.volumes = f"{self.root}/dev/zvol"
        self.steps: list[Step] = []
        path = f"{lab.state}/zfs.db"
        for place in ("staging", "receiving"):
            os.makedirs(f"{self.store}/{place}", exist_ok=True)
        self.db = sqlite3.connect(_how_to_open(path), timeout=60, isolation_level=None, uri=True)
        if self.db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            self._found()
        # Nothing waits for the disk: that keeps the state whole when programs are killed, which a lab is there to show,
        # and spares a flush of some 20 ms for each command. A power cut may cost the lab.
        self.db.execute("PRAGMA synchronous = OFF")
        if self.db.execute("SELECT 1 FROM journal").fetchone():
            self._finish_for_the_dead()

    def _found(self) -> None:
        with self._locked():
            found = self.db.execute("PRAGMA user_version").fetchone()[0]
            if found == 0:
                self.db.execute("PRAGMA journal_mode = WAL")
            missing = "".join([_SCHEMA, _SCHEMA_2][found:])
            self.db.executescript(f"BEGIN; {missing} PRAGMA user_version = {_VERSION}; COMMIT;")

    def close(self) -> None:
        """Let go of the database."""
        self.db.close()

    @contextmanager
    def _locked(self, waiting: bool = True) -> Iterator[bool]:
        with open(f"{self.store}/lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if waiting else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def _finish_for_the_dead(self) -> None:
        """Do the steps of a command that was killed; those of one that is alive are its own."""
        with self._locked(waiting=False) as mine:
            if mine:
                try:
                    self._do_steps()
                except OSError:
                    pass  # what is in the way is told by the next command that changes something

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One command's change: committed as a whole when the block ends, not at all when it raises."""
        with self._locked():
            self._do_steps()
            for leftover in os.listdir(f"{self.store}/staging"):
                journal.remove(f"{self.store}/staging/{leftover}")
            self._clear_receptions()
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.executemany("INSERT INTO journal (act, source, target, number) VALUES (?, ?, ?, ?)", self.steps)
                self.db.execute("COMMIT")
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            finally:
                self.steps = []
            self._do_steps()

    def _clear_receptions(self) -> None:
        """Remove what was received by commands that were killed; those that live hold a lock on theirs."""
        for name in os.listdir(f"{self.store}/receiving"):
            place = f"{self.store}/receiving/{name}"
            with locking.tried(place) as free:
                if free:
                    journal.remove(place)

    def then(self, act: str, source: str, target: str = "", number: int = 0) -> None:
        """Have a change of files done once this command's change of state is committed."""
        self.steps.append(Step(act, source, target, number))

    def _do_steps(self) -> None:
        left = self.db.execute("SELECT step, act, source, target, number FROM journal ORDER BY step").fetchall()
        if not left:
            return
        from chyves.lab.zfs import replay

        for number, *fields in left:
            replay.do(self, Step(*fields))
            self.db.execute("DELETE FROM journal WHERE step = ?", (number,))

    def staged(self, dataset: int) -> str:
        """Where data of a dataset that is being made are put together."""
        return f"{self.store}/staging/{dataset}"

    @contextmanager
    def receiving(self) -> Iterator[str]:
        """A directory for what comes in by `zfs receive`, which may take its time while others change things."""
        import tempfile

        with ExitStack() as held:
            with self._locked():
                place = tempfile.mkdtemp(dir=f"{self.store}/receiving")
                held.callback(journal.remove, place)
                held.enter_context(locking.shared([place]))
            yield place

    def partial(self, dataset: int) -> str:
        """Where the received part of a stream for a dataset is kept, to be completed later."""
        return f"{self.store}/partial-{dataset}"

    def stored(self, dataset: int) -> str:
        """Where data of a dataset are that has no place in the host's tree."""
        return f"{self.store}/{dataset}"
