"""Opens a tap in the lab's network namespace for a QEMU outside of it, as QEMU's `-netdev tap,helper=` wants it.

QEMU stays in the network of the machine, so that its VNC server can be reached from there.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

from chyves.lab.network import namespace
from chyves.lab.place import Lab

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000


def join(lab: Lab) -> None:
    """Move this process into the lab's network namespace; raises OSError."""
    with namespace.place(lab).open() as pinned:
        library = ctypes.CDLL(None, use_errno=True)
        if library.setns(pinned.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def run(launcher: str, argv: list[str]) -> int:
    """Send QEMU an open tap of the lab that this launcher is in: `--fd=N` is its socket, `--br=NAME` the interface."""
    lab = Lab.open(Path(launcher).parent.parent)
    told = dict(word.removeprefix("--").partition("=")[::2] for word in argv)
    join(lab)
    tap = os.open("/dev/net/tun", os.O_RDWR)
    flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if "use-vnet" in told else 0)
    try:
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", os.fsencode(told["br"]), flags))
    except OSError as error:
        print(f"{told['br']}: {error.strerror}", file=sys.stderr)
        return 1
    with socket.socket(fileno=int(told["fd"])) as qemu:
        socket.send_fds(qemu, [b"\0"], [tap])
    return 0
