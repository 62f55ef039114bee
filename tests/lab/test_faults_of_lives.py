"""Starts and stops in which something fails or is killed: chyves, a guest's supervisor, a program of the host."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from chyves.guests.stop import force_off
from chyves.host.machine import Host
from tests.host_commands import break_lab, chyves, done, environment, mend, start, steps_of
from tests.torture.house import BASE, NEXT, House, a_house, alive, kill, same, sentences, state, until


class Life:
    """Guest a, which is off or runs, and what the lab looks like in either case."""

    def __init__(self, house: House) -> None:
        self.house, self.lab = house, house.lab
        house.go_back(BASE)
        subprocess.run([self.lab.bin / "ifconfig", "bridge0", "destroy"], check=True)
        house.keep("off")
        self.off = state(self.house)
        mend(self.lab)
        done(self.lab, "a", "start")
        self.start_steps = [line.split()[0] for line in steps_of(self.lab)]
        self.on = state(self.house)
        done(self.lab, "a", "stop")

    def start(self, nth: int, what: str, whom: str = "chyves") -> subprocess.CompletedProcess[str]:
        """Start the guest, with a fault."""
        self.house.go_back("off")
        break_lab(self.lab, nth, what, whom)
        result = self._chyves("a", "start")
        mend(self.lab)
        return result

    def _chyves(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.house.forks.chyves(self.lab, *words, faults=True, files=False)

    def stop(self, nth: int, what: str, whom: str, *how: str) -> subprocess.CompletedProcess[str]:
        """Stop the guest, which runs, with a fault."""
        self.house.go_back("off")
        done(self.lab, "a", "start")
        break_lab(self.lab, nth, what, whom)
        result = self._chyves("a", "stop", *how)
        mend(self.lab)
        return result

    def settles(self) -> None:
        """It comes to be on or off after the next command; then it is off."""
        done(self.lab, *NEXT)
        until(lambda: state(self.house) in (self.on, self.off))
        if state(self.house) == self.on:
            done(self.lab, "a", "stop")
        same(state(self.house), self.off)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


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
        same(state(life.house), life.off)


def test_a_signal_at_any_step_of_a_start_leaves_the_guest_off(life: Life) -> None:
    numbers = [signal.SIGTERM, signal.SIGINT]
    for nth in range(1, len(life.start_steps) + 1):
        result = life.start(nth, numbers[nth % 2].name)
        assert result.returncode == 128 + numbers[nth % 2], result.stderr
        (told,) = sentences(result.stderr)
        assert f"stopped by {numbers[nth % 2].name}" in told
        if re.search("just up|after all was done", told):
            life.settles()
        same(state(life.house), life.off)


def test_a_start_killed_at_any_step_is_finished_or_taken_back(life: Life) -> None:
    for nth in range(1, len(life.start_steps) + 1):
        assert life.start(nth, "SIGKILL").returncode == -signal.SIGKILL
        life.settles()


@pytest.mark.parametrize(("program", "what"), [("bhyveload", "after"), ("bhyve", "before"), ("bhyve", "SIGKILL")])
def test_a_supervisor_killed_while_it_starts_a_guest_leaves_it_off(life: Life, program: str, what: str) -> None:
    result = life.start(life.start_steps.index(program) + 1, what, "parent")
    assert result.returncode == 1
    assert sentences(result.stderr) == [
        "chyves: a: its supervisor ended without a word; look at the guest's log, and try again"
    ]
    same(state(life.house), life.off)


@pytest.mark.parametrize("program", ["bhyveload", "bhyve"])
def test_all_of_chyves_killed_while_a_program_of_it_lives_on(life: Life, program: str) -> None:
    result = life.start(life.start_steps.index(program) + 1, "SIGKILL", "both")
    assert result.returncode == -signal.SIGKILL
    life.settles()


@contextlib.contextmanager
def waiting(life: Life, guests: str) -> Iterator[subprocess.Popen[str]]:
    """A start of guests, of which the first has a loader that waits for ever."""
    life.house.go_back("off")
    break_lab(life.lab, life.start_steps.index("bhyveload") + 1, "hang")
    with start(life.lab, guests, "start") as process:
        try:
            yield process
        finally:
            process.kill()
            mend(life.lab)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_loader_that_waits_for_ever_does_not_make_start_deaf(life: Life, number: signal.Signals) -> None:
    with waiting(life, "a,b") as process:
        until(lambda: len(steps_of(life.lab)) == life.start_steps.index("bhyveload") + 1)
        process.send_signal(number)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    stopped = f"chyves: a: stopped by {number.name} when it was not up yet; it is off again"
    assert told.splitlines()[-2:] == [stopped, "  not begun: b"]
    same(state(life.house), life.off)


def test_the_plug_can_be_pulled_while_a_loader_waits(life: Life) -> None:
    with waiting(life, "a") as process:
        written = life.lab.root / "var/run/chyves/a.json"
        until(lambda: written.exists() and json.loads(written.read_text())["loader"] is not None)
        done(life.lab, "a", "stop", "force")
        _, told = process.communicate(timeout=120)
    assert sentences(told) == ["chyves: a: was stopped before it was up"]
    same(state(life.house), life.off)


def test_a_bhyve_that_its_supervisor_did_not_live_to_write_down_is_adopted(life: Life) -> None:
    life.house.go_back("off")
    done(life.lab, "a", "start")
    place = life.lab.root / "var/run/chyves/a.json"
    written = json.loads(place.read_text())
    kill(written["supervisor"])
    place.write_text(json.dumps({**written, "bhyve": None, "identity": None}))
    assert "a: its supervisor had died; a new one looks after it" in chyves(life.lab, *NEXT).stderr
    same(state(life.house), life.on)
    done(life.lab, "a", "stop")
    same(state(life.house), life.off)


def test_a_loader_that_outlives_all_of_chyves_is_ended(life: Life) -> None:
    with waiting(life, "a") as process:
        place = life.lab.root / "var/run/chyves/a.json"
        until(lambda: place.exists() and json.loads(place.read_text())["loader"] is not None)
        written = json.loads(place.read_text())
        process.kill()
        kill(written["supervisor"])
    assert "a: its supervisor had died, and bhyve too; what it held is freed" in chyves(life.lab, *NEXT).stderr
    assert not alive(written["loader"])
    same(state(life.house), life.off)


def test_what_frees_a_guest_for_ever_is_ended_with_its_supervisor(life: Life) -> None:
    life.house.go_back("off")
    done(life.lab, "a", "start")
    break_lab(life.lab, 2, "hang")
    written = json.loads((life.lab.root / "var/run/chyves/a.json").read_text())
    os.kill(written["supervisor"], signal.SIGTERM)
    until(lambda: steps_of(life.lab)[1:] == ["ifconfig tap50 destroy"])
    mend(life.lab)
    force_off(Host.open(environment(life.lab)), "a", 0.2)
    assert not alive(written["supervisor"])
    same(state(life.house), life.off)


@pytest.mark.parametrize("how", [(), ("force",)])
def test_a_stop_ends_with_the_guest_off_whatever_fails(life: Life, how: tuple[str, ...]) -> None:
    steps = len(how) + 2
    for what, whom, nths in (("refuse", "", range(1, steps + 1)), ("after", "parent", (steps - 1, steps))):
        for nth in nths:
            result = life.stop(nth, what, whom or "chyves", *how)
            assert result.returncode == 0, result.stderr
            same(state(life.house), life.off)


@pytest.mark.parametrize(("nth", "what", "how"), [(1, "SIGKILL", ()), (2, "SIGINT", ()), (1, "SIGKILL", ("force",))])
def test_a_stop_that_is_itself_ended_stops_the_guest(life: Life, nth: int, what: str, how: tuple[str, ...]) -> None:
    result = life.stop(nth, what, "chyves", *how)
    assert result.returncode in (-signal.SIGKILL, 128 + signal.SIGINT)
    life.settles()
