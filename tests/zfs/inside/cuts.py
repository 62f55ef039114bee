"""Run inside a ZFS machine: the power is cut at each step of the operations of tests.torture, on a real pool.

Booting a machine for each cut would take too long. So an operation is done once, and before and after each of its
steps, while all stands still, what is on the disks of its pools is copied: that is what a power cut at that moment
leaves, as nothing is exported or synced for it, and ZFS is kept from syncing by itself. Then each copy is put in the
place of the disks, the lab starts anew as a host does, so that no process, tap, VMM or file of /var/run outlives it,
the pools are imported, and the next command runs. It must then be as before the operation or as after it, and as after
it when chyves had ended well before the cut.

What is so not seen: what a power cut loses that ZFS has written to a disk, which still had it in a cache of its own (as
when QEMU is killed, see tests.zfs.machine); and what is between the transactions of one command of zfs.

A line on standard output is the result of an operation, see Result.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from chyves.lab.real_zfs import program
from tests.host_commands import break_lab, mend, steps_of
from tests.torture.house import House, State, a_house_of, same, state, until
from tests.torture.operations import OPERATIONS
from tests.torture.power import Result
from tests.torture.strike import CUT, cut
from tests.torture.trial import SHOWN, Prepared, every

SYNCING = Path("/sys/module/zfs/parameters/zfs_txg_timeout")
SELDOM = "10000"
"""Seconds after which ZFS syncs by itself: never here."""


class RealHouse(House):
    """A house whose pools are real, on files in the lab that are disks to them."""

    def keep(self, name: str) -> None:
        self.power_off()
        super().keep(name)
        self.import_pools()

    def go_back(self, name: str) -> None:
        self.power_off()
        super().go_back(name)
        self.import_pools()

    def power_off(self) -> None:
        """End all that works in the lab, and its pools too."""
        self.quiet()
        if pools := self._zpool("list", "-H", "-o", "name").split():
            until(
                lambda: subprocess.run([program("zpool"), "export", "-f", *pools], capture_output=True).returncode == 0
            )

    def power_on(self, disks: Path, copy: int) -> None:
        """Start the host with a copy of the disks, which is used up."""
        for disk in self.disks():
            os.replace(disks / f"{copy}.{disk.name}", disk)
        with contextlib.closing(sqlite3.connect(self.lab.state / "kernel.db")) as kernel:
            kernel.execute("delete from boot")
            kernel.commit()
        self.forks.program(self.lab, "kldstat")
        self.import_pools()

    def import_pools(self) -> None:
        """Import the pools on the disks, and wait until their volumes are there."""
        places = [word for disk in self.disks() for word in ("-d", str(disk))]
        self._zpool("import", "-f", "-R", str(self.lab.root), *places, "-a")
        self.wait_for_volumes()

    def wait_for_volumes(self) -> None:
        """Wait until udev has made the names of all volumes, and removed those of others."""
        volumes = set(self.zfs("list", "-H", "-t", "volume", "-o", "name").split())
        top = Path("/dev/zvol")
        until(lambda: {str(path.relative_to(top)) for path in top.rglob("*") if path.is_symlink()} == volumes)

    def sync(self) -> None:
        self._zpool("sync")

    def disks(self) -> list[Path]:
        """The disks of the pools."""
        return [path for path in (self.lab.root / "dev").iterdir() if path.is_file()]

    @staticmethod
    def _zpool(*words: str) -> str:
        done = subprocess.run([program("zpool"), *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


class PowerTrial(Prepared):
    """One operation, done once, while the power was cut at each of its steps."""

    def __init__(self, house: RealHouse, name: str) -> None:
        super().__init__(house, name, OPERATIONS[name])
        self.real = house
        self.place = Path(tempfile.mkdtemp(dir=house.copies))
        self.states: dict[int, State] = {}
        moments = self._moments()
        self.copies = {copy: [moment for moment, of in moments if of == copy] for _, copy in moments}
        self.first, *_, self.acknowledged, self.last = (copy for _, copy in moments)

    def _moments(self) -> list[tuple[str, int]]:
        """Do the operation, with cuts: when each was, and the number of the copy of the disks."""
        self.go_back()
        (self.lab.state / "disks").write_text("\n".join(map(str, [self.place, *self.real.disks()])))
        top = str(self.lab.state)
        self.real.sync()
        cut(top, 0)
        break_lab(self.lab, 0, CUT)
        ended = self.house.forks.chyves(self.lab, *self.words, faults=True)
        assert ended.returncode == 0, ended.stderr
        cut(top, 0)
        steps = steps_of(self.lab)
        mend(self.lab)
        self.real.sync()
        cut(top, 0)
        self.real.power_off()
        rows = [line.split() for line in (self.place / "log").read_text().splitlines()]
        between = [f"step {number} ({steps[int(number) - 1]})" for number, _, _ in rows[1:-2]]
        moments = ["the beginning", *between, "the end", "the end, when all was synced"]
        return [(moment, int(copy)) for moment, (_, copy, _) in zip(moments, rows, strict=True)]

    def result(self, each: int) -> Result:
        """What came of the cuts: of every so many copies of the disks, and of the one when chyves had ended well."""
        begun = time.monotonic()
        result = Result(self.name)
        chosen = {*every(list(self.copies), each, self.name), self.acknowledged}
        for copy in sorted(chosen):
            moments = self.copies[copy]
            result.cuts += len(moments)
            result.copies += 1
            try:
                if self._is_done_after(copy):
                    result.done += len(moments)
                else:
                    result.before += len(moments)
            except AssertionError as failure:
                result.lost.append(f"{self.name}: cut at {', '.join(moments)}:\n{str(failure)[:SHOWN]}")
        shutil.rmtree(self.place)
        result.seconds = time.monotonic() - begun
        return result

    def _is_done_after(self, copy: int) -> bool:
        """Whether all was done; raises AssertionError where it is neither so nor as before, or had to be done."""
        before, after, now = (self._state(each) for each in (self.first, self.last, copy))
        if copy == self.acknowledged or distance(now, after) < distance(now, before):
            same(now, after)
            return True
        same(now, before)
        return False

    def _state(self, copy: int) -> State:
        """What there is once the host has started with a copy of its disks, and the next command has run."""
        if copy not in self.states:
            self.real.power_on(self.place, copy)
            following = self.house.chyves(*self.next)
            assert following.returncode == 0, f"{self.next} failed:\n{following.stderr}"
            self.real.wait_for_volumes()
            self.states[copy] = state(self.house)
            self.real.power_off()
        return self.states[copy]


def distance(one: State, other: State) -> int:
    """In how much two states differ."""
    return len(set(one.items()) ^ set(other.items()))


@contextlib.contextmanager
def syncing_seldom() -> Iterator[None]:
    """Have ZFS sync only when it is asked to."""
    usual = SYNCING.read_text()
    SYNCING.write_text(SELDOM)
    try:
        yield
    finally:
        SYNCING.write_text(usual)


def _result(house: RealHouse, name: str, each: int) -> Result:
    """The result of an operation; one that cannot be done at all does not keep the others from being tried."""
    try:
        return PowerTrial(house, name).result(each)
    except AssertionError as failure:
        return Result(name, lost=[f"{name}: cannot be tried: {failure}"])


def main() -> None:
    """Print the results of the operations that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, required=True)
    parser.add_argument("operation", nargs="+")
    asked = parser.parse_args()
    bases = {OPERATIONS[name].base for name in asked.operation}
    with syncing_seldom(), a_house_of(RealHouse, "real", bases) as house:
        for name in asked.operation:
            print(json.dumps(asdict(_result(house, name, asked.every))), flush=True)


if __name__ == "__main__":
    main()
