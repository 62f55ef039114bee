"""Shut guests down by their agents: for systems that do not heed their power button."""

from __future__ import annotations

import signal

from chyves.errors import ChyvesError
from chyves.guests import agent, running
from chyves.guests.agent_verbs import dry_ask, with_agent
from chyves.guests.each import each
from chyves.guests.leftovers import settle_guest
from chyves.guests.stop import AGENT, all_off, await_off
from chyves.host.machine import Host
from chyves.host.signals import told
from chyves.host.undo import Undo
from chyves.pools.holdings import GuestHolding
from chyves.targets import Target

SHUTDOWN = "guest-shutdown"
GRACE = 20
"""Seconds in which a guest must be off after all whose agent says that its shutdown has failed."""


def shutdown(host: Host, guest: Target) -> None:
    """Have the agents of guests shut them down, waiting stop_timeout seconds for each; the guests stay off."""
    each(host, with_agent(host, guest), lambda holding: _shut_down(host, holding))


def _shut_down(host: Host, holding: GuestHolding) -> None:
    with Undo() as undo:  # whose supervisor was told that it is to stay off is asked to go off, whatever comes
        supervisor, refusal = undo.do(lambda: ask(host, holding.name))
        if refusal is None:
            await_off(host, holding, supervisor, *AGENT)
        elif _goes_off(host, holding.name, supervisor):
            all_off(host, holding.name)
        else:
            raise refusal


def _goes_off(host: Host, name: str, supervisor: int) -> bool:
    """Whether a guest whose agent says that its shutdown has failed is off within GRACE seconds all the same."""
    with told(name, "its guest agent says that its shutdown has failed; see: chyves list"):
        return host.processes.wait_for_end(supervisor, GRACE)


def ask(host: Host, name: str) -> tuple[int, agent.AgentRefused | None]:
    """Ask a guest's agent to shut it down; its supervisor, which has been told that it is to stay off, and a refusal.

    The refusal may be none: a system that goes off ends all its programs, and an agent whose shutdown(8) was ended so
    before it was done takes that for a failure (qga/commands-posix.c of QEMU).
    """
    with host.locks.hold(f"guest.{name}"):
        settle_guest(host, name)
        supervisor = running.supervisor(host, name)
        if supervisor is None:
            raise ChyvesError(f"{name}: does not run")
        if host.dry:
            host.processes.signal(supervisor, signal.SIGUSR1)
            dry_ask(host, name, SHUTDOWN)
            return supervisor, None
        meant = False
        try:
            with agent.talking(host, name) as talk:
                # A guest can be off at once, and its supervisor has to know before; but not where it will be refused.
                if SHUTDOWN in agent.about(talk)[1]:
                    host.processes.signal(supervisor, signal.SIGUSR1)
                    meant = True
                talk.tell(SHUTDOWN, seconds=agent.LIMIT)
        except agent.AgentRefused as refusal:
            if not meant:
                raise
            return supervisor, refusal
        return supervisor, None
