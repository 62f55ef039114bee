"""Boot guests: everything is checked, the interfaces are made, and a supervisor runs the loader and bhyve."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from chyves import names
from chyves.bhyve import board
from chyves.bhyve.launch import Launch
from chyves.bhyve.limits import behind
from chyves.errors import ChyvesError, SeveralFailed, UsageError
from chyves.guests import crashes, hooks, prepare, revert, rollback, running, screen, seed, sockets, tpm
from chyves.guests.each import concerned, each
from chyves.guests.held import Held
from chyves.guests.readiness import SECONDS, Readiness, Waiting
from chyves.guests.reclaim import clear
from chyves.guests.standing import Standing
from chyves.guests.supervise import launch_supervisor
from chyves.host.machine import Host
from chyves.host.run import show
from chyves.host.undo import Undo
from chyves.network.plan import for_start, held_taps
from chyves.network.steps import Step
from chyves.network.taps import carry_out
from chyves.nics import vlans
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.targets import Target


def start(
    host: Host, guest: Target, iso: str | None = None, wait: str | None = None, wait_for: str | None = None
) -> None:
    """Start guests, each under its lock; returns when every one's bhyve is up or has said why not.

    With `wait`, when each is ready as that says (chyves.guests.readiness), `wait_for` seconds from its start at most.
    """
    seconds = _seconds(wait_for)
    readiness = None if wait is None and wait_for is None else Readiness(host, wait or "running", seconds)
    holdings = Holdings.read(host)
    wanted = holdings.find(guest)
    prepare.medium_path(holdings, iso)
    wanted = concerned(host, wanted, guest, lambda holding: _startable(host, holding))
    standing = Standing(host)
    if readiness is None or host.dry:
        each(host, wanted, lambda holding: start_one(standing, holding.name, iso))
        return
    with Waiting(readiness) as waiting:
        try:
            each(host, wanted, lambda one: waiting.begin(one, lambda: start_one(standing, one.name, iso)))
        except SeveralFailed:
            each(host, filter(waiting.begun, wanted), waiting.end)
            raise
        each(host, filter(waiting.begun, wanted), waiting.end)


def _seconds(text: str | None) -> int:
    """How long a guest may take to be ready; raises UsageError."""
    try:
        return SECONDS if text is None else int(names.seconds(text))
    except ChyvesError as error:
        raise UsageError(f"start: --wait-for: {error}") from None


def _startable(host: Host, holding: GuestHolding) -> bool:
    """Whether there is anything to start for who did not name it: neither a template nor running already."""
    try:
        return running.supervisor(host, holding.name) is None and not holding.properties.template
    except ChyvesError:
        return True  # whose file cannot be read: that is told when its turn comes


def start_one(standing: Standing, name: str, iso: str | None = None) -> None:
    """Start a guest under its lock; returns when its bhyve is up, raises ChyvesError with what kept it."""
    try:
        _start(standing, name, iso)
    except ChyvesError:
        standing.forget()
        raise


def _start(standing: Standing, name: str, iso: str | None) -> None:
    host = standing.host
    with ExitStack() as alone:
        everything = alone.enter_context(ExitStack())
        everything.enter_context(host.locks.hold("all"))
        alone.enter_context(host.locks.hold(f"guest.{name}"))
        holdings, holding = _found(standing, name)
        holdings.warn_of_unknown(holding)
        before, holding.properties = holding.properties, screen.guarded(host, holding.properties)
        held = standing.held(holdings)
        launch = prepare.lines(holdings, holding, iso)
        prepare.preflight(holdings, holding, held)
        memory = standing.memory()
        lacking = memory.lacking(holdings, holding.properties)
        prepare.keep(holdings, holding, before)
        memory.promise(holding.properties)
        for warning in filter(None, (*launch.warnings, lacking)):
            host.terminal.warn(warning)
        existing, interfaces = host.interfaces.all(), holding.properties.net_ifaces
        steps = for_start(
            name, interfaces, holdings.globals, existing, holding.properties.tap_mtu, vlans(holding.properties)
        )
        taps = held_taps(steps, interfaces, existing)
        with Undo() as undo:
            undo.do(lambda: _claim(holding, taps, held), lambda: _give_up(host, name), f"free what {name} held")
            undo.do(lambda: _interfaces(host, steps))
            everything.close()
            undo.do(lambda: _boot(host, holding, launch, iso, taps))


def _found(standing: Standing, name: str) -> tuple[Holdings, GuestHolding]:
    """A guest that is to start, gone back to its snapshot where that is wanted; raises ChyvesError."""
    host, holdings = standing.host, standing.settled(name)
    if running.supervisor(host, name) is not None:
        raise ChyvesError(crashes.taken(host, name))
    holding = holdings.guest(name)
    rollback.refuse_unfinished(holdings, name)
    if revert.wanted(holding.properties, "start") and not holding.properties.template:
        revert.revert(host, holdings, holding, holding.properties, "start")
        standing.forget()
        holdings = standing.settled(name)
    return holdings, holdings.guest(name)


def _claim(holding: GuestHolding, taps: Sequence[str], held: Held) -> None:
    """Write down what the guest is about to hold, for others to keep off, and to be freed if this process is killed."""
    host = holding.host
    if not host.dry:
        guest, disks = holding.properties, prepare.held_disks(holding)
        state = running.Running(supervisor=os.getpid(), taps=list(taps), disks=disks, serial=guest.serial)
        state.lines = [line.pair for line in board.coms(guest).values() if line.pair]
        running.write(host, holding.name, state)
        held.add(holding.name, disks, state.pairs)
        crashes.forget(host, holding.name)


def _give_up(host: Host, name: str) -> None:
    """Free what a guest holds that did not come up: its supervisor has done so, unless it was killed."""
    if running.supervisor(host, name) is None:
        clear(host, name, running.read(host, name))


def _interfaces(host: Host, steps: Sequence[Step]) -> None:
    """Make taps and bridges; a bridge stays when the guest does not come up, as another may have joined it by then."""
    with Undo() as undo:
        carry_out(host, undo, steps)


def _boot(host: Host, holding: GuestHolding, launch: Launch, iso: str | None, taps: Sequence[str]) -> None:
    if host.dry:
        hooks.print_prestart(holding, running.Running(taps=list(taps), medium=iso, disks=prepare.held_disks(holding)))
        if launch.files or holding.properties.uefi_vnc_socket:
            host.files.make_directory(running.directory(host, holding.name))
        sockets.make_room(host, holding.properties)
        _print(host, holding.name, launch)
        return
    host.terminal.say(1, f"{holding.name}: starting" + (f" from {iso}" if iso else ""))
    for line in filter(None, (launch.loader, launch.line)):
        host.terminal.say(3, shlex.join(line), logged=True)
    launch_supervisor(host, holding.name, iso, taps)
    host.terminal.say(2, f"{holding.name}: is up", logged=True)


def _print(host: Host, name: str, launch: Launch) -> None:
    """The lines that the supervisor would run, for a dry run."""
    for path, text in launch.files.items():
        host.files.write(Path(path), text)
    if launch.loader:
        host.run.do(*launch.loader)
    seed.make(host, launch.seed)
    tpm.begin(host, name, launch.tpm)
    show(launch.line, behind(launch.limits))
