"""The table of the processes that run guests."""

from __future__ import annotations

from chyves.cli.sizes import rounded
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.host.processes import Usage
from chyves.pools.holdings import Holdings

ROLES = ("supervisor", "loader", "bhyve")
"""What a guest can have a process for, as it is written down of one that runs."""

COLUMNS = (
    Column("guest", "Guest"),
    Column("role", "Process"),
    Column("pid", "PID", right=True),
    Column("cpu_seconds", "CPU", right=True),
    Column("memory", "Memory", right=True),
    Column("command", "Command"),
)


def show(host: Host, guest: str | None = None) -> Table:
    """The processes of every guest that runs, or of one, from one ps(1); raises ChyvesError."""
    names = running.recorded(host) if guest is None else [Holdings.read(host).guest(guest).name]
    found = [(name, role, pid) for name in names for role, pid in _processes(host, name)]
    used = host.processes.usage([pid for _, _, pid in found])
    rows = tuple(_row(name, role, pid, used[pid]) for name, role, pid in found if pid in used)
    return Table("processes", COLUMNS, rows)


def _processes(host: Host, name: str) -> list[tuple[str, int]]:
    """What each process of a guest that runs is for, and its number; what cannot be read is warned of."""
    try:
        state = running.living(host, name)
    except ChyvesError as error:
        host.terminal.warn(str(error))
        return []
    pids = [] if state is None else [(role, getattr(state, role)) for role in ROLES]
    return [(role, pid) for role, pid in pids if pid is not None]


def _row(name: str, role: str, pid: int, used: Usage) -> Row:
    minutes, seconds = divmod(used.seconds, 60)
    values: dict[str, Value] = {
        "guest": name,
        "role": role,
        "pid": pid,
        "cpu_seconds": used.seconds,
        "memory": used.memory,
        "command": used.command,
    }
    return Row(values, {"cpu_seconds": f"{minutes:.0f}:{seconds:05.2f}", "memory": rounded(used.memory)})
