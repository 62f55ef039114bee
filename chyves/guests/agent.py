"""What a guest's agent tells: whether it is there, and which addresses the guest has.

The agent is qemu-ga, which runs in the guest; agent=yes gives it the port through which it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chyves.bhyve import ports
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.agent import Agent, NoPort, Refused, Silent
from chyves.host.machine import Host

LIMIT = 10.0
"""Seconds that an agent is given for an answer."""
GLANCE = 3.0
"""Seconds that one is given to say that it is there."""


class NoAgent(ChyvesError):
    """The guest has no agent that could be talked to now."""


class AgentRefused(ChyvesError):
    """The agent has refused what was asked of it."""


@dataclass(frozen=True)
class Address:
    """An address that a guest says it has: its interface there, with the Ethernet address, and the bits of the net."""

    interface: str
    mac: str | None
    address: str
    prefix: int | None


@contextmanager
def talking(host: Host, name: str, seconds: float = LIMIT) -> Iterator[Agent]:
    """A conversation with the agent of a guest; raises NoAgent, AgentRefused with the agent's own words."""
    path = running.directory(host, name) / ports.DIRECTORY / f"{ports.AGENT}.sock"
    state = running.living(host, name)
    if state is None or running.crashed(state):
        raise NoAgent(f"{name}: does not run, and so its guest agent does not; start it first")
    try:
        with Agent(path, seconds) as agent:
            yield agent
    except NoPort:
        raise NoAgent(
            f"{name}: runs without a port for its guest agent; use: chyves {name} set agent=yes, and start it again"
        ) from None
    except Silent as error:
        advice = "see that qemu-guest-agent is installed in the guest and runs there, and that nothing else talks to it"
        raise NoAgent(f"{name}: its guest agent {error} within {seconds:.0f} s; {advice}") from None
    except Refused as error:
        raise AgentRefused(f"{name}: its guest agent says: {error}") from None


def ask(host: Host, name: str, command: str, seconds: float = LIMIT) -> Any:
    """What a command of the agent returns; raises NoAgent, AgentRefused."""
    with talking(host, name, seconds) as agent:
        return agent.ask(command, seconds=seconds)


def ping(host: Host, name: str, seconds: float = GLANCE) -> bool:
    """Whether a guest's agent answers within so many seconds."""
    try:
        with talking(host, name, seconds):
            return True
    except NoAgent:
        return False


def addresses(host: Host, name: str) -> list[Address]:
    """The addresses that a guest has, but for those by which it only reaches itself; raises NoAgent, AgentRefused."""
    told = ask(host, name, "guest-network-get-interfaces")
    try:
        return [address for interface in told for address in _addresses(interface)]
    except (TypeError, KeyError, AttributeError, ValueError):
        raise AgentRefused(f"{name}: its guest agent answered what is not understood; bring it up to date") from None


def _addresses(interface: dict[str, Any]) -> Iterator[Address]:
    mac = interface.get("hardware-address")
    for found in interface.get("ip-addresses", ()):
        address, prefix = str(found["ip-address"]), found.get("prefix")
        if not address.startswith("127.") and address != "::1":
            bits = None if prefix is None else int(prefix)
            yield Address(str(interface["name"]), None if mac is None else str(mac), address, bits)


def clock_ahead(agent: Agent) -> float:
    """Seconds that the guest's clock is before the host's; raises Refused, Silent."""
    told = agent.ask("guest-get-time", seconds=LIMIT)
    if not isinstance(told, int):
        raise Silent("answered what is not understood")
    return (told - host_clock()) / 1e9


def host_clock() -> int:
    """The host's clock as an agent counts time: nanoseconds since 1970, to the microsecond."""
    return round(datetime.now(UTC).timestamp() * 1e6) * 1000


def about(agent: Agent) -> tuple[str | None, frozenset[str]]:
    """An agent's version, and the commands that it has and that are not switched off there; raises Refused, Silent."""
    told = agent.ask("guest-info", seconds=LIMIT)
    try:
        rows = told["supported_commands"]
        return told.get("version"), frozenset(row["name"] for row in rows if row["enabled"])
    except (TypeError, KeyError, AttributeError):
        raise Silent("answered what is not understood") from None
