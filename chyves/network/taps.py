"""Carries a plan of interfaces out, and takes a guest's taps down again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.interfaces import Interface, Interfaces
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import taps
from chyves.network.steps import GROUP, Step

Do = Callable[[Interfaces, tuple[str, ...]], None]


def act(interfaces: Interfaces, words: tuple[str, ...]) -> None:
    """Do what a step says, a method of the interfaces and its words; it may say nothing."""
    verb, *rest = words or ("",)
    if verb == "set_mtu":
        interfaces.set_mtu(rest[0], int(rest[1]))
    elif verb:
        getattr(interfaces, verb)(*rest)


def move(interfaces: Interfaces, words: tuple[str, ...]) -> None:
    """Do a step of a change while guests run: a tap that has gone meanwhile, as its guest has ended, needs it no more.

    A guest that ends waits for no lock: its supervisor destroys what it had.
    """
    try:
        act(interfaces, words)
    except ProgramFailed:
        if interfaces.all().keys() >= set(taps(words)):
            raise


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


def carry_out(host: Host, undo: Undo, steps: Iterable[Step], do: Do = act) -> None:
    """Do the steps, each with its way back."""
    for step in steps:
        undo.do(
            lambda step=step: do(host.interfaces, step.act),  # type: ignore[misc]
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
