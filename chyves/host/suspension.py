"""Pools that are suspended: their disks do not answer, and zfs(8) waits for them in the kernel, where nothing ends it.

`zpool list` answers nevertheless (zpoolprops(7): failmode=wait, which is what pools have unless told otherwise).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

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
def told(argv: Sequence[str], program: Callable[[Sequence[str]], str], environ: Mapping[str, str]) -> Iterator[None]:
    """While a change is waited for that a suspended pool holds up, say so; the change is done when the pool is back."""
    if argv[0] not in WAITING:
        yield
        return
    import threading

    def tell() -> None:
        if why := sentence(program(["zpool"]), environ):
            print(f"chyves: {' '.join(argv)}: waits: {why}", file=sys.stderr, flush=True)

    timer = threading.Timer(PATIENCE, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
