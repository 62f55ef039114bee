"""Who may see a guest's screen: a frame buffer that others than this host can reach asks for a password."""

from __future__ import annotations

import secrets
import string

from chyves.bhyve.devices import shows_screen
from chyves.host.machine import Host
from chyves.properties import Guest, is_loopback

LENGTH = 8
"""Characters of a password: VNC looks at no more (RFC 6143, 7.2.2)."""

ASKED_FOR_BY = frozenset(("loader", "uefi_console_output", "uefi_vnc_ip", "uefi_vnc_password", "uefi_vnc_socket"))
"""Properties by which a screen can come to be open to others."""


def guarded(host: Host, guest: Guest) -> Guest:
    """A guest's properties, with a password that is made now where its screen would be open to others without one."""
    return guest.with_changes(password(host, guest))


def password(host: Host, guest: Guest) -> dict[str, str | None]:
    """What has to be set for a guest's screen not to be open to others; it is told how to read a password."""
    guarded = is_loopback(guest.uefi_vnc_ip) or guest.uefi_vnc_socket or guest.uefi_vnc_password is not None
    if not shows_screen(guest) or guarded:
        return {}
    why = f"others can reach its screen ({guest.uefi_vnc_ip}), so that a password was made"
    read = f"chyves {guest.owner} get uefi_vnc_password"
    host.terminal.say(0, f"{guest.owner}: uefi_vnc_password: {why}; read it with: {read}")
    letters = string.ascii_letters + string.digits
    return {"uefi_vnc_password": "".join(secrets.choice(letters) for _ in range(LENGTH))}
