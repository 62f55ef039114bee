"""The program that plays a guest's TPM: it listens before bhyve begins, and has ended when the guest is off."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from chyves.bhyve.tpm import OFF, SWTPM, Emulator, place
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.properties import Guest

PATIENCE = 10
"""Seconds that it is given to end: it writes its state at each command, so that there is nothing it has to do."""


def refuse(host: Host, guest: Guest) -> None:
    """Refuse a TPM that cannot be had now; raises ChyvesError."""
    name, wanted = guest.owner, guest.tpm
    if wanted == SWTPM and not host.run.has(SWTPM):
        raise ChyvesError(f"{name}: tpm: swtpm is not installed; install it with: pkg install swtpm")
    if wanted in (OFF, SWTPM):
        return
    if not host.path(wanted).exists():
        raise ChyvesError(f"{name}: tpm: {wanted} does not exist; load its driver with: kldload tpm, or set tpm=swtpm")
    for other in running.all_supervised(host):
        state = running.read(host, other)
        if other != name and state is not None and state.properties.get("tpm") == wanted:
            raise ChyvesError(f"{name}: tpm: {wanted} is in use by {other}, which runs; stop that first")


def begin(host: Host, name: str, emulator: Emulator | None) -> None:
    """Have a TPM listen for the bhyve that is about to begin; raises ChyvesError with what swtpm said."""
    if emulator is None:
        return
    state = Path(emulator.state)
    if state.is_symlink():
        raise ChyvesError(f"{name}: tpm: {state} is a link; put the directory itself in its place")
    if not host.dry:
        end(host, name)
        host.files.remove(Path(emulator.socket))  # left by one that was killed
    host.files.make_directory(state, 0o700)
    host.files.make_directory(Path(emulator.place), 0o700)
    host.run.do(*emulator.line)


def end(host: Host, name: str) -> None:
    """See to it that nothing plays the TPM of a guest that has no bhyve; raises ChyvesError."""
    own = Path(place(str(running.directory(host, name))))
    if not own.exists():
        return
    for pid in host.processes.find(f"(.*/)?swtpm socket .*path={_pattern(own)}/.*"):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not host.processes.signal(pid, number) or host.dry or host.processes.wait_for_end(pid, PATIENCE):
                break
        else:
            raise ChyvesError(f"{name}: swtpm is process {pid} and cannot be ended; see: procstat -kk {pid}")


def _pattern(path: Path) -> str:
    """A path in an extended regular expression."""
    return re.sub(r"[^A-Za-z0-9/_.-]", "?", str(path)).replace(".", "[.]").replace("?", ".")
