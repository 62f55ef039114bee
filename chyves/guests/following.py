"""Guests that name another in rcboot_after follow it when it gets another name, also when a rename was broken off.

While they are to follow, a further name of the file of its properties tells its old name.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.guests import prepare
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools import together
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest

WAS = ".was-"
"""What the file's name begins with; the old name follows."""


def rename(host: Host, holdings: Holdings, holding: GuestHolding, new: str) -> None:
    """Rename a guest's dataset, with what others say of it; raises ChyvesError, and then all is as it was."""
    old, target = holding.dataset, f"{holding.pool.guests_dataset}/{new}"
    before = _followers(holdings, holding.name)
    mark = holding.file.with_name(f"{WAS}{holding.name}")
    with Undo() as undo:
        prepare.fix(undo, holdings, holding)
        if before:
            undo.do(lambda: host.files.link(holding.file, mark), lambda: host.files.remove(mark), f"remove {mark}")
        undo.do(lambda: host.zfs.rename(old, target), lambda: host.zfs.rename(target, old), f"rename {new}")
        if before:
            undo.do(
                lambda: _follow(holdings, before, holding.name, new),
                lambda: together.write(holdings, [_renamed(guest, holding.name, new) for guest in before], before),
                "restore what comes after it",
            )
            undo.do(lambda: host.files.remove(_moved(holding, mark, new)))


def settle(host: Host, holdings: Holdings) -> None:
    """Have guests follow one whose rename was broken off once it had its new name."""
    for holding in holdings.guests.values():
        with suppress(ChyvesError):  # one without a mountpoint is told when it is used
            for mark in holding.file.parent.glob(f"{WAS}*"):
                old = mark.name.removeprefix(WAS)
                if old != holding.name:
                    _follow(holdings, _followers(holdings, old), old, holding.name)
                    holdings.forget_properties()
                host.files.remove(mark)


def _followers(holdings: Holdings, name: str) -> list[Guest]:
    """The guests that come after a guest, as they are now."""
    everyone = holdings.each_properties(holdings.host.terminal.warn).values()
    return [guest for guest in everyone if name in guest.text.get("rcboot_after", "").split(",")]


def _follow(holdings: Holdings, before: list[Guest], old: str, new: str) -> None:
    together.write(holdings, before, [_renamed(guest, old, new) for guest in before])


def _renamed(guest: Guest, old: str, new: str) -> Guest:
    names = guest.text["rcboot_after"].split(",")
    return guest.with_changes({"rcboot_after": ",".join(new if name == old else name for name in names)})


def _moved(holding: GuestHolding, path: Path, new: str) -> Path:
    """Where a file of a guest is once the guest has its new name."""
    old = holding.mountpoint
    return old.with_name(new) / path.relative_to(old) if old.name == holding.name and path.is_relative_to(old) else path
