"""The commands that talk with guests' agents: ping, info, addresses, time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chyves.bhyve import ports
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError
from chyves.guests import agent, running
from chyves.guests.each import concerned, each, gathered
from chyves.host.agent import Agent, question
from chyves.host.machine import Host
from chyves.host.run import show
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.targets import Target

STATUS = "guest-fsfreeze-status"

PING = (Column("guest", "Guest"), Column("answers", "Answers"), Column("reason", "Reason"))
INFO = (
    Column("guest", "Guest"),
    Column("version", "Agent"),
    Column("host_name", "Host name"),
    Column("system", "System"),
    Column("kernel", "Kernel"),
    Column("frozen", "Frozen"),
)
ADDRESSES = (
    Column("guest", "Guest"),
    Column("interface", "Interface"),
    Column("mac", "MAC"),
    Column("address", "Address"),
    Column("prefix", "Prefix", right=True),
)


def with_agent(host: Host, guest: Target) -> list[GuestHolding]:
    """The guests that a target names, and of the others those that run with a port for their agent."""
    return concerned(host, Holdings.read(host).find(guest), guest, lambda holding: has_port(host, holding.name))


def has_port(host: Host, name: str) -> bool:
    """Whether a guest runs with a port for its agent."""
    state = running.living(host, name)
    return state is not None and state.properties.get("agent") == "yes"


def ping(host: Host, guest: Target) -> Table:
    """Whether the guests' agents answer; what failed is that one does not."""
    rows = []
    for holding in with_agent(host, guest):
        try:
            with agent.talking(host, holding.name, agent.GLANCE):
                reason = None
        except ChyvesError as error:
            reason = str(error).removeprefix(f"{holding.name}: ")
        values: dict[str, Value] = {"guest": holding.name, "answers": reason is None, "reason": reason}
        rows.append(Row(values, {"answers": "YES" if reason is None else "NO"}))
    silent = [str(row.values["guest"]) for row in rows if not row.values["answers"]]
    failed = f"{', '.join(silent)}: the guest agent does not answer" if silent else _none(rows)
    return Table("agents", PING, tuple(rows), failed=failed)


def info(host: Host, guest: Target) -> Table:
    """What the guests' agents tell of themselves and of their systems."""
    return _table(host, guest, "systems", INFO, lambda name: [_info(host, name)])


def addresses(host: Host, guest: Target) -> Table:
    """The addresses that guests have."""

    def rows(name: str) -> Iterable[Row]:
        for found in agent.addresses(host, name):
            values: dict[str, Value] = {"interface": found.interface, "mac": found.mac}
            yield Row({"guest": name, **values, "address": found.address, "prefix": found.prefix})

    return _table(host, guest, "addresses", ADDRESSES, rows)


def _table(
    host: Host, guest: Target, name: str, columns: tuple[Column, ...], rows_of: Callable[[str], Iterable[Row]]
) -> Table:
    """What each guest tells; of several, one that does not is told of, and the others follow."""
    wanted = with_agent(host, guest)
    rows, failed = gathered(host, wanted, lambda holding: rows_of(holding.name))
    return Table(name, columns, rows, failed=failed or _none(wanted))


def _none(found: Sequence[object]) -> str:
    return "" if found else "no guest runs with agent=yes"


def _info(host: Host, name: str) -> Row:
    with agent.talking(host, name) as talk:
        version, known = agent.about(talk)
        frozen = STATUS in known and talk.ask(STATUS, seconds=agent.LIMIT) == "frozen"
        # While file systems are frozen the agent tells nothing for which it might have to read a file.
        system = {} if frozen else _asked(talk, known, "guest-get-osinfo")
        named = {} if frozen else _asked(talk, known, "guest-get-host-name")
    values: dict[str, Value] = {
        "guest": name,
        "version": _text(version),
        "host_name": _text(named.get("host-name")),
        "system": _text(system.get("pretty-name") or system.get("name")),
        "kernel": _text(system.get("kernel-release")),
        "frozen": frozen,
    }
    return Row(values, {"frozen": "YES" if frozen else "NO"})


def _asked(talk: Agent, known: frozenset[str], command: str) -> dict[str, Any]:
    """What a command returns that not every agent has."""
    told = talk.ask(command, seconds=agent.LIMIT) if command in known else None
    return told if isinstance(told, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def set_time(host: Host, guest: Target) -> None:
    """Set the clocks of guests by that of the host."""
    each(host, with_agent(host, guest), lambda holding: _set_time(host, holding.name))


def _set_time(host: Host, name: str) -> None:
    if host.dry:
        asked = '{"execute": "guest-set-time", "arguments": {"time": %s}}\\n'
        show(["printf", asked], f'"$(date +%s000000000)" | {_netcat(host, name)}')
        return
    with host.locks.hold(f"guest.{name}"), agent.talking(host, name) as talk:
        ahead = agent.clock_ahead(talk)
        talk.ask("guest-set-time", {"time": agent.host_clock()}, seconds=agent.LIMIT)
    was = f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}" if abs(ahead) >= 1 else "right"
    host.terminal.say(1, f"{name}: its clock is set; it was {was}")


def dry_ask(host: Host, name: str, command: str) -> None:
    """Print the line that has a guest's agent do something."""
    show(["printf", "%s\\n", question(command)], f"| {_netcat(host, name)}")


def _netcat(host: Host, name: str) -> str:
    """The program and words that hand a line to a guest's agent in sh, and show what it answers (nc(1))."""
    import shlex

    path = running.directory(host, name) / ports.DIRECTORY / f"{ports.AGENT}.sock"
    return f"nc -w {agent.LIMIT:.0f} -U {shlex.quote(str(path))}"
