"""What a guest's supervisor survives: crash loops, full disks, closed terminals, loaders that wait, other versions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from chyves.errors import ChyvesError
from chyves.guests.stop import force_off
from chyves.host.machine import Host
from chyves.host.processes import Processes
from chyves.lab.place import Lab
from tests.host_commands import chyves, done, environment, sentence, start
from tests.torture.house import NEXT, a_house, alive, kill, until

MEMORY = 16 << 10
"""Kilobytes that a supervisor may have resident while its guest runs."""

WAITING_LOADER = """\
#!/bin/sh
while [ "$1" != -c ]; do shift; done
printf 'Consoles: userboot\\r\\n\\033[1mFreeBSD/amd64 User boot\\033[0m\\r\\ncannot find a kernel\\r\\nOK ' > "$2"
echo 'nothing to boot' >&2
exec sleep 1000
"""
"""bhyveload at its prompt, where it waits for ever (bhyveload(8))."""


@pytest.fixture(scope="module")
def the_lab() -> Iterator[Lab]:
    with a_house() as made:
        yield made.lab


@pytest.fixture
def lab(the_lab: Lab) -> Iterator[Lab]:
    """A lab with guest a, which is off and has the properties that it was made with."""
    yield the_lab
    if written(the_lab):
        with contextlib.suppress(ProcessLookupError):
            os.kill(written(the_lab)["supervisor"], signal.SIGCONT)
    chyves(the_lab, "a", "stop", "force")
    done(
        the_lab,
        "a",
        "set",
        "on_crash=stop",
        "on_reboot=restart",
        "on_poweroff=stop",
        "loader_timeout=0",
        "console_log=no",
    )


def written(lab: Lab) -> dict[str, Any]:
    """What is written down of guest a, as far as it is."""
    try:
        found: dict[str, Any] = json.loads((lab.root / "var/run/chyves/a.json").read_text())
    except FileNotFoundError:
        return {}
    return found


def row(lab: Lab) -> dict[str, Any]:
    """What `list` tells of guest a to programs."""
    found: dict[str, Any] = json.loads(done(lab, "list", "--json"))["guests"][0]
    return found


def shown(lab: Lab) -> str:
    """What `list` tells people of whether guest a runs."""
    return done(lab, "list", "-H").splitlines()[0].split("\t")[3]


def log(lab: Lab) -> str:
    return "".join(path.read_text() for path in sorted((lab.root / "chyves/zroot/guests/a/logs").glob("2*.log")))


def end(lab: Lab, how: str) -> None:
    subprocess.run([lab.bin / "bhyvectl", "--vm=chy-a", f"--force-{how}"], check=True)


def off(lab: Lab) -> bool:
    return not written(lab) and not (lab.root / "dev/vmm/chy-a").exists()


def up_again(lab: Lab, before: int) -> None:
    until(lambda: written(lab).get("bhyve") not in (None, before))


def watched(lab: Lab) -> dict[str, Any]:
    """What is written down of guest a once it is up, and its supervisor sleeps."""
    until(lambda: bool(written(lab).get("bhyve")) and b"guests.watch" in _line(written(lab)["supervisor"]))
    return written(lab)


def _line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def crash(lab: Lab) -> None:
    """Have the bhyve of guest a abort, as where an instruction cannot be emulated."""
    os.kill(watched(lab)["bhyve"], signal.SIGABRT)


def test_complaint_2_a_crash_loop_is_followed_and_ended_at_once(lab: Lab) -> None:
    before = len(log(lab))
    done(lab, "a", "set", "on_crash=restart")
    done(lab, "a", "start")
    for number in (1, 2):
        crash(lab)
        until(lambda number=number: len(written(lab).get("crashes", ())) == number)  # type: ignore[misc]
    until(lambda: written(lab)["again"] is not None)
    state = written(lab)
    os.kill(state["supervisor"], signal.SIGSTOP)  # so that all this is seen within the two seconds
    told = "crashed (signal 6), crash 2 of 5"
    assert re.fullmatch(rf"NO, {re.escape(told)}; boots again in \d s", shown(lab))
    assert {"state": "restarting", "crash": told, "running": None, "vmm": False}.items() <= row(lab).items()
    assert json.loads(chyves(lab, "a", "status", "--json").stdout)["guests"][0]["running"] is None
    refusal = sentence(lab, "a", "start")
    assert re.fullmatch(rf"a: {re.escape(told)}; boots again in \d s; end that first with: chyves a stop", refusal)
    stopping = start(lab, "a", "stop")
    until(lambda: log(lab).endswith("stopping\n"))
    os.kill(state["supervisor"], signal.SIGCONT)
    stopping.communicate(timeout=120)
    assert stopping.returncode == 0 and off(lab)
    said = log(lab)[before:]
    assert re.findall(r"is booted again in (\d) s \(crash (\d) of 5\)", said) == [("1", "1"), ("2", "2")]
    assert said.count("bhyve ended with status -6: signal 6") == said.count(" - bhyve -A") == 2


def test_a_guest_that_crashed_is_off_and_said_to_have(lab: Lab) -> None:
    done(lab, "a", "start")
    crash(lab)
    until(lambda: off(lab))
    assert shown(lab) == "NO, crashed (signal 6)"
    assert {"state": "crashed", "crash": "crashed (signal 6)", "running": None}.items() <= row(lab).items()
    done(lab, "a", "start")
    assert (row(lab)["state"], row(lab)["crash"]) == ("running", None)
    done(lab, "a", "stop")
    assert (row(lab)["state"], shown(lab)) == ("off", "NO")


def test_a_guest_that_crashed_is_kept_for_a_look(lab: Lab) -> None:
    done(lab, "a", "set", "on_crash=keep")
    done(lab, "a", "start")
    crash(lab)
    until(lambda: row(lab)["state"] == "kept")
    assert shown(lab) == "NO, crashed (signal 6), kept"
    assert (lab.root / "dev/vmm/chy-a").exists()
    assert sentence(lab, "a", "start") == "a: crashed (signal 6), kept; end that first with: chyves a stop"
    done(lab, "a", "stop")
    assert off(lab)


def test_a_reboot_may_be_the_end_and_a_power_off_the_beginning(lab: Lab) -> None:
    done(lab, "a", "set", "on_reboot=stop", "on_poweroff=restart")
    done(lab, "a", "start")
    first = written(lab)["bhyve"]
    end(lab, "poweroff")
    up_again(lab, first)
    assert "on_poweroff=restart: it is booted again in 1 s" in log(lab)
    watched(lab)
    end(lab, "reset")
    until(lambda: off(lab))
    assert "on_reboot=stop: it stays off after its reboot" in log(lab)
    done(lab, "a", "start")
    done(lab, "a", "stop")
    assert off(lab) and row(lab)["state"] == "off"


def test_complaint_12_a_loader_that_waits_for_ever_is_ended_and_its_console_told(lab: Lab) -> None:
    own = (lab.bin / "bhyveload").read_text()
    done(lab, "a", "set", "loader_timeout=4")
    try:
        (lab.bin / "bhyveload").write_text(WAITING_LOADER)
        told = sentence(lab, "a", "start")
    finally:
        (lab.bin / "bhyveload").write_text(own)
    showed = "Consoles: userboot / FreeBSD/amd64 User boot / cannot find a kernel / OK"
    assert told == (
        "a: bhyveload still waited after 4 s (loader_timeout) and was ended; it said: nothing to boot; "
        f"its console showed: {showed}"
    )
    assert f"failed: {told}" in log(lab)
    assert off(lab)
    done(lab, "a", "start")  # by the loader that it has now, on a console of its own for as long as that takes


def test_a_guest_outlives_the_terminal_it_was_started_from(lab: Lab) -> None:
    words = ["-m", "chyves", "a", "start"]
    terminal: pexpect.spawn[str] = pexpect.spawn(
        sys.executable, words, env=environment(lab), encoding="utf-8", timeout=120
    )
    terminal.expect_exact("a: is up")
    terminal.close(force=True)
    first = written(lab)["bhyve"]
    end(lab, "reset")
    up_again(lab, first)
    assert row(lab)["state"] in ("starting", "running")


def test_a_full_disk_for_logs_stops_no_guest(lab: Lab) -> None:
    """The files of the logs, and of the console's, are as large as this process and its children may make them."""
    done(lab, "a", "set", "console_log=yes", "console_log_size=1G")
    limit = 4 << 20
    logs = [next((lab.root / f"chyves/zroot/{place}logs").glob("2*.log")) for place in ("", "guests/a/")]
    console = lab.root / "chyves/zroot/guests/a/logs/console.log"
    before = [path.read_bytes() for path in logs]
    for path in (*logs, console):
        with path.open("ab") as file:
            file.truncate(limit)
    try:
        lines = [sys.executable, "-m", "chyves", "a", "start"]
        begun = subprocess.run(
            lines,
            env=environment(lab),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        assert begun.returncode == 0, begun.stderr
        assert begun.stderr.count("the log cannot be written: File too large; see to that") == 1
        first = written(lab)["bhyve"]
        end(lab, "reset")
        up_again(lab, first)
        done(lab, "list")
    finally:
        for path, text in zip(logs, before, strict=True):
            path.write_bytes(text)
        console.unlink()
    done(lab, "a", "stop")
    assert off(lab)


def powerless(lab: Lab, bhyve: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process work on the lab, and a bhyve that sleeps in the kernel, where no signal reaches it.

    A stopped one, and a SIGKILL that is not sent, stand for that.
    """
    os.kill(bhyve, signal.SIGSTOP)
    send = Processes.signal

    def sent(processes: Processes, pid: int, number: int) -> bool:
        return True if (pid, number) == (bhyve, signal.SIGKILL) else send(processes, pid, number)

    monkeypatch.setattr(Processes, "signal", sent)
    for name, value in environment(lab).items():
        monkeypatch.setenv(name, value)


def test_what_cannot_be_killed_is_not_said_to_be_free(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    done(lab, "a", "start")
    state = watched(lab)
    powerless(lab, state["bhyve"], monkeypatch)
    with pytest.raises(
        ChyvesError, match=f"^a: bhyve, process {state['bhyve']}, cannot be killed; what it holds stays"
    ):
        force_off(Host.open(os.environ), "a", 0.2)
    assert alive(state["supervisor"]) and written(lab)["taps"] == ["tap50"]
    assert (lab.root / "dev/vmm/chy-a").exists()
    done(lab, "a", "stop", "force")
    assert off(lab) and not alive(state["bhyve"])


def test_what_cannot_be_killed_and_has_no_supervisor_is_not_said_to_be_free(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(lab, "a", "start")
    state = watched(lab)
    kill(state["supervisor"])
    powerless(lab, state["bhyve"], monkeypatch)
    with pytest.raises(ChyvesError, match=f"^a: process {state['bhyve']} cannot be killed; what it holds stays"):
        force_off(Host.open(os.environ), "a", 0.2)
    assert written(lab)["taps"] == ["tap50"] and (lab.root / "dev/vmm/chy-a").exists()
    done(lab, "a", "stop", "force")
    assert off(lab) and not alive(state["bhyve"])


def recorded(lab: Lab, name: str) -> str:
    """What a supervisor of another version has written down, with the processes and places of the guest as it is."""
    now = written(lab)
    text = (Path(__file__).parents[1] / "data/run" / name).read_text()
    facts = {"SUPERVISOR": now["supervisor"], "BHYVE": now["bhyve"], "IDENTITY": now["identity"], "LAB": lab.root}
    for word, value in facts.items():
        text = text.replace(word, str(value))
    return text


@pytest.mark.parametrize("name", ["0.3.0-first.json", "0.3.0.json", "later.json"])
def test_a_guest_of_another_version_is_looked_after(lab: Lab, name: str) -> None:
    """While its supervisor lives, and once that has died: signals are the same, what is not known is passed over."""
    file = lab.root / "var/run/chyves/a.json"
    done(lab, "a", "start")
    file.write_text(recorded(lab, name))
    assert (row(lab)["state"], row(lab)["running"]) == ("running", written(lab)["bhyve"])
    first = written(lab)
    end(lab, "reset")  # which its supervisor follows, whatever it finds written down
    up_again(lab, first["bhyve"])
    watched(lab)
    file.write_text(recorded(lab, name))
    kill(first["supervisor"])
    assert "a: its supervisor had died; a new one looks after it" in chyves(lab, *NEXT).stderr
    assert written(lab)["supervisor"] != first["supervisor"] and written(lab)["format"] == 2
    done(lab, "a", "stop")
    assert off(lab)


def test_a_reboot_is_followed_once_the_pools_can_be_read_again(lab: Lab) -> None:
    done(lab, "a", "start")
    first = watched(lab)
    own, tried = (lab.bin / "zfs").read_text(), lab.state / "tried"
    try:
        (lab.bin / "zfs").write_text(f"#!/bin/sh\necho >> {tried}\necho 'internal error: out of memory' >&2\nexit 1\n")
        end(lab, "reset")
        until(lambda: tried.exists() and len(tried.read_text()) > 1)
    finally:
        (lab.bin / "zfs").write_text(own)
    up_again(lab, first["bhyve"])
    assert watched(lab)["supervisor"] == first["supervisor"]


def wakeups(pid: int) -> int:
    """How often the threads of a process have given up a processor of their own will."""
    texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(int(count) for text in texts for count in re.findall(r"(?m)^voluntary_ctxt_switches:\t(\d+)$", text))


def resident(pid: int) -> int:
    """The resident memory of a process, in kilobytes."""
    return int(re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0])


@pytest.mark.parametrize("console_log", ["no", "yes"])
def test_a_supervisor_is_small_and_sleeps(lab: Lab, console_log: str) -> None:
    done(lab, "a", "set", f"console_log={console_log}")
    done(lab, "a", "start")
    first = watched(lab)["supervisor"]
    _sleeps(first)
    kill(first)
    done(lab, *NEXT)
    _sleeps(watched(lab)["supervisor"])  # which has adopted it


def _sleeps(pid: int) -> None:
    """Nothing wakes it: once it has come to rest, its count of wake-ups stands still."""
    counts = [-1, -2]
    while counts[-1] != counts[-2]:
        assert len(counts) < 60, counts
        time.sleep(1)
        counts.append(wakeups(pid))
    time.sleep(1.5)
    assert wakeups(pid) == counts[-1]
    assert resident(pid) < MEMORY
