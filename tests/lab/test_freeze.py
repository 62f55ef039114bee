"""Guests that are frozen around a snapshot are thawed again, whatever becomes of it and of the command."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.guests import agent, freeze, snapshots
from chyves.host.machine import Host
from chyves.lab.place import Lab
from tests.host_commands import break_zfs, chyves, done, environment, mend, mend_zfs, sentence, steps_of, zfs
from tests.lab.conftest import hollow_lab

SECONDS = 60
"""Seconds in which what is looked for comes about on any machine."""


@pytest.fixture(scope="module")
def house() -> Iterator[Lab]:
    """A lab with two guests that run, of which each has an agent."""
    with hollow_lab() as lab:
        done(lab, "a,b", "create", "64M")
        done(lab, "a,b", "set", "agent=yes")
        done(lab, "a,b", "start")
        yield lab
        chyves(lab, "all", "stop", "force")


@pytest.fixture
def lab(house: Lab) -> Iterator[Lab]:
    mend(house)
    yield house
    assert notes(house) == []
    assert not frozen(house)


def notes(lab: Lab) -> list[str]:
    """The guests of which it is noted that they are frozen."""
    return sorted(path.parent.name for path in (lab.root / "var/run/chyves").glob("*/frozen"))


def frozen(lab: Lab) -> list[str]:
    """The guests that say that they are."""
    rows = json.loads(done(lab, "all", "agent", "info", "--json"))["systems"]
    return [row["guest"] for row in rows if row["frozen"]]


def taken(lab: Lab, name: str) -> int:
    return zfs(lab, "list", "-H", "-t", "snapshot", "-o", "name").count(f"{name}-LIVE-SYSTEM\n")


def wait_until_thawed(lab: Lab) -> None:
    deadline = time.monotonic() + SECONDS
    while notes(lab) and time.monotonic() < deadline:
        time.sleep(0.05)


def test_all_are_frozen_before_one_transaction_takes_all(lab: Lab) -> None:
    done(lab, "a,b", "snapshot", "@all", "--freeze")
    guests = f"{lab.pool}/chyves/guests"
    assert steps_of(lab) == [f"zfs snapshot -r {guests}/a@all-LIVE-SYSTEM {guests}/b@all-LIVE-SYSTEM"]


@pytest.mark.parametrize(("fault", "status", "datasets"), [("refuse", 1, 0), ("term", 143, 0), ("kill", -9, 10)])
def test_a_snapshot_that_does_not_come_to_its_end(lab: Lab, fault: str, status: int, datasets: int) -> None:
    """ZFS refuses; Ctrl-C and its like come; chyves is killed."""
    break_zfs(lab, 1, fault)
    assert chyves(lab, "a,b", "snapshot", f"@{fault}", "--freeze").returncode == status
    mend_zfs(lab)
    wait_until_thawed(lab)
    assert taken(lab, fault) == datasets


def test_the_next_command_thaws_where_all_was_killed(lab: Lab) -> None:
    """A guest whose command and whose thawer are gone."""
    done(lab, "b", "agent", "freeze", "1000")
    (thawer,) = (
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"chyves.guests.thawer" in (words := path.read_bytes().split(b"\0")) and b"b" in words and of(lab, path)
    )
    os.kill(thawer, signal.SIGKILL)
    note = lab.root / "var/run/chyves/b/frozen"
    mark, _, until = note.read_text().partition(" ")
    assert float(until) > time.monotonic()
    assert "left frozen" not in chyves(lab, "a", "set", "notes=one").stderr
    assert frozen(lab) == ["b"]
    assert sentence(lab, "a,b", "snapshot", "@again", "--freeze") == (
        "b: is frozen already; thaw it first: chyves b agent thaw"
    )
    note.write_text(f"{mark} 0.0\n")
    told = chyves(lab, "a", "set", "notes=two").stderr
    assert "b: was left frozen by a command that was ended; it is thawed\n" in told


def of(lab: Lab, path: Path) -> bool:
    """Whether a process works in a lab."""
    return b"CHYVES_LAB=" + os.fsencode(lab.top) in path.with_name("environ").read_bytes().split(b"\0")


def test_what_was_thawed_too_early_is_not_taken(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is over, or somebody thaws it: a snapshot that is no better than another is not kept for one."""
    host = opened(lab, monkeypatch)
    take = type(host.zfs).snapshot

    def slow(self: object, *names: str) -> None:
        freeze.thaw(host, "b")
        take(host.zfs, *names)

    monkeypatch.setattr(type(host.zfs), "snapshot", slow)
    with pytest.raises(ChyvesError, match=r"^b: was thawed before its snapshot was taken; take it again$"):
        snapshots.take(host, ("a", "b"), "@early", freeze=True)
    assert taken(lab, "early") == 0


def test_one_that_does_not_answer_keeps_no_other_frozen(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    host = opened(lab, monkeypatch)
    monkeypatch.setattr(agent, "LIMIT", 0.5)
    bhyve = json.loads((lab.root / "var/run/chyves/b.json").read_text())["bhyve"]
    os.kill(bhyve, signal.SIGSTOP)
    try:
        with pytest.raises(agent.NoAgent, match=r"^b: its guest agent said nothing within"):
            snapshots.take(host, ("a", "b"), "@silent", freeze=True)
    finally:
        os.kill(bhyve, signal.SIGCONT)
    assert taken(lab, "silent") == 0


def opened(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The host in this process."""
    monkeypatch.setenv("CHYVES_LAB", str(lab.top))
    return Host.open(environment(lab))


def test_one_that_freezes_without_saying_so_is_thawed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is late, or none; and it listens to one conversation at a time."""
    host = opened(lab, monkeypatch)
    understood, answers = freeze._number, [object()]
    monkeypatch.setattr(freeze, "_number", lambda told: understood(answers.pop() if answers else told))
    with pytest.raises(agent.NoAgent, match=r"^a: its guest agent answered what is not understood within") as failure:
        snapshots.take(host, ("a", "b"), "@late", freeze=True)
    assert not getattr(failure.value, "__notes__", ())
    assert taken(lab, "late") == 0
