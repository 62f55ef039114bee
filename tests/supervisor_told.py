"""A supervisor that learns how the guest it adopted has ended, as on FreeBSD: `supervisor_told.py STATUS WORD...`.

Of a process that is not its child Linux tells a supervisor nothing, FreeBSD does (kevent(2), NOTE_EXIT).
"""

from __future__ import annotations

import sys

from chyves.guests import supervisor
from chyves.host.processes import Processes


def told(processes: Processes, pid: int) -> int:
    """The status that the test says, once the process has ended."""
    processes.wait_for_end(pid, None)
    return int(sys.argv[1])


if __name__ == "__main__":
    Processes.wait_for_status = told  # type: ignore[assignment]
    sys.exit(supervisor.main(sys.argv[2:]))
