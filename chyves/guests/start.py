"""Boot guests: everything is checked, the interfaces are made, and a supervisor runs the loader and bhyve."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from chyves.bhyve.launch import Launch
from chyves.errors import ChyvesError
from chyves.guests import leftovers, prepare, running
from chyves.guests.each import each
from chyves.guests.supervise import launch_supervisor
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import for_start
from chyves.network.taps import carry_out
from chyves.pools.holdings import GuestHolding, Holdings


def start(host: Host, guest: Sequence[str] | str, iso: str | None = None) -> None:
    """Start guests, each under its lock; returns when every one's bhyve is up or has said why not."""
    holdings = Holdings.read(host)
    wanted = holdings.find(guest)
    prepare.medium_path(holdings, iso)
    if guest == "all":
        wanted = [holding for holding in wanted if _startable(host, holding)]
    each(host, wanted, lambda holding: _start(host, holding.name, iso))


def _startable(host: Host, holding: GuestHolding) -> bool:
    """Whether `all` means it: neither a template nor running already."""
    return running.supervisor(host, holding.name) is None and not holding.properties.template


def _start(host: Host, name: str, iso: str | None) -> None:
    with ExitStack() as alone:
        everything = alone.enter_context(ExitStack())
        everything.enter_context(host.locks.hold("all"))
        alone.enter_context(host.locks.hold(f"guest.{name}"))
        leftovers.settle_guest(host, name)
        if running.supervisor(host, name) is not None:
            raise ChyvesError(f"{name}: runs already")
        holdings = Holdings.read(host)
        holding = holdings.guest(name)
        holdings.warn_of_unknown(holding)
        prepare.modules(holdings)
        launch = prepare.lines(holdings, holding, iso)
        prepare.preflight(holdings, holding)
        prepare.keep_slots(holdings, holding)
        for warning in launch.warnings:
            host.terminal.warn(warning)
        with Undo() as undo:
            steps = for_start(name, holding.properties.net_ifaces, holdings.globals, host.interfaces.all())
            taps = carry_out(host, undo, steps)
            everything.close()
            _boot(host, holding, launch, iso, tuple(taps))


def _boot(host: Host, holding: GuestHolding, launch: Launch, iso: str | None, taps: tuple[str, ...]) -> None:
    if host.dry:
        _print(host, launch)
        return
    host.terminal.say(1, f"{holding.name}: starting" + (f" from {iso}" if iso else ""))
    for line in filter(None, (launch.loader, launch.bhyve)):
        host.terminal.say(3, shlex.join(line))
    launch_supervisor(host, holding.name, iso, taps)
    host.terminal.say(2, f"{holding.name}: is up")


def _print(host: Host, launch: Launch) -> None:
    """The lines that the supervisor would run, for a dry run."""
    for path, text in launch.files.items():
        host.files.write(Path(path), text)
    if launch.loader:
        host.run.do(*launch.loader)
    host.run.do(*launch.bhyve)
