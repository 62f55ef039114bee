"""The programs that are run at the turns of a guest's life, and what becomes of them when something is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.host_commands import chyves, done, start
from tests.lab.test_reboots import log, off, reset, written
from tests.torture.house import House, a_house, alive, until


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


@pytest.fixture
def lab(house: House) -> Iterator[Lab]:
    house.go_back("base")
    yield house.lab
    chyves(house.lab, "all", "stop", "force")


def hook(lab: Lab, event: str, text: str) -> None:
    """Give guest a a hook, of sh's words."""
    below = lab.root / "chyves/zroot/guests/a/.hooks"
    below.mkdir(mode=0o755, exist_ok=True)
    (below / event).write_text(f"#!/bin/sh\n{text}\n")
    (below / event).chmod(0o755)


def hooks_said(lab: Lab) -> list[str]:
    return [line.removeprefix("hook ") for line in log(lab).splitlines() if line.startswith("hook ")]


def crash(lab: Lab) -> None:
    """Have bhyve of guest a end as by a fault of its own."""
    os.kill(written(lab)["bhyve"], signal.SIGSEGV)


def test_complaint_15_each_turn_has_its_hook_and_a_failure_is_told_and_ends_no_guest(lab: Lab) -> None:
    done(lab, "a", "set", "on_crash=restart", "hook_timeout=1")
    hook(lab, "prestart", "echo before; read word || echo no input")
    hook(lab, "started", 'echo "up, $CHYVES_PID"; sleep 1000 & wait')
    hook(lab, "reboot", 'echo "reboot $CHYVES_REBOOTS, status $CHYVES_STATUS"; exit 7')
    hook(lab, "crashed", 'echo "$CHYVES_CRASH"; kill -KILL $$')
    hook(lab, "stopped", "echo over")
    done(lab, "a", "start")
    first = written(lab)["bhyve"]
    until(lambda: "hook started: was ended after 1 s (hook_timeout)" in log(lab))
    reset(lab)
    until(lambda: log(lab).count("hook started: was ended") == 2)
    second = written(lab)["bhyve"]
    crash(lab)
    until(lambda: log(lab).count("hook started: was ended") == 3)
    third = written(lab)["bhyve"]
    done(lab, "a", "stop")
    assert hooks_said(lab) == [
        "prestart: before",
        "prestart: no input",
        f"started: up, {first}",
        "reboot: reboot 1, status 0",
        f"started: up, {second}",
        "crashed: crashed (signal 11), crash 1 of 5",
        f"started: up, {third}",
        "stopped: over",
    ]
    assert "a: hook reboot: failed with status 7: reboot 1, status 0" in log(lab)
    assert "a: hook crashed: ended by signal 9: crashed (signal 11)" in log(lab)


def _sleeper(lab: Lab) -> int:
    """The process of a hook that wrote its number down."""
    note = lab.top / "hook"
    until(lambda: note.exists() and note.read_text().endswith("\n"))
    return int(note.read_text())


def test_a_hook_ends_with_the_start_that_is_stopped(lab: Lab) -> None:
    hook(lab, "prestart", f"echo $$ > {lab.top}/hook; echo in the midst; sleep 1000")
    starting = start(lab, "a", "start")
    pid = _sleeper(lab)
    starting.send_signal(signal.SIGTERM)
    _, error = starting.communicate(timeout=60)
    assert starting.returncode == 128 + signal.SIGTERM, error
    assert not alive(pid) and off(lab)
    assert "a: hook prestart: was ended, as the guest is to stop: in the midst" in log(lab)


@pytest.mark.parametrize("event", ["prestart", "stopped"])
def test_the_hook_of_a_killed_supervisor_is_ended_by_the_next_command(lab: Lab, event: str) -> None:
    hook(lab, event, f"echo $$ > {lab.top}/hook; sleep 1000")
    (lab.top / "hook").unlink(missing_ok=True)
    if event == "stopped":
        done(lab, "a", "start")
    under_way = start(lab, "a", "start" if event == "prestart" else "stop")
    pid = _sleeper(lab)
    until(lambda: written(lab)["hook"] == pid)
    os.kill(written(lab)["supervisor"], signal.SIGKILL)
    under_way.communicate(timeout=60)
    (lab.root / "chyves/zroot/guests/a/.hooks" / event).unlink()
    done(lab, "a", "start")
    assert not alive(pid)
    assert Path(f"/proc/{written(lab)['bhyve']}").exists()


def test_a_hook_that_the_kernel_does_not_execute_is_told_with_what_to_do(lab: Lab) -> None:
    hook(lab, "prestart", "")
    program = lab.root / "chyves/zroot/guests/a/.hooks/prestart"
    for text, wanted in (
        ("#!/usr/bin/no-shell\n", "its first line names a program that this host does not have; mend it"),
        ("echo no first line\n", "it is no program, and no script either; begin it with a line such as #!/bin/sh"),
    ):
        program.write_text(text)
        assert f"a: hook prestart: cannot be started: {wanted}" in chyves(lab, "a", "start").stderr
        assert off(lab)
