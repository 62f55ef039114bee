"""Whatever fails or is killed at any step, the state after is the one before or the finished one, and is told."""

from __future__ import annotations

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
from typing import NamedTuple

import pytest

from chyves.host.interfaces import parse
from chyves.lab import create, destroy
from chyves.lab.network import namespace
from chyves.lab.place import Lab
from tests.host_commands import (
    break_lab,
    broken,
    chyves,
    done,
    everything,
    mend,
    start_broken,
    steps_of,
    writes,
)

NEXT = ("global", "set", "stdout_level=2")
"""A command that changes nothing but what a crash left."""

Words = tuple[str, ...]
State = dict[str, str]


class Operation(NamedTuple):
    """A command, those that make what it works on, and the one after which all must be well again.

    With `crash` the supervisor and bhyve of guest a are killed before it.
    """

    words: Words
    first: tuple[Words, ...] = ()
    next: Words = NEXT
    crash: bool = False


OPERATIONS = {
    "create": Operation(("new", "create", "64M")),
    "delete": Operation(("a", "delete", "--yes")),
    "delete keepnet": Operation(("a", "delete", "keepnet", "--yes")),
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
    "reclaim": Operation(("a", "reclaim"), (("a", "start"),), crash=True),
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
        self.words, first, self.next, crash = OPERATIONS[name]
        house.go_back("base")
        mend(self.lab)
        for words in first:
            done(self.lab, *words)
        if crash:
            crash_of(self.lab, "a")
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

    def refuse(self, command: int, write: int, what: str = "refuse") -> None:
        result = self.run(command, write, what)
        now, told = state(self.lab), result.stderr
        assert re.search("the test refuses|No space left", told), told
        before = bool(sentences(told)) and "next command" not in told
        if "next command" in told:
            assert chyves(self.lab, *self.next).returncode == 0
            now = state(self.lab)
        same(now, self.before if before else self.after)
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


def crash_of(lab: Lab, guest: str) -> None:
    """Kill the supervisor and bhyve of a guest."""
    written = json.loads((lab.root / f"var/run/chyves/{guest}.json").read_text())
    for pid in (written["supervisor"], written["bhyve"]):
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists())  # type: ignore[misc]


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


@pytest.mark.parametrize("name", ["create", "delete", "disk add", "disk delete"])
def test_what_zfs_does_before_it_fails_is_taken_back_too(house: House, name: str) -> None:
    trial = house.trial(name)
    for nth, line in enumerate(trial.commands, 1):
        if not line.startswith("zfs destroy"):
            trial.refuse(nth, 0, "half")


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


def test_of_several_guests_each_is_whole_and_the_others_are_told(house: House) -> None:
    house.go_back("base")
    mend(house.lab)
    done(house.lab, "c,d", "create", "64M")
    per_guest = len(steps_of(house.lab)) // 2
    for what, nth, left, words in (
        ("refuse", per_guest + 2, {"c"}, "the test refuses"),
        ("SIGTERM", per_guest, {"c"}, "stopped by SIGTERM, after all was done\n  not begun: d\n"),
        ("SIGINT", 2, set(), "stopped by SIGINT; what was done has been taken back\n  not begun: d\n"),
        ("after", per_guest + 3, {"c"}, ""),
    ):
        house.go_back("base")
        break_lab(house.lab, nth, what)
        result = broken(house.lab, 0, what, "c,d", "create", "64M")
        mend(house.lab)
        assert words in result.stderr
        done(house.lab, *NEXT)
        assert guests(house.lab) == {"a", "b"} | left, result.stderr
        assert taps(house.lab) == sorted(["tap50", "tap51", *(["tap52"] if left else [])])
    house.go_back("base")
    mend(house.lab)
    break_lab(house.lab, 2, "refuse")
    result = broken(house.lab, 0, "refuse", "a,b", "delete", "--yes")
    assert [line.split(":")[1] for line in sentences(result.stderr)] == [" a"]
    assert "a: is deleted, but zroot/chyves/guests/.old/a is not destroyed yet" in result.stderr
    mend(house.lab)
    done(house.lab, *NEXT)
    assert guests(house.lab) == set()
    assert not any("/.old" in name for name in state(house.lab))


def guests(lab: Lab) -> set[str]:
    """The guests that there are."""
    return {line.split("\t")[0] for line in done(lab, "list", "-H").splitlines() if not line.startswith("disk")}


def taps(lab: Lab) -> list[str]:
    """The taps in the list of bridge0."""
    return sorted(filter(None, done(lab, "global", "get", "bridge0_tap_members").strip().strip("-").split(",")))


class Life:
    """Guest a, which is off or runs, and what the lab looks like in either case."""

    def __init__(self, house: House) -> None:
        self.house, self.lab = house, house.lab
        house.go_back("base")
        mend(self.lab)
        subprocess.run([self.lab.bin / "ifconfig", "bridge0", "destroy"], check=True)
        house.keep("off")
        self.off = state(self.lab)
        mend(self.lab)
        done(self.lab, "a", "start")
        self.start_steps = [line.split()[0] for line in steps_of(self.lab)]
        self.on = state(self.lab)
        done(self.lab, "a", "stop")

    def start(self, nth: int, what: str, whom: str = "chyves") -> subprocess.CompletedProcess[str]:
        """Start the guest, with a fault."""
        self.house.go_back("off")
        break_lab(self.lab, nth, what, whom)
        result = broken(self.lab, 0, what, "a", "start")
        mend(self.lab)
        return result

    def stop(self, nth: int, what: str, whom: str, *how: str) -> subprocess.CompletedProcess[str]:
        """Stop the guest, which runs, with a fault."""
        self.house.go_back("off")
        done(self.lab, "a", "start")
        break_lab(self.lab, nth, what, whom)
        result = broken(self.lab, 0, what, "a", "stop", *how)
        mend(self.lab)
        return result

    def settles(self) -> None:
        """It comes to be on or off after the next command; then it is off."""
        done(self.lab, *NEXT)
        until(lambda: state(self.lab) in (self.on, self.off))
        if state(self.lab) == self.on:
            done(self.lab, "a", "stop")
        same(state(self.lab), self.off)


@pytest.fixture(scope="module")
def life(house: House) -> Life:
    return Life(house)


def test_a_start_that_fails_at_any_step_leaves_the_guest_off(life: Life) -> None:
    assert life.start_steps[-2:] == ["bhyveload", "bhyve"]
    for nth, program in enumerate(life.start_steps, 1):
        result = life.start(nth, "refuse")
        assert result.returncode == 1
        (told,) = sentences(result.stderr)
        assert "the test refuses" in told
        assert program in told
        same(state(life.lab), life.off)


def test_a_signal_at_any_step_of_a_start_leaves_the_guest_off(life: Life) -> None:
    numbers = [signal.SIGTERM, signal.SIGINT]
    for nth in range(1, len(life.start_steps) + 1):
        result = life.start(nth, numbers[nth % 2].name)
        assert result.returncode == 128 + numbers[nth % 2], result.stderr
        (told,) = sentences(result.stderr)
        assert f"stopped by {numbers[nth % 2].name}" in told
        if re.search("just up|after all was done", told):
            life.settles()
        same(state(life.lab), life.off)


def test_a_start_killed_at_any_step_is_finished_or_taken_back(life: Life) -> None:
    for nth in range(1, len(life.start_steps) + 1):
        assert life.start(nth, "SIGKILL").returncode == -signal.SIGKILL
        life.settles()


@pytest.mark.parametrize(("program", "what"), [("bhyveload", "after"), ("bhyve", "before"), ("bhyve", "SIGKILL")])
def test_a_supervisor_killed_while_it_starts_a_guest_leaves_it_off(life: Life, program: str, what: str) -> None:
    result = life.start(life.start_steps.index(program) + 1, what, "parent")
    assert result.returncode == 1
    assert sentences(result.stderr) == ["chyves: a: its supervisor ended without a word; see: chyves a log"]
    same(state(life.lab), life.off)


@pytest.mark.parametrize("program", ["bhyveload", "bhyve"])
def test_all_of_chyves_killed_while_a_program_of_it_lives_on(life: Life, program: str) -> None:
    result = life.start(life.start_steps.index(program) + 1, "SIGKILL", "both")
    assert result.returncode == -signal.SIGKILL
    life.settles()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_loader_that_waits_for_ever_does_not_make_start_deaf(life: Life, number: signal.Signals) -> None:
    life.house.go_back("off")
    break_lab(life.lab, life.start_steps.index("bhyveload") + 1, "hang")
    process = start_broken(life.lab, 0, "hang", "a,b", "start")
    until(lambda: len(steps_of(life.lab)) == life.start_steps.index("bhyveload") + 1)
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    mend(life.lab)
    assert process.returncode == 128 + number
    stopped = f"chyves: a: stopped by {number.name} when it was not up yet; it is off again"
    assert told.splitlines()[-2:] == [stopped, "  not begun: b"]
    same(state(life.lab), life.off)


def test_the_plug_can_be_pulled_while_a_loader_waits(life: Life) -> None:
    life.house.go_back("off")
    break_lab(life.lab, life.start_steps.index("bhyveload") + 1, "hang")
    process = start_broken(life.lab, 0, "hang", "a", "start")
    written = life.lab.root / "var/run/chyves/a.json"
    until(lambda: written.exists() and json.loads(written.read_text())["loader"] is not None)
    done(life.lab, "a", "stop", "force")
    _, told = process.communicate(timeout=120)
    mend(life.lab)
    assert sentences(told) == ["chyves: a: was stopped before it was up"]
    same(state(life.lab), life.off)


@pytest.mark.parametrize("how", [(), ("force",)])
def test_a_stop_ends_with_the_guest_off_whatever_fails(life: Life, how: Words) -> None:
    steps = len(how) + 2
    for what, whom, nths in (("refuse", "", range(1, steps + 1)), ("after", "parent", (steps - 1, steps))):
        for nth in nths:
            result = life.stop(nth, what, whom or "chyves", *how)
            assert result.returncode == 0, result.stderr
            same(state(life.lab), life.off)


@pytest.mark.parametrize(("nth", "what", "how"), [(1, "SIGKILL", ()), (2, "SIGINT", ()), (1, "SIGKILL", ("force",))])
def test_a_stop_that_is_itself_ended_stops_the_guest(life: Life, nth: int, what: str, how: Words) -> None:
    result = life.stop(nth, what, "chyves", *how)
    assert result.returncode in (-signal.SIGKILL, 128 + signal.SIGINT)
    life.settles()
