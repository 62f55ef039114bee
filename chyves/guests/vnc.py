"""A guest's screen: where it is, or a viewer that shows it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping

from chyves.bhyve.board import SOCKET
from chyves.bhyve.devices import shows_screen
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.each import concerned, gathered
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest, is_loopback
from chyves.targets import Target

COLUMNS = (
    Column("guest", "Guest"),
    Column("ip", "Address"),
    Column("port", "Port", right=True),
    Column("socket", "Socket"),
    Column("size", "Size"),
    Column("password", "Password"),
    Column("viewer", "Viewer"),
)
ANYWHERE, HERE = "0.0.0.0", "127.0.0.1"

FREERDP = {name: ("/v:{ip}", "/port:{port}", "/size:{size}") for name in ("xfreerdp", "xfreerdp3")}
"""As 0.2.0 called it."""

VIEWERS: dict[str, tuple[str, ...]] = {
    "vncviewer": ("{ip}::{port}",),
    "xtigervncviewer": ("{ip}::{port}",),
    "xtightvncviewer": ("{ip}::{port}",),
    "ssvncviewer": ("{ip}::{port}",),
    "remote-viewer": ("vnc://{ip}:{port}",),
    "remmina": ("-c", "vnc://{ip}:{port}"),
    "krdc": ("vnc://{ip}:{port}",),
    "vinagre": ("vnc://{ip}:{port}",),
}
"""Viewers that are looked for where the one that is asked for is missing, and how each is told what to show."""


def vnc(host: Host, guest: Target) -> Table:
    """Show the screens of running guests as uefi_vnc_client says; raises ChyvesError for one that has none."""
    wanted = Holdings.read(host).find(guest)
    wanted = concerned(host, wanted, guest, lambda holding: _on_screen(host, holding))
    rows, failed = gathered(host, wanted, lambda holding: [_shown(host, holding)])
    return Table("screens", COLUMNS, rows, told=tuple(line for row in rows for line in _told(row)), failed=failed)


def _on_screen(host: Host, holding: GuestHolding) -> bool:
    return shows_screen(holding.properties) and running.living(host, holding.name) is not None


def _shown(host: Host, holding: GuestHolding) -> Row:
    """Where the screen of a guest is, once a viewer shows it where that is wanted."""
    name, guest = holding.name, holding.properties
    if not shows_screen(guest):
        what = f"loader={guest.loader}" if guest.loader != "uefi" else "uefi_console_output=serial"
        wanted = "loader=uefi uefi_console_output=vnc" if guest.loader != "uefi" else "uefi_console_output=vnc"
        raise ChyvesError(f"{name}: has no screen ({what}); give it one with: chyves {name} set {wanted}")
    state = running.living(host, name)
    if state is None:
        raise ChyvesError(f"{name}: does not run; start it first: chyves {name} start")
    socket = running.directory(host, name) / SOCKET
    if state.vnc_port is None and not socket.is_socket():
        raise ChyvesError(f"{name}: has no screen until its next start; restart it")
    if guest.uefi_vnc_client == "off":
        raise ChyvesError(f"{name}: uefi_vnc_client: is off; set print, freerdp or custom")
    values: dict[str, Value] = {"guest": name, "size": guest.uefi_vnc_res}
    values["password"] = guest.uefi_vnc_password is not None
    if state.vnc_port is None:
        return Row({**values, "ip": None, "port": None, "socket": str(socket), "viewer": None})
    place = {
        "ip": _from_here(guest.uefi_vnc_ip),
        "port": str(state.vnc_port),
        "size": guest.uefi_vnc_res,
        "guest": name,
    }
    viewer = None if guest.uefi_vnc_client == "print" else _viewed(host, name, guest, place)
    return Row({**values, "ip": guest.uefi_vnc_ip, "port": state.vnc_port, "socket": None, "viewer": viewer})


def _from_here(ip: str) -> str:
    """Where this host finds what listens at an address of it."""
    return HERE if ip == ANYWHERE else ip


def _viewed(host: Host, name: str, guest: Guest, place: Mapping[str, str]) -> list[Value] | None:
    """The line of the viewer that is asked for, or of any other, once it was started; None where there is none."""
    line = _custom(name, guest) if guest.uefi_vnc_client == "custom" else _installed(host, FREERDP)
    if line is None or not host.run.has(line[0]):
        wanted = line[0] if line else next(iter(FREERDP))
        line = _installed(host, VIEWERS)
        instead = f"{line[0]} is taken instead" if line else "no other viewer was found; here is where the screen is"
        host.terminal.warn(f"{name}: uefi_vnc_client: {wanted} is not installed; {instead}")
    if line is None:
        return None
    argv = [_filled(word, place) for word in line]
    host.run.show(*argv)
    host.terminal.say(1, f"{name}: shown by: {shlex.join(argv)}")
    return [*argv]


def _custom(name: str, guest: Guest) -> list[str]:
    """The user's own command, whose words may hold {ip}, {port}, {size} and {guest}."""
    try:
        words = shlex.split(guest.uefi_vnc_client_custom_cmd)
    except ValueError as error:
        raise ChyvesError(f"{name}: uefi_vnc_client_custom_cmd: cannot be read ({error}); mend its quotes") from None
    if not words:
        example = f"chyves {name} set uefi_vnc_client_custom_cmd='vncviewer {{ip}}::{{port}}'"
        raise ChyvesError(f"{name}: uefi_vnc_client_custom_cmd: is empty; give a command: {example}")
    return words


def _installed(host: Host, viewers: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """The line of the first of some viewers that this host has."""
    return next(([program, *words] for program, words in viewers.items() if host.run.has(program)), None)


def _filled(word: str, place: Mapping[str, str]) -> str:
    """A word with the screen's place in it; other braces stay as they are."""
    for key, value in place.items():
        word = word.replace(f"{{{key}}}", value)
    return word


def _told(row: Row) -> Iterator[str]:
    """Where a screen is that no viewer shows, and how to come there from elsewhere where only this host can."""
    of = row.values
    if of["viewer"] is not None:
        return
    name, ip, port, socket = of["guest"], str(of["ip"]), of["port"], of["socket"]
    place = f"the socket {socket}" if socket else f"{_from_here(ip)} port {port}"
    yield f"{name}: VNC at {place}, {of['size']}"
    if of["password"]:
        yield f"{name}: its password: chyves {name} get uefi_vnc_password"
    here = os.uname().nodename
    if socket:
        yield f"{name}: from elsewhere: ssh -L 5900:{socket} root@{here}, and a viewer on 127.0.0.1 port 5900"
    elif is_loopback(ip):
        yield f"{name}: from elsewhere: ssh -L {port}:{ip}:{port} {here}, and a viewer on 127.0.0.1 port {port}"
