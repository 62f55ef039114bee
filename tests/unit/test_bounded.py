"""Programs of the user's own, which are ended where they could go on without anybody to look after them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.host import bounded


def test_a_program_that_cannot_be_noted_is_ended(tmp_path: Path) -> None:
    program = tmp_path / "hook"
    program.write_text("#!/bin/sh\nsleep 20\n")
    program.chmod(0o755)
    begun: list[int] = []

    def note(pid: int) -> None:
        begun.append(pid)
        raise ChyvesError("web1.json: cannot be written: No space left on device")

    with pytest.raises(ChyvesError, match="No space left on device"):
        bounded.run(str(program), dict(os.environ), 30, lambda: False, note)
    with pytest.raises(ProcessLookupError):
        os.killpg(begun[0], 0)
