"""Whatever fails or is killed at any step, the state after is the one before or the finished one, and is told."""

from __future__ import annotations

import fcntl
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from chyves.host.interfaces import parse
from chyves.lab import create, destroy
from chyves.lab.network import namespace
from chyves.lab.place import Lab
from tests.host_commands import break_lab, broken, chyves, done, everything, mend, steps_of, writes

NEXT = ("global", "set", "stdout_level=2")
"""A command that changes nothing but what a crash left."""

Words = tuple[str, ...]
State = dict[str, str]


class Operation(NamedTuple):
    """A command, those that make what it works on, and the one after which all must be well again."""

    words: Words
    first: tuple[Words, ...] = ()
    next: Words = NEXT


OPERATIONS = {
    "create": Operation(("new", "create", "64M")),
    "delete": Operation(("a", "delete", "--yes")),
    "set": Operation(("a,b", "set", "cpu=2", "notes=some")),
    "unset": Operation(("a", "unset", "eject_iso_on_n_reboot"), (("a", "set", "eject_iso_on_n_reboot=2"),)),
    "disk add": Operation(("a", "disk", "add", "64M")),
    "disk delete": Operation(
        ("a", "disk", "delete", "disk1", "--yes"), (("a", "disk", "add", "64M"), ("a", "set", "disk1_notes=old"))
    ),
    "disk resize": Operation(("a", "disk", "resize", "disk0", "128M")),
    "network add": Operation(("network", "a", "add", "tap")),
    "network remove": Operation(("network", "a", "remove", "tap50")),
    "bridge attach": Operation(
        ("network", "bridge0", "attach", "em1"),
        (("network", "bridge0", "attach", "em0"),),
        ("network", "bridge0", "attach", "em1"),
    ),
}


class House:
    """A lab with guests a and b, which comes back to what it was at any time that was kept."""

    def __init__(self, lab: Lab, copies: Path) -> None:
        self.lab, self.copies = lab, copies
        self.trials: dict[str, Trial] = {}

    def keep(self, name: str) -> None:
        for part in (self.lab.root, self.lab.state):
            self._copy(part, self.copies / name / part.name)

    def go_back(self, name: str) -> None:
        for part in (self.lab.root, self.lab.state):
            shutil.rmtree(part)
            self._copy(self.copies / name / part.name, part)

    @staticmethod
    def _copy(old: Path, new: Path) -> None:
        new.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", "--sparse=always", old, new], check=True)

    def trial(self, name: str) -> Trial:
        if name not in self.trials:
            self.trials[name] = Trial(self, name)
        return self.trials[name]


class Trial:
    """One operation, to be begun from the same state again and again."""

    def __init__(self, house: House, name: str) -> None:
        self.house, self.lab, self.name = house, house.lab, name
        self.words, first, self.next = OPERATIONS[name]
        house.go_back("base")
        mend(self.lab)
        for words in first:
            done(self.lab, *words)
        house.keep(name)
        self.before = state(self.lab)
        mend(self.lab)
        result = broken(self.lab, 0, "refuse", *self.words)
        assert result.returncode == 0, result.stderr
        self.commands, self.writes = steps_of(self.lab), writes(self.lab)
        self.after = state(self.lab)
        assert self.before != self.after

    def run(self, command: int, write: int, what: str) -> subprocess.CompletedProcess[str]:
        """Begin anew, with a fault at a command or at a file."""
        self.house.go_back(self.name)
        break_lab(self.lab, command, what)
        result = broken(self.lab, write, what, *self.words)
        mend(self.lab)
        assert "Traceback" not in result.stderr
        return result

    def refuse(self, command: int, write: int) -> None:
        result = self.run(command, write, "refuse")
        now, told = state(self.lab), result.stderr
        assert re.search("the test refuses|No space left", told), told
        if "next command" in told:
            assert chyves(self.lab, *self.next).returncode == 0
            now = state(self.lab)
        same(now, self.before if sentences(told) and "is deleted, but" not in told else self.after)
        assert result.returncode == len(sentences(told))

    def signal(self, command: int, write: int, number: signal.Signals) -> None:
        result = self.run(command, write, number.name)
        (told,) = sentences(result.stderr)
        assert result.returncode == 128 + number
        assert f"stopped by {number.name}" in told
        same(state(self.lab), self.after if "after all was done" in told else self.before)

    def kill(self, command: int, write: int, what: str) -> None:
        result = self.run(command, write, what)
        assert result.returncode == -signal.SIGKILL
        following = chyves(self.lab, *self.next)
        assert following.returncode == 0, following.stderr
        now = state(self.lab)
        same(now, self.after if now == self.after else self.before)


def sentences(told: str) -> list[str]:
    """The errors that chyves told."""
    return [line for line in told.splitlines() if line.startswith("chyves: ")]


def state(lab: Lab) -> State:
    """All that is on the lab but logs, empty bridges, and what is different in each guest that is made."""
    found = {name: what for name, what in everything(lab).items() if "/logs/" not in name}
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


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """Made once for all tests: its interfaces are not real, so that going back takes them back too."""
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


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_command_or_file_that_fails_leaves_all_as_it_was(house: House, name: str) -> None:
    trial = house.trial(name)
    for nth in range(1, len(trial.commands) + 1):
        trial.refuse(nth, 0)
    for nth in range(1, trial.writes + 1):
        trial.refuse(0, nth)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_signal_at_any_step_takes_all_back_or_comes_after(house: House, name: str) -> None:
    trial, numbers = house.trial(name), [signal.SIGTERM, signal.SIGINT]
    for nth in range(1, len(trial.commands) + 1):
        trial.signal(nth, 0, numbers[nth % 2])
    for nth in range(1, trial.writes + 1):
        trial.signal(0, nth, numbers[nth % 2])


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_any_step_the_next_command_finishes_or_takes_back(house: House, name: str) -> None:
    trial = house.trial(name)
    for nth in range(1, len(trial.commands) + 1):
        trial.kill(nth, 0, "after")
    for nth in range(1, trial.writes + 1):
        trial.kill(0, nth, "before")
        trial.kill(0, nth, "after")
