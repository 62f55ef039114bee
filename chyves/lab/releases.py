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
}


def release(name: str) -> Release:
    """The release of a name; raises ChyvesError for one that no lab plays."""
    try:
        return RELEASES[name]
    except KeyError:
        raise ChyvesError(f"{name}: is no release that a lab plays; take one of {', '.join(RELEASES)}") from None
