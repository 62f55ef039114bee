"""Asking for chyves and programs of a lab as tests.torture.forked runs them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from chyves.lab.place import Lab
from tests.host_commands import environment

Ended = subprocess.CompletedProcess[str]

PATIENCE = 0.3
"""Seconds that a program which hangs is given in a trial once chyves has had a signal; users have more."""


class Forks:
    """The process that everything is a copy of."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="forks")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.forked"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        self._server.communicate()
        self._place.cleanup()

    def chyves(self, lab: Lab, *words: str, faults: bool = False, files: bool = True) -> Ended:
        """What chyves does with these words, with the faults that are laid in the lab where it is said so.

        Without `files` its own files are no steps.
        """
        return self._run(lab, "", words, faults, faults and files)

    def program(self, lab: Lab, name: str, *words: str) -> str:
        """What a program of the lab prints for words that it must be able to follow."""
        done = self._run(lab, str(lab.bin / name), words, False, False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, lab: Lab, program: str, words: tuple[str, ...], faults: bool, files: bool) -> Ended:
        out, error = (Path(self._place.name) / name for name in ("out", "error"))
        request = {
            "lab": str(lab.top),
            "program": program,
            "words": words,
            "environment": environment(lab),
            "out": str(out),
            "error": str(error),
            "faults": faults,
            "files": files,
            "patience": PATIENCE,
        }
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        status = self._server.stdout.readline()
        return Ended(words, int(status), out.read_text(), error.read_text())
