"""The network backend slirp: the same library that QEMU has built in, with the network that bhyve has built in."""

from __future__ import annotations

import re
import socket

from chyves.lab.bhyve.board import Board, Broken
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import strerror

LIBRARY = "/usr/local/lib/libslirp.so.0"
INVALID = strerror(22)
FIRST_GUEST = "10.0.2.15"
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def open_slirp(board: Board, node: Config, unit: int) -> None:
    """Connect a card: only what is forwarded gets through; the forwards listen in the network that bhyve is in."""
    if not board.lab.inside(LIBRARY).exists():
        missing = 'Shared object "libslirp.so.0" not found, required by "bhyve"'
        raise Broken(f"Unable to open libslirp.so.0: {missing}", INVALID)
    words = ["user", f"id=net{unit}", "restrict=on", "ipv6=off"]
    given = node.get("hostfwd")
    words += [f"hostfwd={_rule(rule)}" for rule in given.split(";")] if given is not None else []
    board.add("-netdev", ",".join(words))


def _rule(rule: str) -> str:
    """A rule as QEMU takes it; what bhyve says of one that it cannot read, or whose port is taken."""
    found = re.fullmatch(r"([^:]*):([0-9.]*):(\d*)-([0-9.]*):(\d*)", rule)
    try:
        for address in (found[2], found[4]) if found else ():
            socket.inet_aton(address or "0.0.0.0")
        if not found or max(int(found[3] or 0), int(found[5] or 0)) > 65535:
            raise OSError
    except OSError:
        raise Broken(f"Unable to parse hostfwd rule '{rule}': {INVALID}", INVALID) from None
    protocol = "udp" if found[1] == "udp" else "tcp"
    with socket.socket(socket.AF_INET, KINDS[protocol]) as probe:
        if protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((found[2], int(found[3] or 0)))
        except OSError as error:
            why = strerror(error.errno)
            raise Broken(f"Unable to add hostfwd rule '{rule}': {why}", why) from None
    return f"{protocol}:{found[2]}:{found[3] or 0}-{found[4] or FIRST_GUEST}:{found[5] or 0}"
