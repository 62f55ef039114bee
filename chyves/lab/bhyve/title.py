"""The title of a process, as setproctitle(3) sets it: what ps and `pgrep -f` show."""

from __future__ import annotations

from pathlib import Path


def set_title(title: str) -> None:
    """Replace the whole command line of this process by a title.

    The kernel shows the argument area of the memory; where its last byte is not NUL, it shows the one string that
    begins there (proc(5), /proc/PID/cmdline). A title that is longer than the area is cut.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    text = title.encode(errors="surrogateescape")[: end - begin - 2]
    area = text + b"\0" * (end - begin - len(text) - 1) + b"."
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(begin)
        memory.write(area)
    Path("/proc/self/comm").write_text(title.partition(":")[0][:15])
