"""What guests that run, or are being started, have for themselves: disks and serial lines."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host


class Held:
    """Who has a disk or a serial line: looked up, without a look through all that run. Raises ChyvesError."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._holders: dict[Hashable, list[str]] = {}
        for name in running.recorded(host):
            state = running.read(host, name)
            if state is not None:
                self.add(name, state.disks, state.pairs)

    def add(self, name: str, disks: Iterable[str], pairs: Iterable[str]) -> None:
        """Note what a guest has from now on."""
        for what in _all(disks, pairs):
            self._holders.setdefault(what, []).append(name)

    def refuse(self, name: str, disks: Sequence[str], pairs: Mapping[str, str]) -> None:
        """Refuse a disk that the guest would have twice, and what another has that runs or is being started.

        `pairs` are null-modem pairs, by the property that names each.
        """
        _refuse_twice(name, disks)
        for disk in disks:
            if other := self._other(name, _identity(disk)):
                raise ChyvesError(f"{name}: {disk} is in use by {other}, which runs; stop that first")
        for property, pair in pairs.items():
            if other := self._other(name, ("pair", pair)):
                raise ChyvesError(f"{name}: {property}: {pair} is in use by {other}, which runs; set another")

    def _other(self, name: str, what: Hashable) -> str | None:
        """Another guest that has something still."""
        for other in self._holders.get(what, ()):
            state = running.read(self._host, other) if other != name else None
            if state is None or what not in _all(state.disks, state.pairs):
                continue
            if running.supervisor(self._host, other) or self._host.locks.holder(f"guest.{other}"):
                return other
        return None


def _refuse_twice(name: str, disks: Iterable[str]) -> None:
    found: dict[Hashable, str] = {}
    for disk in disks:
        identity = _identity(disk)
        if identity in found:
            raise ChyvesError(f"{name}: {disk} is the same disk as {found[identity]}; take one of them away")
        found[identity] = disk


def _all(disks: Iterable[str], pairs: Iterable[str]) -> set[Hashable]:
    return {*map(_identity, disks), *(("pair", pair) for pair in pairs)}


def _identity(disk: str) -> Hashable:
    """What all names of a disk have in common: some are links to it."""
    try:
        found = os.stat(disk)
    except OSError:
        return disk
    return found.st_dev, found.st_ino
