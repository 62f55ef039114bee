"""A lab in which things go wrong, and which comes back to what it was."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from chyves.bhyve.ports import AGENT, DIRECTORY
from chyves.host.agent import Agent, NoPort, Silent
from chyves.host.interfaces import parse
from chyves.lab import create, destroy
from chyves.lab.network import namespace, switch
from chyves.lab.place import Lab
from chyves.lab.processes import at_work
from tests.host_commands import mend, second_pool
from tests.torture.forks import Forks

BASE, TWO = "base", "two pools"
"""What is kept of a house: with guests a and b, and with c on a second pool beside."""

NEXT = ("global", "set", "stdout_level=2")
"""A command that changes nothing but what a crash left."""

CLONED = r"(@chyves-clone-process-)[0-9a-f-]{36}"
"""The end of a snapshot's name that differs from run to run."""

RECORD = b"zLABsend"
"""What each record of a stream of the lab's zfs begins with."""

ROOM = 1 << 30
"""Bytes that labs and their copies never take."""

PATIENCE = 10.0
"""Seconds that an agent is given for an answer."""

State = dict[str, str]


class House:
    """A lab with guests a and b, which comes back to what it was at any time that was kept."""

    def __init__(self, lab: Lab, copies: Path, forks: Forks) -> None:
        self.lab, self.copies, self.forks = lab, copies, forks

    def quiet(self) -> None:
        """End what still works in the lab: a null modem, a guest that a test has left, what waits to thaw one.

        What is just becoming another program can be overlooked, but not twice.
        """
        still = 0

        def is_still() -> bool:
            nonlocal still
            found = {*at_work(self.lab), *_begun_for(self.lab)}
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            still = 0 if found else still + 1
            return still > 1

        until(is_still, 0.01)

    def keep(self, name: str) -> None:
        self.quiet()
        for part in (self.lab.root, self.lab.state):
            shutil.rmtree(self.copies / name / part.name, ignore_errors=True)
            self._copy(part, self.copies / name / part.name)

    def forget(self, name: str) -> None:
        shutil.rmtree(self.copies / name)

    def go_back(self, name: str) -> None:
        self.quiet()
        for part in (self.lab.root, self.lab.state):
            self._remove(part)
            self._copy(self.copies / name / part.name, part)
        mend(self.lab)

    @staticmethod
    def _remove(place: Path) -> None:
        """Also where programs that have just been ended are still removing what was theirs."""
        for _ in range(100):
            with contextlib.suppress(OSError):
                shutil.rmtree(place)
                return
            time.sleep(0.05)
        shutil.rmtree(place)

    @staticmethod
    def _copy(old: Path, new: Path) -> None:
        new.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", "--sparse=always", old, new], check=True)

    def chyves(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What chyves does with these words, with no fault."""
        return self.forks.chyves(self.lab, *words)

    def done(self, *words: str) -> str:
        """What chyves prints for words that it must be able to follow."""
        result = self.chyves(*words)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def zfs(self, *words: str) -> str:
        """What the lab's zfs prints for words that it must be able to follow."""
        return self.forks.program(self.lab, "zfs", *words)


AnyHouse = TypeVar("AnyHouse", bound=House)


def a_house() -> contextlib.AbstractContextManager[House]:
    """For many trials: its interfaces are not real, so that going back takes them back too.

    Kept in it are `base`, with the guests a and b, and `two pools`, with c on another pool beside.
    """
    return a_house_of(House, "model")


@contextlib.contextmanager
def a_house_of(kind: type[AnyHouse], zfs: str, bases: Collection[str] = (BASE, TWO)) -> Iterator[AnyHouse]:
    """A house of a kind, whose lab has this ZFS (`chyves lab create --zfs`), and in which no more than this is kept."""
    top, copies = (Path(tempfile.mkdtemp(prefix=prefix, dir=_memory())) for prefix in ("lab", "labs"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CHYVES_LAB_GUEST", "hollow")
        create.create(str(top), zfs=zfs)
        lab = Lab.open(top)
        namespace.remove(lab)
        namespace.place(lab).unlink(missing_ok=True)
        with contextlib.closing(Forks()) as forks:
            made = kind(lab, copies, forks)
            _furnish(made)
            if TWO in bases:
                _add_pool(made)
            yield made
            made.chyves("all", "stop", "force")
            made.quiet()
        destroy.destroy(str(top), yes=True)
    shutil.rmtree(copies)


def _memory() -> str | None:
    """Where files are quick, as they are put back again and again; None where the machine has no such place."""
    place = "/dev/shm"
    usable = os.access(place, os.W_OK) and not os.statvfs(place).f_flag & os.ST_NOEXEC
    return place if usable and shutil.disk_usage(place).free > ROOM else None


def _furnish(house: House) -> None:
    house.done("dataset", house.lab.pool, "install")
    house.done("a,b", "create", "64M")
    house.done(*NEXT)
    if not house.lab.on_real_zfs:
        # What a start loads for good is there; where hosts are started anew, that is lost again.
        house.done("a", "start")
        house.done("a", "stop")
    for guest in ("a", "b"):
        _mark(house.lab, f"dev/zvol/{house.lab.pool}/chyves/guests/{guest}/disk0", guest)
    house.keep(BASE)


def _add_pool(house: House) -> None:
    house.done("dataset", second_pool(house.lab), "install")
    house.done("c", "create", "64M", "tank")
    house.keep(TWO)
    house.go_back(BASE)


def _mark(lab: Lab, disk: str, text: str) -> None:
    with (lab.root / disk).open("r+b") as file:
        file.write(text.encode())


def crash_of(lab: Lab, guest: str) -> None:
    """Kill the supervisor and bhyve of a guest."""
    written = json.loads((lab.root / f"var/run/chyves/{guest}.json").read_text())
    for pid in (written["supervisor"], written["bhyve"]):
        kill(pid)


def kill(pid: int) -> None:
    """Kill a process, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(what: Callable[[], bool], pause: float = 0.05) -> None:
    """Look until something is so, with pauses of so many seconds; the test fails when it does not become so."""
    for _ in range(int(60 / pause)):
        if what():
            return
        time.sleep(pause)
    raise AssertionError("did not come about")


def _begun_for(lab: Lab) -> Iterator[int]:
    """The processes that were started to work on a lab."""
    mark = b"CHYVES_LAB=" + os.fsencode(lab.top)
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in place.read_bytes().split(b"\0"):
                yield int(place.parent.name)


def sentences(told: str) -> list[str]:
    """The errors that chyves told."""
    return [line for line in told.splitlines() if line.startswith("chyves: ")]


def events(lab: Lab) -> list[str]:
    """The events that the lab's host has had, but for those of guests that others look after."""
    lines = (
        line for file in sorted(lab.root.glob("var/log/chyves/*.events")) for line in file.read_text().splitlines()
    )
    return [f"{event['event']} {event['guest']}" for event in map(json.loads, lines)]


def state(house: House) -> State:
    """All that is on the lab but logs, empty bridges, and what is different in each guest that is made."""
    lab, zfs = house.lab, house.zfs
    rows = zfs("list", "-Hp", "-t", "all", "-o", "name,type,mountpoint,mounted,volsize,origin").splitlines()
    rows += zfs("get", "-Hp", "-s", "local,received", "-o", "name,property,value", "all").splitlines()
    found = {name: what for row in rows for name, what in [re.sub(CLONED, r"\1", _named(row)).split("\0")]}
    found |= {str(path.relative_to(lab.root)): _content(path) for path in _files(lab)}
    for name, interface in parse(house.forks.program(lab, "ifconfig", "-a")).items():
        if interface.members or not name.startswith("bridge"):
            found[name] = " ".join(sorted(interface.members))
    found |= {row.partition(":\t")[0]: "" for row in house.forks.program(lab, "pciconf", "-l").splitlines()}
    run = lab.root / "var/run/chyves"
    for path in [*run.glob("*"), *lab.root.glob("dev/vmm/*")]:
        if path.suffix != ".lock" or held(path):
            found[f"{path} is there"] = "held" if path.suffix == ".lock" else ""
    found |= {f"{path} is there": "" for path in (*run.glob("*/reload"), *lab.root.glob("var/spool/lock/*"))}
    found |= {f"guest of {path.parent} is": _is_frozen(path) for path in run.glob(f"*/{DIRECTORY}/{AGENT}.sock")}
    return found | {f"process {words}": "" for words in _at_work(lab)}


def _is_frozen(port: Path) -> str:
    """What the agent behind a port tells of the guest's file systems; nothing where there is none any more."""
    try:
        with Agent(port, PATIENCE) as agent:
            return str(agent.ask("guest-fsfreeze-status", seconds=PATIENCE))
    except (NoPort, Silent):
        return ""


def _named(row: str) -> str:
    """A row of zfs as its key and the rest: the name with a property, or alone."""
    name, rest = row.split("\t", 1)
    key, _, value = rest.partition("\t")
    return f"{name}\0{rest}" if value.count("\t") else f"{name} {key}\0{value}"


def _files(lab: Lab) -> Iterator[Path]:
    for path in (lab.root / "chyves").rglob("*"):
        if path.is_file() and path.parent.name != "logs":
            yield path
    yield from (path for path in (lab.root / "dev/zvol").rglob("*") if path.is_file() or path.is_block_device())


def _content(path: Path) -> str:
    """A file's mode, links and content; of a disk only its beginning, of a guest not what is its own by chance."""
    mode = f"{path.stat().st_mode:o} {path.stat().st_nlink} "
    if "zvol" in path.parts:
        with path.open("rb") as disk:
            return mode + disk.read(16).hex()
    text = path.read_bytes()
    if path.suffix == ".zfs":  # a stream: no two are the same, and that of one that is cut off has fewer records
        return f"{mode}{text.count(RECORD)} records"
    if path.name in (".cfg", "pool.cfg"):
        return mode + re.sub(r"(?m)^(uuid|creation|tap\d+_mac|disk\d+_(?:serial|eui64))=.*", r"\1", text.decode())
    return mode + hashlib.sha256(text).hexdigest()


def _at_work(lab: Lab) -> list[str]:
    """The guests, and the programs of the lab that have not ended; those that are just ending are waited for.

    A supervisor is seen by its lock. The lab's switch is no program of a host: it stays for some seconds after a guest.
    """
    behind = str(switch.launcher(lab))
    for _ in range(100):
        words = [each for each in map(_words, at_work(lab)) if behind not in each]
        if not any(" -IS " in each for each in words):
            break
        time.sleep(0.05)
    return sorted(each for each in words if " -IS " in each or each.startswith("bhyve: "))


def _words(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


def same(now: State, wanted: State) -> None:
    """Fail, telling what is not as it should be."""
    names = {name for name in {*now, *wanted} if now.get(name) != wanted.get(name)}
    if names:
        raise AssertionError(
            "\n".join(f"{name}: {now.get(name)!r} is not {wanted.get(name)!r}" for name in sorted(names))
        )


def held(lock: Path) -> bool:
    """Whether somebody holds a lock."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
