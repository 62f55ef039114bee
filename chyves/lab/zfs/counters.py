"""What the kernel counts of datasets: `kstat.zfs.POOL.dataset.objset-0xNUMBER.*`, here of the volumes.

A volume's file tells how much of it was ever written; nothing tells what was read of it, so that is 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from chyves.lab.place import Lab
from chyves.lab.releases import release

SINCE = (13, 0)
BLOCK = 512


def counted(lab: Lab) -> Iterator[tuple[str, str]]:
    """The names and values of the sysctls."""
    top = lab.root / "dev/zvol"
    if release(lab.release).number < SINCE or not top.is_dir():
        return
    for place, _, names in os.walk(top):
        for name in sorted(names):
            path = f"{place}/{name}"
            try:
                status = os.stat(path)
            except OSError:
                continue  # it goes just now
            dataset = os.path.relpath(path, top)
            node = f"kstat.zfs.{dataset.partition('/')[0]}.dataset.objset-{status.st_ino:#x}"
            written = status.st_blocks * BLOCK
            told = {"nunlinked": 0, "nunlinks": 0, "nread": 0, "reads": 0, "nwritten": written,
                    "writes": -(-written // (1 << 17)), "dataset_name": dataset}  # fmt: skip
            yield from ((f"{node}.{what}", str(value)) for what, value in told.items())
