"""A guest's screen: where it is, or a viewer that shows it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from chyves.bhyve.devices import shows_screen
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.each import concerned, each
from chyves.host.machine import Host
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest, is_loopback
from chyves.targets import Target

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


def vnc(host: Host, guest: Target) -> None:
    """Show the screens of running guests as uefi_vnc_client says; raises ChyvesError for one that has none."""
    wanted = Holdings.read(host).find(guest)
    wanted = concerned(host, wanted, guest, lambda holding: _on_screen(host, holding))
    each(host, wanted, lambda holding: _show(host, holding))


def _on_screen(host: Host, holding: GuestHolding) -> bool:
    return shows_screen(holding.properties) and running.living(host, holding.name) is not None


def _show(host: Host, holding: GuestHolding) -> None:
    name, guest = holding.name, holding.properties
    if not shows_screen(guest):
        what = f"loader={guest.loader}" if guest.loader != "uefi" else "uefi_console_output=serial"
        wanted = "loader=uefi uefi_console_output=vnc" if guest.loader != "uefi" else "uefi_console_output=vnc"
        raise ChyvesError(f"{name}: has no screen ({what}); give it one with: chyves {name} set {wanted}")
    state = running.living(host, name)
    if state is None:
        raise ChyvesError(f"{name}: does not run; start it first: chyves {name} start")
    if state.vnc_port is None:
        raise ChyvesError(f"{name}: has no screen until its next start; restart it")
    if guest.uefi_vnc_client == "off":
        raise ChyvesError(f"{name}: uefi_vnc_client: is off; set print, freerdp or custom")
    place = {"ip": HERE if guest.uefi_vnc_ip == ANYWHERE else guest.uefi_vnc_ip, "port": str(state.vnc_port)}
    _view(host, name, guest, {**place, "size": guest.uefi_vnc_res, "guest": name})


def _view(host: Host, name: str, guest: Guest, place: Mapping[str, str]) -> None:
    """Start the viewer that is asked for, or any other; print where the screen is where there is none."""
    if guest.uefi_vnc_client == "print":
        _print(guest, place)
        return
    line = _custom(name, guest) if guest.uefi_vnc_client == "custom" else _installed(host, FREERDP)
    if line is None or not host.run.has(line[0]):
        wanted = line[0] if line else next(iter(FREERDP))
        line = _installed(host, VIEWERS)
        instead = f"{line[0]} is taken instead" if line else "no other viewer was found; here is where the screen is"
        host.terminal.warn(f"{name}: uefi_vnc_client: {wanted} is not installed; {instead}")
    if line is None:
        _print(guest, place)
        return
    argv = [_filled(word, place) for word in line]
    host.run.show(*argv)
    host.terminal.say(1, f"{name}: shown by: {shlex.join(argv)}")


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


def _print(guest: Guest, place: Mapping[str, str]) -> None:
    """Print where the screen is, and how to come there from elsewhere where it is shown to this host alone."""
    print(f"{place['guest']}: VNC at {place['ip']} port {place['port']}, {place['size']}", flush=True)
    if guest.uefi_vnc_password is not None:
        read = f"chyves {place['guest']} get uefi_vnc_password"
        print(f"{place['guest']}: its password: {read}", flush=True)
    if is_loopback(guest.uefi_vnc_ip):
        tunnel = f"ssh -L {place['port']}:{place['ip']}:{place['port']} {os.uname().nodename}"
        print(f"{place['guest']}: from elsewhere: {tunnel}, and a viewer on 127.0.0.1 port {place['port']}", flush=True)
