"""The kernel of the host: its modules and its sysctls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.run import Runner

TAP = ("if_tap", "if_tuntap")
TUNTAP_SINCE = 1300029
"""The osreldate at which if_tap and if_tun became if_tuntap (kldstat(8) knows only the name of its own release)."""

NO_BHYVE = "this CPU cannot run bhyve, or that is switched off; switch VT-x or AMD-V on in the machine's firmware"
REFUSED = "error occurred while loading module vmm"
"""What kldload(8) says when vmm itself refused to start."""


OBJSET = re.compile(r"kstat\.zfs\.(.+\.objset-0x[0-9a-f]+)\.(dataset_name|nread|nwritten|reads|writes): (.*)")


class Counters(NamedTuple):
    """Bytes, and operations, since the dataset was mounted or its device made."""

    read: int
    written: int
    reads: int
    writes: int


class Kernel:
    """Modules and sysctls, through kldstat(8), kldload(8) and sysctl(8)."""

    def __init__(self, run: Runner) -> None:
        self.run = run
        self._release = 0

    def release(self) -> int:
        """The release of the running kernel as a number (osreldate), such as 1403000."""
        if not self._release:
            answer = self.run.ask("sysctl", "-n", "kern.osreldate").strip()
            if not answer.isdecimal():
                raise ChyvesError(f"sysctl: says that kern.osreldate is {answer!a}; run it by hand and look")
            self._release = int(answer)
        return self._release

    def loaded(self, module: str) -> bool:
        """Whether a module is there and has started, compiled in or loaded."""
        return self._kldstat("-m", self._name(module))

    def load(self, modules: Sequence[str]) -> None:
        """Load those of the modules that are missing.

        `if_tap` and `if_tuntap` are one, asked for by the name that the release has. Raises ChyvesError with what
        kldload said, or where vmm is loaded but cannot work on this machine.
        """
        missing = [self._name(module) for module in modules if not self.loaded(module)]
        if not missing:
            return
        try:
            self.run.do("kldload", "-n", *missing)
        except ProgramFailed as failure:
            said = " ".join(failure.said.split()).rstrip(".")
            dead = REFUSED in said or self._vmm_is_dead(missing)
            advice = NO_BHYVE if dead else "see dmesg(8), and whether it is in /boot/kernel"
            raise ChyvesError(f"{', '.join(missing)}: cannot be loaded: {said}; {advice}") from None
        if not self.run.dry and self._vmm_is_dead(missing):
            raise ChyvesError(f"vmm: is loaded but does not work: {NO_BHYVE}")

    def sysctl(self, *names: str) -> dict[str, str]:
        """The values of sysctls, from one process; one that this kernel has not is left out."""
        found: dict[str, str] = {}
        current = ""
        for line in self.run.ask("sysctl", "-i", *names).splitlines():
            name, colon, value = line.partition(":")
            if colon and name in names:
                current, found[name] = name, value.removeprefix(" ")
            elif current:
                # A value may have several lines.
                found[current] += f"\n{line}"
        return found

    def datasets(self, pools: Sequence[str]) -> dict[str, Counters]:
        """What has been read from and written to each dataset of some pools, from one process.

        Empty for a kernel that does not count it: before OpenZFS 2.0, which came with FreeBSD 13.
        """
        return parse_counters(self.run.ask("sysctl", "-i", *(f"kstat.zfs.{pool}.dataset" for pool in pools)))

    def set_sysctl(self, name: str, value: str) -> None:
        """Set a sysctl until the next start of the host."""
        self.run.do("sysctl", f"{name}={value}")

    def _name(self, module: str) -> str:
        """A module as this release calls it."""
        if module not in TAP:
            return module
        return "if_tap" if self.release() < TUNTAP_SINCE else "if_tuntap"

    def _vmm_is_dead(self, missing: Sequence[str]) -> bool:
        """Whether the file of vmm is loaded without the module: what a CPU that cannot run bhyve looks like."""
        return "vmm" in missing and self._kldstat("-n", "vmm") and not self._kldstat("-m", "vmm")

    def _kldstat(self, option: str, name: str) -> bool:
        status, _ = self.run.probe("kldstat", "-q", option, name)
        return status == 0


def parse_counters(text: str) -> dict[str, Counters]:
    """The counters in lines of sysctl(8), `kstat.zfs.POOL.dataset.objset-0xNUMBER.NAME: VALUE`, by dataset."""
    found: dict[str, dict[str, str]] = {}
    for match in filter(None, map(OBJSET.fullmatch, text.splitlines())):
        found.setdefault(match[1], {})[match[2]] = match[3]
    names = ("nread", "nwritten", "reads", "writes")
    return {
        told["dataset_name"]: Counters(*(int(told.get(name, "0")) for name in names))
        for told in found.values()
        if "dataset_name" in told
    }
