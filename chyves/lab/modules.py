"""Kernel modules: which are compiled in, which can be loaded, and what each file brings."""

from __future__ import annotations

from typing import NamedTuple

from chyves.lab.releases import release


class File(NamedTuple):
    """A kernel object file: its size in bytes, the modules inside, the files that it needs."""

    size: int
    modules: tuple[str, ...]
    needs: tuple[str, ...] = ()


LOADABLE = {
    "zfs": File(0x5D5B80, ("zfs", "zfsctrl"), ()),
    "vmm": File(0x2A7000, ("vmm", "ppt")),
    "nmdm": File(0x32B8, ("nmdm",)),
    "if_bridge": File(0xF0E8, ("if_bridge",), ("bridgestp",)),
    "bridgestp": File(0x7638, ("bridgestp",)),
    "if_epair": File(0x5118, ("if_epair",)),
    "if_vxlan": File(0x9D30, ("if_vxlan",)),
    "if_lagg": File(0x9B10, ("if_lagg",)),
    "netgraph": File(0x11A30, ("netgraph",)),
    "ng_bridge": File(0x4D28, ("ng_bridge",), ("netgraph",)),
    "ng_ether": File(0x3AE0, ("ng_ether",), ("netgraph",)),
    "ng_socket": File(0x3CB8, ("ng_socket",), ("netgraph",)),
    "pf": File(0x8C5B0, ("pf",)),
    "ipfw": File(0x2E1D0, ("ipfw",)),
    "virtio_p9fs": File(0x4A10, ("virtio_p9fs",)),
}
SINCE_11 = {"if_tap": File(0x6448, ("if_tap",))}

# GENERIC: tun of old and tuntap of new releases are compiled in, tap of old ones is not.
IN_KERNEL = ("if_lo", "if_vlan", "ether", "netmap", "ctl", "cam", "ahci", "nvme", "ufs", "xpt")

# Other names under which a module is asked for.
ALIASES = {"if_tap": "if_tuntap", "if_tun": "if_tuntap"}


def compiled_in(name: str) -> tuple[str, ...]:
    """Modules that are part of a release's kernel."""
    return (*IN_KERNEL, "if_tun") if release(name).number < (13, 0) else (*IN_KERNEL, "if_tuntap", "if_vxlan")


def loadable(name: str) -> dict[str, File]:
    """Files below /boot/kernel of a release, by their name without `.ko`."""
    return {**LOADABLE, **SINCE_11} if release(name).number < (13, 0) else LOADABLE
