"""What a guest takes from the host besides disks, as far as only a look at the host tells whether it can have it."""

from __future__ import annotations

import socket
from pathlib import Path

from chyves.bhyve import board
from chyves.bhyve.devices import shows_screen
from chyves.bhyve.nics import forwards
from chyves.bhyve.peripherals import shared_directory
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.properties import Guest

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def refuse_missing(host: Host, guest: Guest) -> None:
    """Refuse a share that is no directory, a sound device and files that are not there; raises ChyvesError.

    A lab's host also has the files of the machine that it is on, for what its user has there.
    """
    for number, text in sorted(guest.share.items()):
        directory = shared_directory(text)
        if not host.path(directory).is_dir():
            raise ChyvesError(
                f"{guest.owner}: share{number}: {directory} is no directory of this host; make it, "
                f"or unset share{number}"
            )
    for name in ("audio_play", "audio_rec"):
        device = getattr(guest, name)
        if device is not None and not host.path(device).exists():
            raise ChyvesError(f"{guest.owner}: {name}: this host has no {device}; see: cat /dev/sndstat")
    for name, path in board.host_files(guest):
        if not host.path(path).is_file() and not Path(path).is_file():
            advice = f"see: ls {board.LAYOUTS}" if name == "keyboard" else "make it, or set another"
            raise ChyvesError(f"{guest.owner}: {name}: {path} does not exist; {advice}")


def refuse_used_ports(guest: Guest, state: running.Running | None) -> None:
    """Refuse ports that others listen on, but for those that the guest itself has while it runs, as `state` tells."""
    runs = Guest(guest.owner, state.properties) if state else None
    own = set(board.listening(runs).values()) if runs else set()
    for name, (address, port) in board.listening(guest).items():
        if (address, port) not in own:
            refuse_used(guest.owner, name, address, port, f"set another, or unset {name}")
    screen = guest.uefi_vnc_port if shows_screen(guest) and not guest.uefi_vnc_socket else None
    if screen is not None and screen != (state.vnc_port if state else None):
        refuse_used(guest.owner, "uefi_vnc_port", guest.uefi_vnc_ip, screen, "set another port or uefi_vnc_ip")
    refuse_used_forwards(guest, runs)


def refuse_used_forwards(guest: Guest, runs: Guest | None) -> None:
    """Refuse ports of the host that others listen on, but for those that the guest itself has while it runs."""
    own = {forward.here for _, forward in forwards(runs)} if runs else set()
    for name, forward in forwards(guest):
        if forward.here not in own:
            refuse_used(guest.owner, name, forward.address, forward.port, "choose another", KINDS[forward.protocol])


def refuse_used(
    owner: str, name: str, address: str, port: int, advice: str, kind: socket.SocketKind = socket.SOCK_STREAM
) -> None:
    """Refuse a port of the host that somebody listens on; raises ChyvesError that names the property."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise ChyvesError(f"{owner}: {name}: {address}:{port} cannot be had ({error.strerror}); {advice}") from None
