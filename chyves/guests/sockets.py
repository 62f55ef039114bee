"""The sockets that a guest's bhyve makes: their directory, and what an earlier one has left there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from chyves.bhyve import ports
from chyves.bhyve.board import SOCKET
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.properties import Guest

ROOT_ALONE = 0o700


def lines(host: Host, guest: Guest) -> Iterator[str]:
    """What `make_room` does, as lines for a shell that are right before each boot."""
    scratch = running.directory(host, guest.owner)
    if guest.uefi_vnc_socket:
        yield shlex.join(("rm", "-f", str(scratch / SOCKET)))
    if found := ports.sockets(guest, str(scratch)):
        yield shlex.join(("mkdir", "-p", "-m", f"{ROOT_ALONE:o}", str(scratch / ports.DIRECTORY)))
        yield shlex.join(("rm", "-f", *found.values()))


def make_room(host: Host, guest: Guest) -> None:
    """Have a directory for root alone in which bhyve can make its sockets, which it does not remove at its end.

    Raises ChyvesError.
    """
    scratch = running.directory(host, guest.owner)
    if guest.uefi_vnc_socket:
        host.files.remove(scratch / SOCKET)
    if not ports.sockets(guest, str(scratch)):
        return
    directory = scratch / ports.DIRECTORY
    host.files.make_directory(directory, ROOT_ALONE)
    try:
        left = sorted(name for name in os.listdir(directory) if name.endswith(".sock"))
    except FileNotFoundError:  # it was only told of
        return
    except OSError as error:
        raise ChyvesError(f"{directory}: cannot be read: {error.strerror}; see to that and try again") from None
    for name in left:
        host.files.remove(directory / name)
