"""ps(1): lists processes in FreeBSD's grammar."""

from __future__ import annotations

import getopt
import os
import pwd
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from chyves.lab.place import Lab
from chyves.lab.processes import Process, processes

USAGE = "usage: ps [-aCcdefHhjlmrSTuvwXxZ] [-O fmt | -o fmt] [-G gid[,gid...]] [-p pid[,pid...]] [-t tty[,tty...]]"
TICKS = os.sysconf("SC_CLK_TCK")


class Column(NamedTuple):
    """A column: its heading, whether it is set flush left, and what it shows of a process."""

    heading: str
    left: bool
    of: Callable[[Process], str]


def _elapsed(process: Process) -> int:
    with open("/proc/uptime") as file:
        return max(0, int(float(file.read().split()[0])) - process.began // TICKS)


def _visible(text: str) -> str:
    """A text on one line: a control character as a caret and a letter (ps passes VIS_NL and VIS_NOSLASH to vis(3))."""
    return "".join(f"^{chr(ord(sign) ^ 0x40)}" if sign < " " or sign == "\x7f" else sign for sign in text)


def _etime(process: Process) -> str:
    minutes, seconds = divmod(_elapsed(process), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    clock = f"{minutes:02d}:{seconds:02d}"
    return f"{days}-{hours:02d}:{clock}" if days else f"{hours:02d}:{clock}" if hours else clock


def _user(process: Process) -> str:
    try:
        return pwd.getpwuid(process.uid).pw_name
    except KeyError:
        return str(process.uid)


def _time(process: Process) -> str:
    return f"{process.ticks // TICKS // 60}:{process.ticks / TICKS % 60:05.2f}"


def _state(process: Process) -> str:
    return process.state.replace("t", "T") + ("s" if process.sid == process.pid else "")


def _started(form: str) -> Callable[[Process], str]:
    return lambda process: time.strftime(form, time.localtime(time.time() - _elapsed(process)))


COLUMNS = {
    "pid": Column("PID", False, lambda it: str(it.pid)),
    "ppid": Column("PPID", False, lambda it: str(it.ppid)),
    "pgid": Column("PGID", False, lambda it: str(it.pgid)),
    "sid": Column("SID", False, lambda it: str(it.sid)),
    "uid": Column("UID", False, lambda it: str(it.uid)),
    "user": Column("USER", True, _user),
    "jid": Column("JID", False, lambda _: "0"),
    "tt": Column("TT ", True, lambda it: f"{it.tty & 0xFF}" if it.tty else "- "),
    "tty": Column("TTY", True, lambda it: f"pts/{it.tty & 0xFF}" if it.tty else "-"),
    "stat": Column("STAT", True, _state),
    "time": Column("TIME", False, _time),
    "etime": Column("ELAPSED", False, _etime),
    "etimes": Column("ELAPSED", False, lambda it: str(_elapsed(it))),
    "start": Column("STARTED", True, _started("%H:%M")),
    "lstart": Column("STARTED", True, _started("%c")),
    "vsz": Column("VSZ", False, lambda it: str(it.vsz)),
    "rss": Column("RSS", False, lambda it: str(it.rss)),
    "ni": Column("NI", False, lambda it: str(it.nice)),
    "%cpu": Column("%CPU", False, lambda it: f"{100 * it.ticks / TICKS / max(1, _elapsed(it)):.1f}"),
    "%mem": Column("%MEM", False, lambda it: f"{100 * it.rss * 1024 / _physical():.1f}"),
    "comm": Column("COMMAND", True, lambda it: _visible(it.comm)),
    "command": Column("COMMAND", True, lambda it: _visible(it.command)),
}
ALIASES = {"nice": "ni", "args": "command", "ucomm": "comm", "state": "stat", "vsize": "vsz", "pcpu": "%cpu",
           "pmem": "%mem", "cputime": "time", "ruser": "user", "ruid": "uid", "usertime": "time"}  # fmt: skip
DEFAULT = ["pid", "tt", "stat", "time", "command"]
SHAPES = {
    "-u": ["user", "pid", "%cpu", "%mem", "vsz", "rss", "tt", "stat", "start", "time", "command"],
    "-j": ["user", "pid", "ppid", "pgid", "sid", "jid", "stat", "tt", "time", "command"],
    "-l": ["uid", "pid", "ppid", "vsz", "rss", "stat", "tt", "time", "command"],
}


def _physical() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def main(lab: Lab, argv: list[str]) -> int:
    """Run ps(1): which processes (-a -x -p -U -t), which columns (-o, several times), how they are headed."""
    if argv and not argv[0].startswith("-"):
        argv = [f"-{argv[0]}", *argv[1:]]
    try:
        options, rest = getopt.getopt(argv, "AaCcdefHhjlmO:o:p:rSTt:U:uvwXxZG:J:N:M:D:")
        asked = dict(options)
        columns = _columns(options)
        wanted = _wanted(asked)
    except (getopt.GetoptError, ValueError) as error:
        print(f"ps: {error}\n{USAGE}", file=sys.stderr)
        return 1
    if rest and not ("-p" in asked and all(map(str.isdigit, rest))):
        print(f"ps: illegal argument: {rest[0]}\n{USAGE}", file=sys.stderr)
        return 1
    shown = [process for process in processes(lab) if wanted(process)]
    for line in _table(columns, shown, "-c" in asked):
        print(line)
    return 0 if shown else 1


def _columns(options: list[tuple[str, str]]) -> list[tuple[str, Column]]:
    """Headings and columns that the options ask for; an item with `=` is the last of its list (ps.c, parsefmt)."""
    chosen: list[tuple[str, Column]] = []
    for option, value in options:
        if option != "-o":
            continue
        name, equals, heading = value.partition("=")
        *before, last = name.replace(",", " ").split() or [""]
        chosen += [(COLUMNS[_known(word)].heading, COLUMNS[_known(word)]) for word in before]
        column = COLUMNS[_known(last)]
        chosen.append((heading if equals else column.heading, column))
    if chosen:
        return chosen
    shape = next((SHAPES[option] for option, _ in options if option in SHAPES), DEFAULT)
    return [(COLUMNS[name].heading, COLUMNS[name]) for name in shape]


def _known(word: str) -> str:
    name = ALIASES.get(word, word)
    if name not in COLUMNS:
        raise ValueError(f"{word}: keyword not found")
    return name


def _wanted(asked: dict[str, str]) -> Callable[[Process], bool]:
    if "-p" in asked:
        numbers = {int(number) for number in asked["-p"].replace(",", " ").split()}
        return lambda process: process.pid in numbers
    if "-U" in asked:
        users = asked["-U"].replace(",", " ").split()
        return lambda process: str(process.uid) in users or _user(process) in users
    everyone = bool(asked.keys() & {"-a", "-A", "-d", "-e"})
    without_terminal = bool(asked.keys() & {"-x", "-A", "-d", "-G", "-J"})
    me = os.getuid()
    return lambda process: (everyone or process.uid == me) and (without_terminal or process.tty != 0)


def _table(columns: list[tuple[str, Column]], shown: list[Process], names_only: bool) -> list[str]:
    rows = [[column.of(process) for _, column in columns] for process in shown]
    if names_only:
        rows = [
            [
                COLUMNS["comm"].of(process) if column is COLUMNS["command"] else cell
                for cell, (_, column) in zip(row, columns, strict=True)
            ]
            for row, process in zip(rows, shown, strict=True)
        ]
    headings = [heading for heading, _ in columns]
    head = [headings] if any(headings) else []
    widths = [max([len(heading), *(len(row[at]) for row in rows)]) for at, heading in enumerate(headings)]
    lines = []
    for row in head + rows:
        cells = [
            cell.ljust(width) if column.left else cell.rjust(width)
            for cell, width, (_, column) in zip(row, widths, columns, strict=True)
        ]
        lines.append(" ".join(cells).rstrip() if columns[-1][1].left else " ".join(cells))
    return lines
