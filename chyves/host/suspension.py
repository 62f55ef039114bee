"""Pools that are suspended: their disks do not answer, and zfs(8) waits for them in the kernel, where nothing ends it.

`zpool list` answers nevertheless (zpoolprops(7): failmode=wait, which is what pools have unless told otherwise).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chyves.host.run import Runner

PATIENCE = 10.0
"""Seconds after which it is looked into why zfs(8) does not answer."""

WAITING = ("zfs", "zpool")
SUSPENDED = "SUSPENDED"


def advice(pool: str) -> str:
    """What a suspended pool is, and what to do."""
    return f"is suspended: its disks do not answer; bring them back, and use: zpool clear {pool}"


def sentence(zpool: str, environ: Mapping[str, str]) -> str:
    """Which pools are suspended, as a sentence; empty where none is, or where zpool(8) does not tell."""
    import subprocess

    try:
        told = subprocess.run(
            [zpool, "list", "-H", "-o", "name,health"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environ,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    rows = [line.split("\t") for line in told.stdout.splitlines()]
    pools = [row[0] for row in rows if row[1:] == [SUSPENDED]]
    return "; ".join(f"the pool {pool} {advice(pool)}" for pool in pools)


@contextmanager
def told(run: Runner) -> Iterator[None]:
    """While something takes long, say once on stderr where a suspended pool is what holds it up.

    A file of such a pool that is read or written, and a change of it, wait in the kernel until the pool is back, and
    then go on: neither can be ended, so that all that is left is to say so. A question to zfs(8) is given up before
    (chyves.host.run), and its error says why.
    """
    import threading

    def tell() -> None:
        from chyves.host.run import find

        zpool = find("zpool", run.environ["PATH"])
        if zpool and (why := sentence(zpool, run.environ)):
            print(f"chyves: waits: {why}", file=sys.stderr, flush=True)

    timer = threading.Timer(1.5 * PATIENCE, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
