"""What ps(1) says that processes have used."""

from __future__ import annotations

from pathlib import Path

from chyves.host.processes import Processes, Usage
from chyves.host.run import Runner


def processes(place: Path, script: str) -> Processes:
    program = place / "ps"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Processes(Runner({}, str(place)))


def test_processes_are_read_from_one_ps(tmp_path: Path) -> None:
    """The form of TIME is FreeBSD's `minutes:seconds.hundredths`, minutes without an end (ps(1), print.c)."""
    said = "  12   0:01.50   1024 bhyve: chy-web1\\n1234 1234:05.07 4 /bin/sh -c a  b\\n"
    asked = "-ww -o pid= -o time= -o rss= -o command= -p 12,1234,5"
    found = processes(tmp_path, f'[ "$*" = "{asked}" ] && printf "{said}"; exit 1').usage([12, 1234, 5])
    assert found == {
        12: Usage(1.5, 1 << 20, "bhyve: chy-web1"),
        1234: Usage(74045.07, 4096, "/bin/sh -c a  b"),
    }


def test_nobody_is_asked_about_no_process(tmp_path: Path) -> None:
    assert processes(tmp_path, f"touch {tmp_path}/asked").usage([]) == {}
    assert not (tmp_path / "asked").exists()
