"""The ports of a guest's virtio-console: those of `vtcon{n}`, and the one of the guest agent."""

from __future__ import annotations

from chyves.errors import ChyvesError
from chyves.properties import Guest

AGENT = "org.qemu.guest_agent.0"
"""What qemu-ga looks for among the ports of a guest unless it is told otherwise (qemu-ga(8))."""
MOST = 16
"""Ports of one virtio-console (VTCON_MAXPORTS in pci_virtio_console.c)."""
DIRECTORY = "ports"
LONGEST_SOCKET = 103
"""Characters of a socket's path (unix(4): sun_path has 104 with the zero at its end)."""


def sockets(guest: Guest, scratch: str) -> dict[str, str]:
    """The socket of each port by the port's name, in the order in which the guest counts them.

    The agent's is the last, so that no other has another number when it comes or goes.
    """
    named = [name for _, name in sorted(guest.vtcon.items())] + ([AGENT] if guest.agent else [])
    return {name: socket(scratch, name) for name in named}


def socket(scratch: str, name: str) -> str:
    """Where on the host a port is; below the 104 characters of a socket's name (unix(4)) for every guest and port."""
    return f"{scratch}/{DIRECTORY}/{name}.sock"


def check(guest: Guest) -> None:
    """Raise ChyvesError for ports that cannot be told apart, or that are too many."""
    seen: dict[str, str] = {}
    for number, name in sorted(guest.vtcon.items()):
        row = f"vtcon{number}"
        if name in seen:
            raise ChyvesError(f"{guest.owner}: {row}: {name} is the port of {seen[name]} already; choose another name")
        if name == AGENT:
            raise ChyvesError(f"{guest.owner}: {row}: {name} is the port of the guest agent; set agent=yes instead")
        seen[name] = row
    if len(seen) + guest.agent > MOST:
        raise ChyvesError(f"{guest.owner}: agent: there are {MOST} other ports, and no room for its own; unset a vtcon")
    for number, text in sorted(guest.pcidev.items()):
        if guest.agent and text.startswith("virtio-console,") and f"{AGENT}=" in text:
            raise ChyvesError(f"{guest.owner}: pcidev_{number}: has the port of the guest agent too; set agent=no")
