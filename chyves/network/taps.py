"""Carries a plan of interfaces out, and takes a guest's taps down again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chyves.errors import ChyvesError
from chyves.host.interfaces import Interface, Interfaces
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import GROUP, Step, taps


def act(interfaces: Interfaces, words: tuple[str, ...]) -> None:
    """Do what a step says, which may be nothing."""
    verb, *rest = words or ("",)
    match verb:
        case "":
            pass
        case "create":
            interfaces.create(*rest)
        case "destroy":
            interfaces.destroy(*rest)
        case "join":
            interfaces.join(*rest)
        case "leave":
            interfaces.leave(*rest)
        case "up":
            interfaces.up(*rest)
        case "set_mtu":
            interfaces.set_mtu(rest[0], int(rest[1]))
        case _:
            raise ValueError(verb)


def _take_back(interfaces: Interfaces, words: tuple[str, ...]) -> None:
    """Take a step back, unless somebody (a supervisor that failed) has done so already."""
    if not words:
        return
    verb, name, *rest = words
    existing = interfaces.all()
    there = existing.get(name)
    needed = {
        "create": there is None,
        "destroy": there is not None and GROUP in there.groups,
        "join": there is not None and rest[:1] != [] and rest[0] in existing and rest[0] not in there.members,
        "leave": there is not None and rest[:1] != [] and rest[0] in there.members,
    }
    if needed.get(verb, there is not None):
        act(interfaces, words)


def carry_out(host: Host, undo: Undo, steps: Iterable[Step]) -> None:
    """Do the steps, each with its way back."""
    for step in steps:
        undo.do(
            lambda step=step: act(host.interfaces, step.act),  # type: ignore[misc]
            lambda step=step: _take_back(host.interfaces, step.back),  # type: ignore[misc]
            " ".join(step.back) or "go back",
        )


def left_over(existing: Mapping[str, Interface], interfaces: Iterable[str]) -> list[str]:
    """The taps of a guest that does not run which chyves has made, and nobody has open."""
    there = [tap for tap in taps(interfaces) if tap in existing and GROUP in existing[tap].groups]
    return [tap for tap in there if existing[tap].opened_by is None]


def take_down(host: Host, made: Iterable[str]) -> None:
    """Destroy the taps of a guest that has ended, those that are still there; raises ChyvesError, after all of them.

    One that is not in the group of chyves is somebody else's by now, and is left alone.
    """
    made = list(made)
    existing = host.interfaces.all() if made else {}
    problems = []
    for tap in made:
        if tap not in existing or GROUP not in existing[tap].groups:
            continue
        try:
            if existing[tap].opened_by is not None and not host.dry:
                raise ChyvesError(f"{tap}: is in use by process {existing[tap].opened_by}; end that")
            host.interfaces.destroy(tap)
        except ChyvesError as error:
            problems.append(str(error))
    if problems:
        raise ChyvesError("; ".join(problems))
