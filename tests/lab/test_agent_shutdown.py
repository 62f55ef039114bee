"""A guest whose agent says that its shutdown has failed: off it may be all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chyves.errors import Interrupted
from chyves.guests import agent_shutdown, running, shutdown, stop
from chyves.guests.agent import AgentRefused
from chyves.host.agent import Agent, Refused
from chyves.host.machine import Host
from chyves.host.processes import Processes
from chyves.lab.place import Lab
from tests.host_commands import chyves, done, environment
from tests.torture.house import until

ENDED = "child process has terminated abnormally"
"""What qemu-ga says of a shutdown(8) that was ended by the system's going off (seen with version 7.2)."""


@pytest.fixture
def house(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab with a guest that runs and has an agent."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    monkeypatch.setenv("CHYVES_LAB", str(lab.top))
    done(lab, "dataset", lab.pool, "install")
    done(lab, "a", "create", "64M")
    done(lab, "a", "set", "agent=yes")
    done(lab, "a", "start")
    yield lab
    chyves(lab, "all", "stop", "force")


def test_what_is_off_has_been_shut_down_whatever_its_agent_says(
    house: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell = Agent.tell

    def tell_and_fail(talk: Agent, command: str, *, seconds: float) -> None:
        tell(talk, command, seconds=seconds)
        raise Refused(ENDED)

    monkeypatch.setattr(Agent, "tell", tell_and_fail)
    agent_shutdown.shutdown(Host.open(environment(house)), ("a",))
    assert capsys.readouterr().err == "a: is off\n"
    assert "does not run" in chyves(house, "a", "status").stderr
    assert not (house.root / "var/run/chyves/a.json").exists()


def test_what_is_not_off_is_told_in_the_agents_words(house: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(talk: Agent, command: str, *, seconds: float) -> None:
        raise Refused("Failed to create child process (Out of memory)")

    monkeypatch.setattr(Agent, "tell", fail)
    monkeypatch.setattr(agent_shutdown, "GRACE", 0.2)
    with pytest.raises(AgentRefused, match=r"^a: its guest agent says: Failed to create child process \(Out of memory"):
        agent_shutdown.shutdown(Host.open(environment(house)), ("a",))
    assert chyves(house, "a", "status").returncode == 0


def test_a_signal_while_a_guest_is_asked_waits_until_it_has_been_asked(
    house: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host.open(environment(house))
    before = signal.signal(signal.SIGTERM, _not_noted)
    try:
        for way, owner, name in (
            (agent_shutdown.shutdown, Agent, "tell"),
            (stop.stop, Processes, "signal"),
            (shutdown.shutdown, Processes, "signal"),
        ):
            with monkeypatch.context() as patched, pytest.raises(Interrupted, match="a: no longer waited") as told:
                patched.setattr(owner, name, _after_a_signal(getattr(owner, name)))
                way(host, ("a",))
            assert told.value.number == signal.SIGTERM
            until(lambda: not running.recorded_of(host, "a"))
            done(house, "a", "start")
    finally:
        signal.signal(signal.SIGTERM, before)


def _not_noted(number: int, frame: object) -> None:
    raise AssertionError("the signal ends it in the middle")


def _after_a_signal(act: Callable[..., Any]) -> Callable[..., Any]:
    """What is done while this process gets a signal."""

    def done_then(*words: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return act(*words, **options)

    return done_then
