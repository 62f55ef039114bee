"""pgrep(1) and pkill(1): find processes by what they are called."""

from __future__ import annotations

import getopt
import os
import pwd
import re
import sys
from collections.abc import Callable, Iterator

from chyves.lab.place import Lab
from chyves.lab.processes import Process, processes

USAGE = """\
usage: pgrep [-LSafilnoqvx] [-d delim] [-F pidfile] [-G gid] [-M core] [-N system]
             [-P ppid] [-U uid] [-c class] [-g pgrp] [-j jail]
             [-s sid] [-t tty] [-u euid] pattern ..."""
NONE_FOUND, WRONG_CALL, FAILED = 1, 2, 3


class Refused(Exception):
    """The call ends here, with these words and a status."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def main(lab: Lab, argv: list[str]) -> int:
    """Run pgrep(1): print the numbers of the processes found; status 0, 1 none, 2 wrong call, 3 failed."""
    try:
        asked, found = find(lab, argv)
    except Refused as refused:
        print(refused if refused.status == WRONG_CALL else f"pgrep: {refused}", file=sys.stderr)
        return refused.status
    if found and "-q" not in asked:
        print(asked.get("-d", "\n").join(_line(process, asked) for process in found))
    return 0 if found else NONE_FOUND


def _line(process: Process, asked: dict[str, str]) -> str:
    if "-l" not in asked:
        return str(process.pid)
    return f"{process.pid} {process.command if '-f' in asked else process.comm}"


def find(lab: Lab, argv: list[str]) -> tuple[dict[str, str], list[Process]]:
    """The options of a call and the processes that it means; raises Refused."""
    try:
        options, patterns = getopt.getopt(argv, "LSafilnoqvxId:F:G:M:N:P:U:c:g:j:s:t:u:")
    except getopt.GetoptError as error:
        raise Refused(WRONG_CALL, f"pgrep: illegal option -- {error.opt}\n{USAGE}") from None
    asked = dict(options)
    if not patterns and not asked.keys() & {"-F", "-G", "-P", "-U", "-c", "-g", "-j", "-s", "-t", "-u"}:
        raise Refused(WRONG_CALL, USAGE)
    # Threads of the kernel have no words, and are found with -S only; ended processes have none any more.
    everyone = [it for it in processes(lab) if it.words or "-S" in asked]
    hidden = {os.getpid()} if "-a" in asked else set(_ancestors(everyone))
    matches = _called(patterns, asked)
    chosen = [it for it in everyone if (_selected(it, asked) and matches(it)) != ("-v" in asked)]
    found = [it for it in chosen if it.pid not in hidden]
    if "-n" in asked or "-o" in asked:
        found = (
            sorted(found, key=lambda it: it.began)[-1:] if "-n" in asked else sorted(found, key=lambda it: it.began)[:1]
        )
    return asked, found


def _called(patterns: list[str], asked: dict[str, str]) -> Callable[[Process], bool]:
    """Whether a process is called by one of the patterns."""
    try:
        compiled = [re.compile(pattern, re.IGNORECASE if "-i" in asked else 0) for pattern in patterns]
    except re.error as error:
        words = f"pgrep: Cannot compile regular expression `{error.pattern!s}' ({error.msg})"
        raise Refused(WRONG_CALL, words) from None

    def test(process: Process) -> bool:
        text = process.command if "-f" in asked else process.comm
        found = (one.fullmatch(text) if "-x" in asked else one.search(text) for one in compiled)
        return not compiled or any(found)

    return test


def _ancestors(everyone: list[Process]) -> Iterator[int]:
    parents = {process.pid: process.ppid for process in everyone}
    pid = os.getpid()
    while pid:
        yield pid
        pid = parents.get(pid, 0)


def _selected(process: Process, asked: dict[str, str]) -> bool:
    wanted: dict[str, Callable[[], bool]] = {
        "-F": lambda: {_pid_in(asked["-F"])} == {process.pid},
        "-P": lambda: str(process.ppid) in asked["-P"].split(","),
        "-g": lambda: str(process.pgid) in asked["-g"].split(","),
        "-s": lambda: str(process.sid) in asked["-s"].split(","),
        "-U": lambda: _is_user(process, asked["-U"]),
        "-u": lambda: _is_user(process, asked["-u"]),
        "-j": lambda: asked["-j"] in ("0", "none"),
    }
    return all(test() for option, test in wanted.items() if option in asked)


def _is_user(process: Process, users: str) -> bool:
    try:
        name = pwd.getpwuid(process.uid).pw_name
    except KeyError:
        name = ""
    return bool({str(process.uid), name} & set(users.split(",")))


def _pid_in(path: str) -> int:
    try:
        with open(path) as file:
            return int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        raise Refused(FAILED, f"Cannot open pidfile `{path}'") from None
