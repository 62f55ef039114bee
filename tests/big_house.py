"""A house of many guests, built cheaply: what chyves made of one guest is written for the others, with no program run.

The datasets go straight into the tables of the lab's pools, and their directories, volumes and files beside them.
"""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chyves.lab.place import Lab
from chyves.lab.zfs.state import State
from chyves.section import read_text, write_text

POOL = "zroot"
GUESTS = f"{POOL}/chyves/guests"
FIRST = "g0001"
"""The guest that chyves has made, whose likes the others are."""

COLUMNS = "name, kind, head, guid, txg, creation, volsize, volblocksize, place, referenced, logical"
FIRST_TAP = 50


@dataclass(frozen=True)
class House:
    """A lab that has the guest FIRST."""

    lab: Lab

    @property
    def guests(self) -> Path:
        return self.lab.root / "chyves" / POOL / "guests"

    def config(self, name: str) -> Path:
        """The file of a guest's properties."""
        return self.guests / name / ".config" / ".cfg"

    def names(self) -> list[str]:
        """The guests that it has."""
        return sorted(path.parents[1].name for path in self.guests.glob("*/.config/.cfg"))

    def grow(self, count: int, snapshots: int = 0) -> None:
        """Bring it to this many guests, each with all that no two may share; the new ones with so many snapshots."""
        state = State(self.lab)
        have = len(self.names())
        with state.changing():
            kept = list(self._of_first(state, "kind <> 'snapshot'"))
            for number in range(have + 1, count + 1):
                self._add(state, f"g{number:04}", number, kept)
                for tag in range(snapshots):
                    self._snapshot(state, f"g{number:04}", f"s{tag:02}")
        state.close()
        self.join(count)

    def _snapshot(self, state: State, name: str, tag: str) -> None:
        heads = "SELECT name, kind, place, volsize FROM dataset WHERE kind <> 'snapshot' AND (name = ? OR name GLOB ?)"
        own = (f"{GUESTS}/{name}", f"{GUESTS}/{name}/*")
        for dataset, kind, place, size in state.db.execute(heads, own).fetchall():
            self._take(state, dataset, kind, place, size, tag)

    def _of_first(self, state: State, which: str) -> Iterator[tuple[Sequence[object], Mapping[str, str]]]:
        """The rows of the first guest's datasets, each with its properties."""
        own = (f"{GUESTS}/{FIRST}", f"{GUESTS}/{FIRST}/*")
        select = f"SELECT id, {COLUMNS} FROM dataset WHERE ({which}) AND (name = ? OR name GLOB ?) ORDER BY id"
        for number, *row in state.db.execute(select, own).fetchall():
            properties = state.db.execute("SELECT name, value FROM property WHERE dataset = ?", (number,))
            yield row, dict(properties.fetchall())

    def _add(
        self, state: State, name: str, number: int, kept: Sequence[tuple[Sequence[object], Mapping[str, str]]]
    ) -> None:
        for (dataset, kind, head, _, txg, creation, volsize, block, place, *sizes), properties in kept:
            own = str(place).replace(f"/{FIRST}", f"/{name}")
            row = (str(dataset).replace(f"/{FIRST}", f"/{name}"), kind, head, secrets.randbits(62), txg, creation)
            made = _insert(state, (*row, volsize, block, own, *sizes))
            state.db.executemany(
                "INSERT INTO property VALUES (?, ?, ?)", [(made, key, value) for key, value in properties.items()]
            )
            if kind == "volume":
                _volume(own, int(str(volsize)))
            else:
                os.makedirs(own, exist_ok=True)
        self.write(name, number)

    def write(self, name: str, number: int) -> None:
        """The file of a guest, in which everything that no two may share is its own."""
        text = read_text(self.config(FIRST).read_text(), FIRST)
        old, new = text["net_ifaces"], f"tap{FIRST_TAP + number - 1}"
        text = {key.replace(old, new): value.replace(old, new) for key, value in text.items()}
        text |= {
            "uuid": str(uuid.uuid4()),
            "serial": f"nmdm{FIRST_TAP + number - 1}",
            f"{new}_mac": f"58:9c:fc:ff:{number >> 8:02x}:{number & 255:02x}",
        }
        self.config(name).write_text(write_text(text))

    def join(self, count: int) -> None:
        """Have every tap in the list of its bridge."""
        file = self.lab.root / "chyves" / POOL / ".config" / "global.cfg"
        text = read_text(file.read_text(), "global")
        taps = ",".join(f"tap{number}" for number in range(FIRST_TAP, FIRST_TAP + count))
        file.write_text(write_text(text | {"bridge0_tap_members": taps}))

    @staticmethod
    def _take(state: State, dataset: str, kind: str, place: str, volsize: int | None, tag: str) -> None:
        (txg,) = state.db.execute("UPDATE pool SET txg = txg + 1 WHERE name = ? RETURNING txg", (POOL,)).fetchone()
        row = (f"{dataset}@{tag}", "snapshot", kind, secrets.randbits(62), txg, 1_700_000_000 + txg, volsize)
        made = _insert(state, (*row, 16384 if volsize else None, None, 98304, 0))
        stored = state.stored(made)
        if kind == "volume":
            _volume(stored, volsize or 0)
        else:
            os.mkdir(stored)
            if os.path.isdir(f"{place}/.zfs/snapshot"):
                os.symlink(stored, f"{place}/.zfs/snapshot/{tag}")


def _insert(state: State, row: Sequence[object]) -> int:
    marks = ", ".join("?" * len(row))
    made = state.db.execute(f"INSERT INTO dataset ({COLUMNS}) VALUES ({marks})", row).lastrowid
    assert made is not None
    return made


def _volume(place: str, size: int) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.truncate(size)
