"""`zfs version` and `zpool version`."""

from __future__ import annotations

from collections.abc import Sequence

from chyves.lab.zfs.options import Options
from chyves.lab.zfs.properties import at_least
from chyves.lab.zfs.state import State

_VERSIONS = {
    "13.2": "2.1.9-FreeBSD_g92e0d9d18",
    "14.3": "2.2.7-FreeBSD_ge269af1b3",
    "15.0": "2.4.0-rc4-FreeBSD_g099f69ff5",
    "15.1": "2.4.2-FreeBSD",
}


def of_zfs(state: State, words: Sequence[str]) -> int:
    """zfs version."""
    return _tell(state, words, "zfs version")


def of_zpool(state: State, words: Sequence[str]) -> int:
    """zpool version."""
    return _tell(state, words, "zpool version")


def _tell(state: State, words: Sequence[str], command: str) -> int:
    # The versions of the userland and of the kernel module are the same in the lab.
    told = _VERSIONS[state.lab.release]
    if at_least(state.lab.release, "15.0") and "j" in Options(words, "j", long={"json": "j"}):
        from chyves.lab.zfs import json_form

        json_form.print_version(command, f"zfs-{told}", f"zfs-kmod-{told}")
        return 0
    print(f"zfs-{told}\nzfs-kmod-{told}")
    return 0
