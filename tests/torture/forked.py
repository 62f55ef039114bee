"""Runs chyves, and the short programs of a lab for it, in copies of this process: none of them has to be imported.

A line on standard input is a request (JSON): the words of chyves or of a program of the lab, the environment, the files
that get what it says, and whether there are faults. A line on standard output is the status, as of subprocess.
What is long-lived, is looked for by its command line, or is to be struck by a fault runs as a program of its own.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import chyves
import chyves.__main__
import chyves.host.undo
from chyves.lab import programs, real_zfs
from chyves.lab.place import Lab
from tests.torture import files, strike

LONG = ("bhyve", "bhyveload", "grub-bhyve", "cu")
_execve = os.execve
_Popen = subprocess.Popen


def serve() -> None:
    """Do what is asked for until nobody asks any more."""
    for module in pkgutil.walk_packages(chyves.__path__, "chyves."):
        importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    requests, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _child(request)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answers.write(f"{status}\n")
        answers.flush()


def _child(request: Mapping[str, Any]) -> NoReturn:
    for stream, name in ((0, os.devnull), (1, request["out"]), (2, request["error"])):
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, stream)
    lab, words = request["lab"], request["words"]
    if request["program"]:
        be = _as_program(lab, request["program"], words)
        _be(be, [request["program"], *words], request["environment"])
    os.execve = _Becoming(lab)  # type: ignore[assignment]
    subprocess.Popen = _Starting  # type: ignore[assignment,misc]

    def act() -> int:
        if request["faults"]:
            with open(f"{lab}/state/pid", "w") as file:
                file.write(str(os.getpid()))
            chyves.host.undo.PATIENCE = request["patience"]
        if request["files"]:
            files.lay(f"{lab}/state", f"{lab}/root")
        return chyves.__main__.main()

    _be(act, ["chyves", *words], request["environment"])


def _be(act: Callable[[], int], argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """End this process as a program that does this would."""
    status: Any = 1
    try:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.environ.clear()
        os.environ.update(environment)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        sys.argv = list(argv)
        sys.stdin, sys.stdout = (os.fdopen(stream, mode, 1, closefd=False) for stream, mode in enumerate("rw"))
        sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
        status = act()
        sys.stdout.flush()
    except SystemExit as end:
        status = end.code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status if isinstance(status, int) else bool(status))


class _Becoming:
    """execve(2) by which a child becomes a short program of the lab without becoming another file."""

    def __init__(self, lab: str) -> None:
        self.lab = lab

    def __call__(self, path: Any, argv: Sequence[Any], environment: Mapping[Any, Any]) -> None:
        files.lift()
        words = [os.fsdecode(word) for word in argv]
        self.quickly(os.fsdecode(path), words, {os.fsdecode(k): os.fsdecode(v) for k, v in environment.items()})
        _execve(path, list(argv), environment)

    def quickly(self, path: str, argv: list[str], environment: Mapping[str, str]) -> None:
        """Be the program; returns where it has to be started."""
        place, _, name = path.rpartition("/")
        if place != f"{self.lab}/bin" or name in LONG or argv[1:2] in (["send"], ["receive"]):
            return
        if name == "zpool" and _is_real(self.lab):
            return
        top = f"{self.lab}/state"
        if os.path.exists(f"{top}/fault") and self._is_struck(top, name, argv[1:]):
            return

        def act() -> int:
            if os.path.exists(f"{top}/fault"):
                strike.strike(top)
            return _as_program(self.lab, path, argv[1:])()

        _be(act, [path, *argv[1:]], environment)

    @staticmethod
    def _is_struck(top: str, name: str, words: list[str]) -> bool:
        fault = strike.Fault.read(top)
        if fault.what == strike.FULL or name not in fault.programs or not strike.changes(name, words):
            return False
        with open(f"{top}/steps") as steps:
            return fault.nth == steps.read().count("\n") + 1


def _as_program(lab: str, path: str, words: list[str]) -> Callable[[], int]:
    """What a program of the lab does; the machine's own zfs is what this process becomes."""
    if os.path.basename(path) == "zfs" and _is_real(lab):
        return lambda: _execve(real_zfs.program("zfs"), ["zfs", *words], os.environ)
    return lambda: programs.run(path, words)


def _is_real(lab: str) -> bool:
    """Whether the lab's ZFS is the machine's."""
    return Lab.open(Path(lab)).on_real_zfs


class _Starting(subprocess.Popen[Any]):
    """A process that becomes what it is to be by what execve is now."""

    def __init__(self, argv: Sequence[str], **options: Any) -> None:
        become = os.execve
        environment = options.get("env") or dict(os.environ)

        def first() -> None:
            files.lift()
            if isinstance(become, _Becoming):
                become.quickly(argv[0], list(argv), environment)

        super().__init__(argv, preexec_fn=first, **options)


if __name__ == "__main__":
    serve()
