"""The TPM of a guest: one of the host, or one that swtpm(8) plays, whose state lies in the guest's dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chyves.bhyve import bargs
from chyves.bhyve.facts import Facts
from chyves.bhyve.ports import LONGEST_SOCKET
from chyves.errors import ChyvesError
from chyves.properties import Guest

OFF, SWTPM = "off", "swtpm"
SINCE, SWTPM_SINCE, ALWAYS_ACPI_SINCE = 1400000, 1401000, 1500000
"""kern.osreldate from which bhyve has a TPM (for one without a list that tells), talks to swtpm, and makes its ACPI
tables without being told (freebsd.md 0, 1.2)."""


@dataclass(frozen=True)
class Emulator:
    """An swtpm that listens before bhyve begins: its state's directory, its socket and that's directory, its line.

    It becomes a process of its own once it listens, and ends by itself when bhyve has gone.
    """

    state: str
    place: str
    socket: str
    line: tuple[str, ...]

    @property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """What is run before each boot, in a shell."""
        return (("mkdir", "-p", "-m", "700", self.state), ("mkdir", "-p", "-m", "700", self.place), self.line)


def words(guest: Guest, facts: Facts) -> tuple[str, ...]:
    """The words of bhyve for the guest's TPM, if it has one."""
    if guest.tpm == OFF:
        return ()
    backend = f"swtpm,{_socket(facts)}" if guest.tpm == SWTPM else f"passthru,{guest.tpm}"
    return "-l", f"tpm,{backend},version=2.0"


def emulator(guest: Guest, facts: Facts) -> Emulator | None:
    """What plays the guest's TPM, for one boot: the next one finds a TPM that was reset, with its state."""
    if guest.tpm != SWTPM:
        return None
    state = f"{facts.directory}/.tpm"
    line = (
        *("swtpm", "socket", "--tpm2"),
        *("--tpmstate", f"dir={state},mode=0600"),
        *("--server", f"type=unixio,path={_socket(facts)},mode=0600"),
        *("--flags", "not-need-init,startup-clear"),
        *("--terminate", "--daemon"),
    )
    return Emulator(state, place(facts.scratch), _socket(facts), line)


def place(scratch: str) -> str:
    """Where the socket is, below the directory of a running guest."""
    return f"{scratch}/tpm"


def _socket(facts: Facts) -> str:
    return f"{place(facts.scratch)}/sock"


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for a TPM that this host's bhyve has not, or that the guest would not see."""
    if guest.tpm == OFF:
        return
    options = bargs.bhyve_options(guest)
    known = facts.host.lpc
    if "tpm" not in known if known else facts.host.release < SINCE:
        reason = "the bhyve of this host has no TPM, that of FreeBSD 14.0 does; set tpm=off"
    elif guest.tpm == SWTPM and facts.host.release < SWTPM_SINCE:
        reason = "the bhyve of this host does not talk to swtpm, that of FreeBSD 14.1 does; set tpm=off"
    elif any(option == "-l" and value.lower().startswith("tpm,") for option, value in options):
        reason = "bargs has -l tpm too; take that out"
    elif facts.host.release < ALWAYS_ACPI_SINCE and "-A" not in dict(options):
        reason = "a guest finds its TPM by ACPI tables, which bargs leaves out; add -A there"
    elif guest.tpm == SWTPM and len(_socket(facts).encode()) > LONGEST_SOCKET:
        reason = f"{_socket(facts)} is longer than {LONGEST_SOCKET} bytes, which no socket's path is; rename the guest"
    elif guest.tpm == SWTPM and re.search(r"[\s,%]", facts.directory):
        reason = f"{facts.directory!a} has a comma, a blank or a percent sign in it, which swtpm cannot take; rename it"
    else:
        return
    raise ChyvesError(f"{facts.name}: tpm: {reason}")
