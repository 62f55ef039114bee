"""chyves and the short programs of a lab as forks of a process that has loaded them.

In an emulated machine it takes a second to start Python and load a program, and some 50 ms to fork. Each run is as
alone as when it is started: it has its own environment, directory and output, and what it changes in memory is gone
with it. All that lives on, as a supervisor or a guest, is really started.
"""

from __future__ import annotations

import os
import pkgutil
import shlex
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import pytest

import chyves
from chyves.__main__ import main
from chyves.errors import ProgramFailed
from chyves.host.run import Runner
from chyves.lab import programs

SHORT = (
    "acpidump freebsd-version id ifconfig kldload kldstat kldunload md5 pciconf pgrep ps sha256 sha512 stat sysctl "
    "sysrc uname uuidgen"
).split()
OF_THE_SHELL = set("|&;<>()$`\\\"'*?[#~=%!{")

_run = subprocess.run
_ask, _do = Runner._ask, Runner.do


def use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have dialogues run that way from now on."""
    for module in pkgutil.walk_packages(chyves.__path__, "chyves."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    monkeypatch.setattr(subprocess, "run", _run_or_fork)
    monkeypatch.setattr(Runner, "_ask", _ask_or_fork)
    monkeypatch.setattr(Runner, "do", _do_or_fork)


def forked(
    argv: Sequence[str], function: Callable[[], int], env: Mapping[str, str], cwd: object = None
) -> subprocess.CompletedProcess[str]:
    """What a function says and ends with in a fork of this process, as if it was a program."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        child = os.fork()
        if not child:
            _become(function, env, cwd, out.fileno(), error.fileno())
        _, ended = os.waitpid(child, 0)
        said = []
        for stream in (out, error):
            stream.seek(0)
            said.append(stream.read().decode(errors="replace"))
    return subprocess.CompletedProcess(argv, os.waitstatus_to_exitcode(ended), *said)


def _become(function: Callable[[], int], env: Mapping[str, str], cwd: object, out: int, error: int) -> None:
    """Be the program, in the child; never returns."""
    status = 1
    try:
        os.setsid()
        for number, source in enumerate((os.open(os.devnull, os.O_RDWR), out, error)):
            os.dup2(source, number)
        # The streams are not closed with these: forks have forks.
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
        os.environ.clear()
        os.environ.update(env)
        time.tzset()
        if cwd is not None:
            os.chdir(str(cwd))
        status = function()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _run_or_fork(argv: Sequence[Any], **options: Any) -> subprocess.CompletedProcess[str]:
    """subprocess.run, for what dialogues run with it."""
    name = os.path.basename(argv[0])
    if name == "sh" and argv[2].lstrip().startswith("chyves ") and not OF_THE_SHELL & set(argv[2]):
        words = shlex.split(argv[2])[1:]
        return forked(argv, lambda: main(words), options["env"], options["cwd"])
    if name in SHORT and "bin" in str(argv[0]):
        return forked(argv, lambda: programs.run(str(argv[0]), list(argv[1:])), os.environ.copy())
    return _run(argv, **options)


def _ask_or_fork(self: Runner, argv: Sequence[str], timeout: float) -> tuple[int, str, str]:
    if argv[0] not in SHORT:
        return _ask(self, argv, timeout)
    done = forked(argv, lambda: programs.run(self.program(argv), list(argv[1:])), self.environ)
    return done.returncode, done.stdout, done.stderr


def _do_or_fork(self: Runner, *argv: str, timeout: float = 300, failing: str = "") -> str:
    if argv[0] not in SHORT or self.dry:
        return _do(self, *argv, timeout=timeout, failing=failing)
    status, out, error = _ask_or_fork(self, argv, timeout)
    if status or (failing and failing in error):
        raise ProgramFailed(argv, status, error.strip() or out)
    return out
