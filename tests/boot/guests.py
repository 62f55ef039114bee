"""Guests that really boot, as a user of chyves has them: started, talked to on their console, looked at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pexpect

from chyves.lab import create, destroy
from chyves.lab.place import Lab
from chyves.lab.processes import at_work
from tests.boot.conftest import PROMPT
from tests.host_commands import chyves, done, environment

PATIENCE = 180
"""Seconds to wait for what a guest does: many times what it takes on two idle cores under emulation."""

QUIET = 30
"""Seconds without the prompt after which Enter is pressed."""

PAUSE = 0.1
FIRMWARE = "BHYVE_UEFI.fd"


@contextmanager
def made_house(release: str | None = None, machine: str = "amd64") -> Iterator[Lab]:
    """A lab with the datasets of chyves; what still runs at the end is ended, and all of it removed."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top), release, machine=machine)
    lab = Lab.open(top)
    try:
        done(lab, "dataset", lab.pool, "install")
        yield lab
    finally:
        chyves(lab, "all", "stop", "force")
        destroy.destroy(str(top), yes=True)


def wait_until(what: Callable[[], bool], why: str, evidence: Callable[[], str] = str) -> None:
    """Look until something is so; the test fails, with these words and evidence, where that does not come about."""
    for _ in range(int(PATIENCE / PAUSE)):
        if what():
            return
        time.sleep(PAUSE)
    raise AssertionError(f"did not come about: {why}\n{evidence()}")


def make(lab: Lab, guest: str, *properties: str) -> None:
    """Create a guest with a disk of 64 MiB and these properties."""
    done(lab, guest, "create", "64M")
    if properties:
        done(lab, guest, "set", *properties)


def disk(lab: Lab, guest: str) -> Path:
    """The file that is the volume of a guest's first disk."""
    return lab.root / f"dev/zvol/{lab.pool}/chyves/guests/{guest}/disk0"


def fill_disk(lab: Lab, guest: str, content: bytes) -> None:
    """Write from the beginning of a guest's first disk."""
    with disk(lab, guest).open("r+b") as volume:
        volume.write(content)


def directory(lab: Lab, guest: str) -> Path:
    return lab.root / "chyves" / lab.pool / "guests" / guest


def log(lab: Lab, guest: str) -> str:
    """All that is in a guest's log."""
    return "".join(path.read_text() for path in sorted((directory(lab, guest) / "logs").glob("*.log")))


def in_log(lab: Lab, guest: str, *texts: str) -> None:
    """Wait until a guest's log has these texts, in this order."""
    wanted = ".*".join(map(re.escape, texts))
    wait_until(
        lambda: re.search(wanted, log(lab, guest), re.S) is not None,
        f"{texts} in the log of {guest}",
        lambda: log(lab, guest),
    )


def lines_of_bhyve(lab: Lab, guest: str) -> list[str]:
    """The lines with which a guest was started, first to last."""
    return [line for line in log(lab, guest).splitlines() if " - bhyve -" in line]


def listed(lab: Lab, guest: str) -> dict[str, Any]:
    """What `info` tells of a guest."""
    rows = json.loads(done(lab, "info", "-sv", "--json"))["guests"]
    return next(row for row in rows if row["guest"] == guest)


def written_down(lab: Lab, guest: str) -> dict[str, Any]:
    """What the supervisor of a running guest wrote down."""
    found: dict[str, Any] = json.loads((lab.root / f"var/run/chyves/{guest}.json").read_text())
    return found


def qemu_of(bhyve: int) -> int:
    """The process in which a guest of this bhyve really runs."""
    children = Path(f"/proc/{bhyve}/task/{bhyve}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def gone(pid: int) -> bool:
    """Whether a process has ended; one that only waits to be collected has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def off(lab: Lab, guest: str) -> bool:
    """Whether a guest is off: nobody runs it, and nothing of it is left but its datasets."""
    row = listed(lab, guest)
    run = lab.root / "var/run/chyves"
    return (
        row["running"] is None
        and not row["vmm"]
        and not (run / f"{guest}.json").exists()
        and not (run / guest).exists()
        and not set(row["interfaces"]) & taps(lab)
    )


def taps(lab: Lab) -> set[str]:
    """The taps that the host has."""
    told = subprocess.run([lab.bin / "ifconfig", "-g", "tap"], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def is_off(lab: Lab, guest: str, end: str) -> None:
    """Wait until a guest is off, and see that its log says how it ended last and that it is off."""
    wait_until(lambda: log(lab, guest).endswith("is off\n"), f"{guest} is off", lambda: log(lab, guest))
    wait_until(lambda: off(lab, guest), f"nothing of {guest} is left")
    ends = re.findall(r" - (?:\w+: )?(bhyve ended .*|is off|ended; .*)", log(lab, guest))
    assert ends[-2:] == [end, "is off"], log(lab, guest)


def nothing_left(lab: Lab) -> bool:
    """Whether a lab whose guests are all off has no process left, and no VMM and no tap."""
    return not at_work(lab) and not (lab.root / "dev/vmm").exists() and not taps(lab)


class Console:
    """`chyves GUEST console` on a terminal, with somebody who types; or cu(1) on a `line`."""

    def __init__(self, lab: Lab, guest: str, line: str = "") -> None:
        command = [str(lab.bin / "cu"), "-l", line] if line else [sys.executable, "-m", "chyves", guest, "console"]
        self._terminal: pexpect.spawn[str] = pexpect.spawn(
            command[0],
            command[1:],
            env=environment(lab),
            encoding="utf-8",
            codec_errors="replace",
            echo=False,
            timeout=PATIENCE,
        )
        self.sees("Connected")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._terminal.close(force=True)

    def sees(self, text: str) -> str:
        """Wait for a text; what came before it."""
        self._terminal.expect_exact(text)
        return str(self._terminal.before)

    def types(self, keys: str) -> None:
        self._terminal.send(keys)

    def wakes(self, key: str = "x", answer: str = "x") -> None:
        """Type until the guest answers, as that of bootsector/assemble.py, which sends it back, does.

        What it says before anyone listens is lost.
        """
        for _ in range(PATIENCE):
            self.types(key)
            if self._terminal.expect_exact([answer, pexpect.TIMEOUT], timeout=1) == 0:
                return
        raise AssertionError("the guest does not answer")

    def ask(self, command: str) -> str:
        """Type a command at the small system's prompt; what it answers, without the sequences for a terminal."""
        self._terminal.sendline(command)
        self.sees(command)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self._answer()).strip()

    def _answer(self) -> str:
        """What comes before the prompt; Enter is pressed where that does not come for long.

        An emulated guest was once seen to fall silent in the middle of an answer; an interrupt of its serial line that
        is lost does that, and the next key brings the rest.
        """
        for _ in range(PATIENCE // QUIET):
            if self._terminal.expect_exact([PROMPT, pexpect.TIMEOUT], timeout=QUIET) == 0:
                return str(self._terminal.before)
            self._terminal.sendline()
        return self.sees(PROMPT)

    def sees_prompt(self) -> str:
        """Wait for the small system's prompt; what it says it was started from, and by which firmware."""
        self.sees("tiny: started from ")
        told = self.sees("\n").strip()
        self.sees(PROMPT)
        return told

    def leave(self) -> None:
        """Leave as cu(1) has it; the terminal is then as before, and the guest goes on."""
        self._terminal.send("\r~.")
        self.sees("[EOT]")
        self._terminal.expect(pexpect.EOF)
        self._terminal.close()
        assert self._terminal.exitstatus == 0


def started(lab: Lab, guest: str, *medium: str) -> None:
    """Start a guest, and see that it is told to run, with its processes there under their titles."""
    done(lab, guest, "start", *medium)
    pid = listed(lab, guest)["running"]
    assert pid == written_down(lab, guest)["bhyve"]
    title = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0]
    assert title == f"bhyve: chy-{guest}".encode()
    assert os.path.basename(os.readlink(f"/proc/{qemu_of(pid)}/exe")).startswith("qemu-system-")
