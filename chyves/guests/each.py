"""Several guests in one command: one that fails does not keep the next from its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from chyves.cli.tables import Row
from chyves.errors import ChyvesError, Interrupted, SeveralFailed
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding
from chyves.targets import Target, named


def each(
    host: Host, guests: Iterable[GuestHolding], act: Callable[[GuestHolding], None], rest: str = "not begun"
) -> None:
    """Do something to each guest.

    A failure is told at once and the next guest follows; at the end SeveralFailed is raised. With one guest its own
    error is raised; a signal ends it all, and `rest` says of the other guests what they are then.
    """
    found = list(guests)
    if len(found) == 1:
        act(found[0])
        return
    failed: dict[str, ChyvesError] = {}
    for number, guest in enumerate(found):
        try:
            with begun([other.name for other in found[number + 1 :]], rest):
                act(guest)
        except Interrupted:
            raise
        except ChyvesError as error:
            failed[guest.name] = error
            host.terminal.failed(error)
    if failed:
        raise SeveralFailed(f"{len(failed)} of {len(found)} failed: {', '.join(failed)}", list(failed.values()))


def gathered(
    host: Host, guests: Sequence[GuestHolding], rows_of: Callable[[GuestHolding], Iterable[Row]]
) -> tuple[tuple[Row, ...], str]:
    """What each guest tells, and in words which of several did not: of those it was told, and the others followed.

    With one guest its own error is raised.
    """
    rows: list[Row] = []
    try:
        each(host, guests, lambda holding: rows.extend(rows_of(holding)))
    except SeveralFailed as failed:
        return tuple(rows), str(failed)
    return tuple(rows), ""


def concerned(
    host: Host, guests: Iterable[GuestHolding], target: Target, concerns: Callable[[GuestHolding], bool]
) -> list[GuestHolding]:
    """Of the guests of a target those that it names, and those of the others that the command has something to do for.

    What keeps that from being known (a file that cannot be read) is warned of, and does not keep the others.
    """
    found = []
    for guest in guests:
        try:
            if guest.name in named(target) or concerns(guest):
                found.append(guest)
        except ChyvesError as error:
            host.terminal.warn(str(error))
    return found


@contextmanager
def begun(others: Sequence[str], rest: str = "not begun") -> Iterator[None]:
    """Have a signal that ends the work on one guest tell of the others, that they were not begun."""
    try:
        yield
    except Interrupted as error:
        if others:
            error.add_note(f"{rest}: {', '.join(others)}")
        raise
