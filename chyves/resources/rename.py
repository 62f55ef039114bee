"""Renaming an ISO image or a firmware: its dataset, the file in it, and what guests say of it.

The file has both names while the dataset gets its new one, so that a whole resource is there at every moment; a third
name tells what a rename that was broken off began with, by which leftovers settles it.
"""

from __future__ import annotations

import os
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.guests import leftovers as guests_leftovers
from chyves.guests import running
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools import together
from chyves.pools.holdings import NULL_ISO, RESOURCES, Holdings, PoolHolding
from chyves.resources import leftovers
from chyves.resources.leftovers import FROM, firmware_changes


def rename(host: Host, kind: str, name: str, new: str) -> None:
    """Give an image (`iso`) or a firmware (`firmware`) another name, which the guests that boot with it follow.

    Raises ChyvesError where there is none, the name is taken, or a running guest has it.
    """
    with host.locks.hold("all"), leftovers.changing(host, kind, name), leftovers.changing(host, kind, new):
        holdings = guests_leftovers.settled(host)
        _refuse(holdings, kind, name, new)
        _refuse_running(host, holdings, kind, name)
        _Rename(host, holdings, _home(holdings, kind, name), kind, name, new).run()
    if not host.dry:
        host.terminal.say(1, f"{name}: is now {new}")


def _home(holdings: Holdings, kind: str, name: str) -> PoolHolding:
    """The pool that a resource is on; raises ChyvesError where there is none of the name."""
    holdings.resource(kind, name)
    pool, _ = holdings.stored(kind)[name]
    if f"{pool.dataset}/{RESOURCES[kind]}/{name}" in pool.rows:
        return pool
    raise ChyvesError(f"{name}: is no dataset of its own, but a file only; import it again")


def _refuse(holdings: Holdings, kind: str, name: str, new: str) -> None:
    if NULL_ISO in (name, new):
        raise ChyvesError(f"{NULL_ISO}: is the empty medium that chyves needs for UEFI guests; leave it")
    if name == new:
        raise ChyvesError(f"{name}: is its name already; give another")
    taken = any(f"{pool.dataset}/{RESOURCES[kind]}/{new}" in pool.rows for pool in holdings.pools.values())
    if name in holdings.resources(kind) and taken:
        raise ChyvesError(f"{new}: there is such a resource already; choose another name")


def _refuse_running(host: Host, holdings: Holdings, kind: str, name: str) -> None:
    """Refuse what a running guest has open, or looks for at its next reboot."""
    file = str(holdings.resource(kind, name))
    for guest in running.all_supervised(host):
        state = running.read(host, guest)
        firmware = guest in holdings.guests and holdings.guest(guest).properties.uefi_firmware
        if (state and kind == "iso" and state.medium in (file, name)) or (kind == "firmware" and firmware == name):
            raise ChyvesError(f"{name}: {guest} runs with it; stop that first")


class _Rename:
    """One rename, step by step."""

    def __init__(self, host: Host, holdings: Holdings, pool: PoolHolding, kind: str, name: str, new: str) -> None:
        self.host, self.holdings, self.kind, self.name, self.new = host, holdings, kind, name, new
        self.parent = f"{pool.dataset}/{RESOURCES[kind]}"
        self.old_place = holdings.resource(kind, name).parent
        self.new_place = self._moved(self.old_place)

    def _moved(self, place: Path) -> Path:
        """Where the dataset's files are under its new name, unless it has a mountpoint of its own."""
        return place.with_name(self.new) if place.name == self.name else place

    def run(self) -> None:
        """Two names for the file, one for the dataset, the guests' properties, one name for the file."""
        files, old, new = self.host.files, self.old_place, self.new_place
        before = firmware_changes(self.holdings, self.name) if self.kind == "firmware" else []
        after = [section.with_changes({"uefi_firmware": self.new}) for section in before]
        with Undo() as undo:
            for link in (f"{FROM}{self.name}", self.new):
                undo.do(
                    lambda link=link: files.link(old / self.name, old / link),  # type: ignore[misc]
                    lambda link=link: files.remove(old / link),  # type: ignore[misc]
                    f"remove {old / link}",
                )
            undo.do(
                lambda: self.host.zfs.rename(f"{self.parent}/{self.name}", f"{self.parent}/{self.new}"),
                lambda: self.host.zfs.rename(f"{self.parent}/{self.new}", f"{self.parent}/{self.name}"),
                f"rename {self.new}",
            )
            undo.do(
                lambda: together.write(self.holdings, before, after),
                lambda: together.write(self.holdings, after, before),
                "restore what guests boot with",
            )
            undo.do(
                lambda: files.remove(new / self.name),
                lambda: os.link(new / self.new, new / self.name),
                f"bring {new / self.name} back",
            )
            undo.do(lambda: files.remove(new / f"{FROM}{self.name}"))
            self.host.events.note("image_renamed", kind=self.kind, image=self.name, new=self.new)
