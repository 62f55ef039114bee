"""A lab in which things go wrong, and which comes back to what it was."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.host.interfaces import parse
from chyves.lab import create, destroy
from chyves.lab.network import namespace
from chyves.lab.place import Lab
from chyves.lab.processes import at_work
from tests.host_commands import chyves, done, everything, mend

NEXT = ("global", "set", "stdout_level=2")
"""A command that changes nothing but what a crash left."""

CLONED = r"(@chyves-clone-process-)[0-9a-f-]{36}"
"""The end of a snapshot's name that differs from run to run."""

State = dict[str, str]


class House:
    """A lab with guests a and b, which comes back to what it was at any time that was kept."""

    def __init__(self, lab: Lab, copies: Path) -> None:
        self.lab, self.copies = lab, copies

    def quiet(self) -> None:
        """End what still works in the lab: a null modem, or a guest that a test has left."""
        for pid in at_work(self.lab):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not at_work(self.lab))

    def keep(self, name: str) -> None:
        self.quiet()
        for part in (self.lab.root, self.lab.state):
            shutil.rmtree(self.copies / name / part.name, ignore_errors=True)
            self._copy(part, self.copies / name / part.name)

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


@contextlib.contextmanager
def a_house() -> Iterator[House]:
    """For all tests of a file: its interfaces are not real, so that going back takes them back too."""
    top, copies = Path(tempfile.mkdtemp(prefix="lab")), Path(tempfile.mkdtemp(prefix="labs"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CHYVES_LAB_GUEST", "hollow")
        create.create(str(top))
        lab = Lab.open(top)
        namespace.remove(lab)
        namespace.place(lab).unlink(missing_ok=True)
        done(lab, "dataset", lab.pool, "install")
        done(lab, "a,b", "create", "64M")
        done(lab, *NEXT)
        done(lab, "a", "start")
        done(lab, "a", "stop")
        made = House(lab, copies)
        made.keep("base")
        yield made
        chyves(lab, "all", "stop", "force")
        destroy.destroy(str(top), yes=True)
    shutil.rmtree(copies)


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


def until(what: Callable[[], bool]) -> None:
    """Look until something is so; the test fails when it does not become so."""
    for _ in range(1200):
        if what():
            return
        time.sleep(0.05)
    pytest.fail("did not come about")


def sentences(told: str) -> list[str]:
    """The errors that chyves told."""
    return [line for line in told.splitlines() if line.startswith("chyves: ")]


def state(lab: Lab) -> State:
    """All that is on the lab but logs, empty bridges, and what is different in each guest that is made."""
    found = {
        re.sub(CLONED, r"\1", name): re.sub(CLONED, r"\1", what)
        for name, what in everything(lab).items()
        if "/logs/" not in name
    }
    for path in lab.root.glob("chyves/*/guests/*/.config/.cfg"):
        found[str(path.relative_to(lab.root))] = re.sub(r"(?m)^(uuid|creation|tap\d+_mac)=.*", r"\1", path.read_text())
    shown = subprocess.run([lab.bin / "ifconfig", "-a"], capture_output=True, text=True, check=True).stdout
    for name, interface in parse(shown).items():
        if interface.members or not name.startswith("bridge"):
            found[name] = " ".join(sorted(interface.members))
    run = lab.root / "var/run/chyves"
    for path in [*run.glob("*"), *lab.root.glob("dev/vmm/*")]:
        found[f"{path} is there"] = ""
        if path.suffix == ".lock":
            found[f"{path} is there"] = "held" if held(path) else "free"
            if not held(path):
                del found[f"{path} is there"]
    return found


def same(now: State, wanted: State) -> None:
    """Fail, telling what is not as it should be."""
    names = {name for name in {*now, *wanted} if now.get(name) != wanted.get(name)}
    __tracebackhide__ = True
    if names:
        pytest.fail("\n".join(f"{name}: {now.get(name)!r} is not {wanted.get(name)!r}" for name in sorted(names)))


def held(lock: Path) -> bool:
    """Whether somebody holds a lock."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
