"""Show the life of a real guest: a lab, a pool, an ISO, a firmware, a boot, its console, a reboot, a stop by ACPI.

Everything is made in a directory of its own and taken away at the end. Started by `make demo`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pexpect

HERE = Path(__file__).resolve().parent
CHYVES = Path(sys.executable).parent / "chyves"
GUEST, POOL, ISO, FIRMWARE = "demo1", "zroot", "tiny.iso", "BHYVE_UEFI.fd"
PROMPT = "tiny# "
PATIENCE = 120
"""Seconds to wait for a guest: many times what it takes on two cores under emulation."""


class Failed(Exception):
    """A step did not end as it should; carries what was seen."""


class Stage:
    """A lab, the commands that are typed in it, and one guest's console."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.lab = top / "lab"
        self.system = Path()
        self.console: pexpect.spawn[str] | None = None
        self.transcript: TextIO = (top / "console").open("w+")

    def run(self, *argv: str | Path, shown: str = "") -> str:
        """Run a command that should succeed, show it and what it said, and return that."""
        print(f"      $ {shown or shlex.join(map(str, argv))}")
        # Into a file: the supervisor of a guest would hold a pipe open.
        with tempfile.TemporaryFile("w+") as said:
            environment = os.environ | {"CHYVES_LAB": str(self.lab)}
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment)
            said.seek(0)
            text = said.read()
        show(text)
        if done.returncode:
            raise Failed(f"it ended with status {done.returncode}")
        return text

    def chyves(self, *words: str | Path) -> str:
        """Run a chyves command."""
        return self.run(CHYVES, *words, shown=shlex.join(("chyves", *map(str, words))))

    def path(self, path: str) -> Path:
        """Where a path of the lab's host is on this machine."""
        return self.lab / "root" / path.lstrip("/")

    def expect(self, pattern: str) -> str:
        """Wait for a text on the console, and return what came before it."""
        assert self.console
        try:
            self.console.expect(pattern, timeout=PATIENCE)
        except (pexpect.EOF, pexpect.TIMEOUT) as problem:
            what = "the console ended" if isinstance(problem, pexpect.EOF) else f"{PATIENCE} seconds were not enough"
            raise Failed(f"{what} waiting for {pattern!r}") from None
        return plain(self.console.before or "")

    def ask(self, command: str) -> str:
        """Type a command in the guest, and return what it answered."""
        assert self.console
        print(f"      {PROMPT}{command}")
        self.console.sendline(command)
        return self.expect(re.escape(PROMPT)).partition(command)[2].strip()


def plain(text: str) -> str:
    """What a console said, without the sequences that a terminal heeds."""
    return re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|[\r\x00\x07\x0f]", "", text)


def show(text: str) -> None:
    for line in text.splitlines():
        print(f"        {line}")


def build_system(stage: Stage) -> None:
    """Build a small real system from Debian's packages"""
    built = subprocess.run([HERE / "system" / "build"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        raise Failed("what it said is above")
    stage.system = Path(built.stdout.strip())
    show("\n".join(f"{file.name:10} {file.stat().st_size >> 20:4} MiB" for file in sorted(stage.system.iterdir())))


def make_lab(stage: Stage) -> None:
    """Make a lab: a FreeBSD host in a directory"""
    stage.chyves("lab", "create", stage.lab)


def install_pool(stage: Stage) -> None:
    """Install the datasets of chyves on its pool"""
    stage.chyves("dataset", POOL, "install")


def import_media(stage: Stage) -> None:
    """Import the firmware and the ISO"""
    stage.chyves("firmware", "import", stage.path(f"/usr/local/share/uefi-firmware/{FIRMWARE}"))
    stage.chyves("iso", "import", stage.system / ISO)


def create_guest(stage: Stage) -> None:
    """Create a UEFI guest"""
    stage.chyves(GUEST, "create", "64M")
    stage.chyves(GUEST, "set", "loader=uefi", f"uefi_firmware={FIRMWARE}", "ram=256M", "description=a real guest")


def fill_disk(stage: Stage) -> None:
    """Put the same system on its disk, as an installer would"""
    disk = stage.path(f"/dev/zvol/{POOL}/chyves/guests/{GUEST}/disk0")
    stage.run("dd", f"if={stage.system}/tiny.img", f"of={disk}", "bs=1M", "conv=notrunc", "status=none")


def start_guest(stage: Stage) -> None:
    """Start it from the ISO, and wait for the prompt on its serial console"""
    stage.chyves(GUEST, "start", ISO)
    print(f"      $ chyves {GUEST} console")
    stage.console = pexpect.spawn(
        str(CHYVES), [GUEST, "console"], env=os.environ | {"CHYVES_LAB": str(stage.lab)},
        encoding="utf-8", codec_errors="replace", echo=False,
    )  # fmt: skip
    stage.console.logfile_read = stage.transcript
    show(came_up(stage))


def came_up(stage: Stage) -> str:
    """The line in which the guest says what it was started from, once it has given its prompt."""
    stage.expect("tiny: started from ")
    line = f"tiny: started from {stage.expect(re.escape(PROMPT))}"
    return line.partition("\n")[0].strip()


def use_console(stage: Stage) -> None:
    """Run a program in the guest through the console"""
    answer = stage.ask("uname -a")
    show(answer)
    if not answer.startswith("Linux tiny "):
        raise Failed("that is not what the guest is")


def list_guests(stage: Stage) -> None:
    """List the guests"""
    if GUEST not in stage.chyves("list"):
        raise Failed(f"{GUEST} is not in it")


def reboot_guest(stage: Stage) -> None:
    """Reboot it from inside: chyves takes the ISO out, and it comes back from its disk"""
    assert stage.console
    print(f"      {PROMPT}reboot")
    stage.console.sendline("reboot")
    line = came_up(stage)
    show(line)
    if "from disk" not in line:
        raise Failed("that is not its disk")


def stop_guest(stage: Stage) -> None:
    """Stop it by the ACPI power button"""
    stage.chyves(GUEST, "stop")
    listing = stage.chyves("info", "-s")
    if "YES (" in listing:
        raise Failed(f"{GUEST} is not off")


STEPS: tuple[Callable[[Stage], None], ...] = (
    build_system,
    make_lab,
    install_pool,
    import_media,
    create_guest,
    fill_disk,
    start_guest,
    use_console,
    list_guests,
    reboot_guest,
    stop_guest,
)


def explain(stage: Stage, step: str, problem: Failed) -> None:
    """Say which step failed and why, with the end of the guest's console and its logs."""
    print(f"\ndemo: failed: {step}: {problem}", file=sys.stderr)
    stage.transcript.flush()
    logs = stage.path(f"/chyves/{POOL}/guests/{GUEST}/logs")
    for file in (stage.top / "console", *sorted(logs.glob("*"))):
        lines = plain(file.read_text(errors="replace")).strip().splitlines() if file.is_file() else []
        if lines:
            print(f"\nthe end of {file.name}:", *lines[-40:], sep="\n  ", file=sys.stderr)


@contextmanager
def made_stage() -> Iterator[Stage]:
    """A stage in a directory of its own, taken down at the end whatever happened."""
    top = Path(tempfile.mkdtemp(prefix="chyves-demo-"))
    stage = Stage(top)
    try:
        yield stage
    finally:
        if stage.console:
            stage.console.close(force=True)
        stage.transcript.close()
        if stage.lab.exists():
            subprocess.run([CHYVES, "lab", "destroy", stage.lab, "--yes"], stdout=subprocess.DEVNULL)
        shutil.rmtree(top, ignore_errors=True)


def main() -> int:
    """Play the steps in order; the status is 0 when all went as they should."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    began = time.monotonic()
    with made_stage() as stage:
        for number, step in enumerate(STEPS, 1):
            print(f"\n[{number:2}/{len(STEPS)}] {step.__doc__}")
            started = time.monotonic()
            try:
                step(stage)
            except Failed as problem:
                explain(stage, str(step.__doc__), problem)
                return 1
            print(f"      done in {time.monotonic() - started:.1f} s")
    print(f"\nA real guest was created, booted, used, rebooted and stopped in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
