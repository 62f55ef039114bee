"""What start can wait for, and what it cannot; what is added to a log that is begun anew."""

from __future__ import annotations

import os
import pty
import time
from pathlib import Path

import pytest

from chyves.errors import ChyvesError, UsageError
from chyves.guests.readiness import Readiness, _place
from chyves.host.lines import Lines
from chyves.host.machine import Host
from chyves.host.processes import Processes
from chyves.host.run import Runner
from chyves.host.tail import Added
from chyves.lab.programs.arp import shown

HOST = Host(Path("/nowhere"), Runner(os.environ, os.environ["PATH"]))


@pytest.mark.parametrize(
    "text", ["running", "agent", "serial:login: $", "tcp:22", "tcp:[::1]:443", "tcp:web.example:80"]
)
def test_what_can_be_waited_for(text: str) -> None:
    Readiness(HOST, text, 1)


@pytest.mark.parametrize(
    "text",
    ["", "up", "serial", "serial:", "serial:(", "serial:a{99999999999}", "tcp:", "tcp:0", "tcp:65536", "tcp:ssh"],
)
def test_what_cannot(text: str) -> None:
    with pytest.raises(UsageError):
        Readiness(HOST, text, 1)


@pytest.mark.parametrize(
    ("text", "place"), [("22", ("", 22)), ("10.0.0.1:22", ("10.0.0.1", 22)), ("[fe80::1]:22", ("fe80::1", 22))]
)
def test_places(text: str, place: tuple[str, int]) -> None:
    assert _place(text) == place


def test_what_is_added_is_seen_whole_also_when_the_file_is_put_aside(tmp_path: Path) -> None:
    now, old = tmp_path / "console.log", tmp_path / "console.log.1"
    now.write_text("before")
    added = Added(lambda: [path for path in (old, now) if path.exists()])
    assert added.text() == b""
    with now.open("a") as file:
        file.write(" log")
        file.flush()
        assert added.text() == b" log"
        file.write("in")
    now.rename(old)
    now.write_text(": ")
    assert added.text() == b"in: "
    assert added.text() == b""


def test_a_line_is_one_process_s_and_the_lock_of_a_dead_one_is_nobody_s(tmp_path: Path) -> None:
    lines = Lines(tmp_path, Processes(Runner(os.environ, os.environ["PATH"])))
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    lines.file("nmdm50B").write_text(f"{child:10}\n")
    with lines.taken("nmdm50B"):
        assert lines.file("nmdm50B").read_text() == f"{os.getpid():10}\n"
        with pytest.raises(ChyvesError, match="nmdm50B: cannot be taken"), lines.taken("nmdm50B"):
            pass
        assert lines.file("nmdm50B").exists()
    assert not lines.file("nmdm50B").exists()


def test_a_listener_never_holds_up_who_writes() -> None:
    from chyves.host.listener import Listener

    master, slave = pty.openpty()
    with Listener(HOST.run, Path(os.ttyname(slave))) as listener:
        for _ in range(100):
            os.write(master, b"x" * 1000)
        heard = b""
        for _ in range(1000):
            heard += listener.text()
            if len(heard) == 100_000:
                break
            time.sleep(0.01)
        assert heard == b"x" * 100_000
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "10.0.0.7   0x1   0x2   58:9c:fc:00:00:01   *   bridge0",
            "? (10.0.0.7) at 58:9c:fc:00:00:01 on bridge0 expires in 1200 seconds [ethernet]",
        ),
        (
            "10.0.0.8   0x1   0x0   00:00:00:00:00:00   *   bridge0",
            "? (10.0.0.8) at (incomplete) on bridge0 [ethernet]",
        ),
    ],
)
def test_arp_of_the_lab(line: str, told: str) -> None:
    assert shown(line) == told
