"""mount(8): lists what is mounted on the lab's host."""

from __future__ import annotations

import os
import subprocess
import sys

from chyves.lab.place import Lab

REAL = "/bin/mount"


def main(lab: Lab, argv: list[str]) -> int:
    """Run mount(8): lists the lab's file systems (-p as fstab(5) writes them); all else is done by the real machine."""
    words = [word for word in argv if word not in ("-p", "-v", "-t", "zfs")]
    if words:
        try:
            os.execv(REAL, ["mount", *argv])
        except OSError as error:
            print(f"mount: {REAL}: {error.strerror}", file=sys.stderr)
            return 1
    listed = subprocess.run([lab.bin / "zfs", "mount"], capture_output=True, text=True, check=True).stdout
    rows = [row.split(maxsplit=1) for row in listed.splitlines()]
    for dataset, place in rows:
        print(f"{dataset}\t\t{place}\tzfs\trw,noatime,nfsv4acls\t0 0" if "-p" in argv else _line(dataset, place))
    return 0


def _line(dataset: str, place: str) -> str:
    return f"{dataset} on {place} (zfs, local, noatime, nfsv4acls)"
