"""nc(1): what comes on standard input to a socket of the file system, and what it answers to standard output."""

from __future__ import annotations

import getopt
import os
import select
import socket
import sys

from chyves.lab.place import Lab

USAGE = "usage: nc [-N] [-w timeout] -U socket"
BUFFER = 65536


def main(lab: Lab, argv: list[str]) -> int:
    """Talk until the other side ends, or nothing has been said for `-w` seconds; `-N` ends our side with the input."""
    try:
        options, rest = getopt.getopt(argv, "NUw:")
        given = dict(options)
        limit = float(given["-w"]) if "-w" in given else None
    except (getopt.GetoptError, ValueError) as error:
        print(f"nc: {error}\n{USAGE}", file=sys.stderr)
        return 1
    if "-U" not in given or len(rest) != 1:
        print(USAGE, file=sys.stderr)
        return 1
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        path = lab.inside(rest[0])
        try:
            directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            peer.connect(f"/proc/self/fd/{directory}/{path.name}")
        except OSError as error:
            print(f"nc: {rest[0]}: {error.strerror}", file=sys.stderr)
            return 1
        _talk(peer, limit, "-N" in given)
    return 0


def _talk(peer: socket.socket, limit: float | None, end: bool) -> None:
    heard = [0, peer.fileno()]
    while ready := select.select(heard, [], [], limit)[0]:
        if 0 in ready:
            data = os.read(0, BUFFER)
            peer.sendall(data)
            if not data:
                heard.remove(0)
                if end:
                    peer.shutdown(socket.SHUT_WR)
        if peer.fileno() in ready:
            data = peer.recv(BUFFER)
            if not data:
                return
            os.write(1, data)
