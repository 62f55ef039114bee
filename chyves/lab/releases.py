"""What differs between the FreeBSD releases that a lab can play."""

from __future__ import annotations

from typing import NamedTuple

from chyves.errors import ChyvesError


class Release(NamedTuple):
    """A release: `number` to compare, `osreldate` as uname -K tells it, `patched` as freebsd-version tells it."""

    number: tuple[int, int]
    osreldate: int
    patched: str


RELEASES = {
    "11.0": Release((11, 0), 1100122, "11.0-RELEASE-p16"),
    "13.2": Release((13, 2), 1302001, "13.2-RELEASE-p11"),
    "14.3": Release((14, 3), 1403000, "14.3-RELEASE-p2"),
    "15.0": Release((15, 0), 1500068, "15.0-RELEASE"),
    "15.1": Release((15, 1), 1501000, "15.1-RELEASE"),
}


MACHINES = {"amd64": "amd64", "arm64": "aarch64"}
"""The machines that a lab can play (hw.machine), with the architecture of their processors (hw.machine_arch)."""
USUAL = {"amd64": "14.3", "arm64": "15.0"}
"""The release that a lab plays where none is asked for."""
BHYVE_ON_ARM64_SINCE = (15, 0)


def release(name: str) -> Release:
    """The release of a name; raises ChyvesError for one that no lab plays."""
    try:
        return RELEASES[name]
    except KeyError:
        raise ChyvesError(f"{name}: is no release that a lab plays; take one of {', '.join(RELEASES)}") from None


def check_machine(machine: str, name: str) -> None:
    """Raise ChyvesError for a machine that no lab plays, or that has no bhyve in this release."""
    if machine not in MACHINES:
        raise ChyvesError(f"{machine}: is no machine that a lab plays; take one of {', '.join(MACHINES)}")
    if machine == "arm64" and release(name).number < BHYVE_ON_ARM64_SINCE:
        raise ChyvesError(f"{name}: has no bhyve on arm64, which came with FreeBSD 15.0; take --release 15.0 or newer")
