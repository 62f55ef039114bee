"""Destroy the VMM of a guest that does not run, and free what it held."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

from chyves import names
from chyves.errors import ChyvesError
from chyves.guests import hooks, running, tpm
from chyves.guests.each import each
from chyves.host.interfaces import Interface
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.taps import left_over, take_down
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.targets import Target

PATIENCE = 10
"""Seconds that a killed process is given to be gone."""

UNKILLABLE = "cannot be killed; what it holds stays taken until the kernel lets it end; see: procstat -kk {}"
"""What is said of a process that sleeps in the kernel, where no signal reaches it."""


def reclaim(host: Host, guest: Target) -> None:
    """Free what guests that do not run have left in the kernel; refuses one that runs."""
    existing = cache(host.interfaces.all)
    each(host, Holdings.read(host).find(guest), lambda holding: _reclaim(host, holding, existing))


def _reclaim(host: Host, holding: GuestHolding, existing: Callable[[], Mapping[str, Interface]]) -> None:
    name = holding.name
    with host.locks.hold(f"guest.{name}"):
        state = running.read(host, name)
        if running.supervisor(host, name) is not None or (state and running.bhyve_lives(host, name, state)):
            raise ChyvesError(f"{name}: runs; stop it first: chyves {name} stop")
        there = running.vmm(host, name)
        if state is None and not there and not _left_taps(holding, existing):
            host.terminal.say(1, f"{name}: holds nothing")
            return
        with Undo() as undo:
            undo.do(lambda: _free_all(holding, state, host.interfaces.all if there else existing))
            host.events.note("reclaimed", name)
        host.terminal.say(1, f"{name}: reclaimed")


def _free_all(
    holding: GuestHolding, state: running.Running | None, existing: Callable[[], Mapping[str, Interface]]
) -> None:
    """One step, as none of it can be taken back: a signal on the way waits for its end.

    A bhyve that no supervisor knew of keeps its taps open until it has ended: which are left is asked after that.
    """
    host, name = holding.host, holding.name
    clear(host, name, state)
    freed = state.taps if state and host.dry else ()
    take_down(host, [tap for tap in _left_taps(holding, existing) if tap not in freed])
    if state is None and running.directory(host, name).exists():
        running.forget(host, name)


def _left_taps(holding: GuestHolding, existing: Callable[[], Mapping[str, Interface]]) -> list[str]:
    """The taps of a guest that chyves made and nobody has open, also where nothing is written down of them."""
    with suppress(ChyvesError):  # whose file cannot be read can still be freed of what is written down
        return left_over(existing(), holding.properties.net_ifaces)
    return []


def clear(host: Host, name: str, state: running.Running | None, patience: float = PATIENCE) -> None:
    """End the programs of a guest that has no supervisor, and free what it held; raises ChyvesError.

    Nothing is freed that a program still has which cannot be ended.
    """
    if not host.dry:
        hooks.end_left_over(host, name, state)
    for pid in () if host.dry else running.orphans(host, name):
        host.processes.signal(pid, signal.SIGKILL)
        if not host.processes.wait_for_end(pid, patience):
            raise ChyvesError(f"{name}: process {pid} {UNKILLABLE.format(pid)}")
    free(host, name, state)
    if state is not None and state.bhyve is not None:
        host.events.note("stopped", name)


def free(host: Host, name: str, state: running.Running | None) -> None:
    """Destroy a guest's VMM and the taps made for it, end what plays its TPM, and forget it.

    Each is tried, also when another could not be; then ChyvesError is raised, and what was written down stays.
    """
    problems: list[str] = []
    _try(problems, lambda: free_vmm(host, name))
    _try(problems, lambda: tpm.end(host, name))
    _try(problems, lambda: take_down(host, state.taps if state else ()))
    if state is not None and not problems:
        _try(problems, lambda: running.forget(host, name))
    if problems:
        raise ChyvesError(f"{name}: could not be freed, which the next command tries again: {'; '.join(problems)}")


def _try(problems: list[str], act: Callable[[], None]) -> None:
    try:
        act()
    except ChyvesError as error:
        problems.append(str(error))


def free_vmm(host: Host, name: str) -> None:
    """Destroy what the kernel still has of a guest; a loader needs it gone before each boot."""
    if running.vmm(host, name):
        host.run.do("bhyvectl", f"--vm={names.vm(name)}", "--destroy")
