"""bhyve of arm64 hosts: fewer options and devices, a serial line and a boot ROM that are variables (section 1.2).

From bhyverun_machdep.c, vmexit.c and Makefile.inc of usr.sbin/bhyve/aarch64. What power management has on amd64 (pm.c)
is not built: there is no button, and SIGTERM kills bhyve; a guest goes off or is reset by a call of PSCI.
"""

from __future__ import annotations

import os

from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.consoles import pl011
from chyves.lab.bhyve.ends import End, Stop, strerror

LETTERS = "hCDMSWk:f:o:p:G:c:s:m:U:"
NOT_HEEDED = "f"
"""What getopt(3) takes, and bhyve then answers with its usage."""
TOLD = "CDGHMSUWchkmoprs"
"""The options of which the usage tells, though there is no -H and no -r, and there is -f."""
WITHOUT = ("passthru", "lpc", "fbuf")
"""Devices of amd64 alone (Makefile.inc of amd64)."""
MACHINE = ["-machine", "virt,accel=tcg,gic-version=3", "-cpu", "cortex-a72"]
"""QEMU's words for a machine whose interrupt controller, serial line, clock and PCI bus are of bhyve's kinds."""


def platform(board: Board) -> None:
    """Load the boot ROM and connect the serial line, before any other device; raises Stop with bhyve's words."""
    rom = board.config.get("bootrom")
    if rom is None:
        raise Stop(End.ERROR, "bhyve: no bootrom specified")
    path = board.lab.inside(rom)
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        # err(3), with the status that also tells of a guest that has gone off.
        raise Stop(End.POWEROFF, f"bhyve: open({rom}): {strerror(error.errno)}") from None
    board.add("-bios", str(path))
    pl011(board)
