"""A supervisor that learns how the guest it adopted has ended, as on FreeBSD: `supervisor_told.py STATUS WORD...`.

Of a process that is not its child Linux tells a supervisor nothing, FreeBSD does (kevent(2), NOTE_EXIT).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from chyves.guests import supervisor
from chyves.guests.watch import Watch
from chyves.host import processes
from chyves.host.run import PLACES, Runner


def told(pid: int) -> int:
    """The status that the test says, once the process has ended."""
    processes.Processes(Runner({}, PLACES)).wait_for_end(pid, None)
    return int(sys.argv[1])


def watch(program: str, argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Wait in this process, which has what the test says, instead of becoming another program for it."""
    Watch(dict(word.split("=", 1) for word in argv[argv.index("chyves.guests.watch") + 1 :])).keep()


if __name__ == "__main__":
    processes.wait_for_status = told
    os.execve = watch  # type: ignore[assignment]
    sys.exit(supervisor.main(sys.argv[2:]))
