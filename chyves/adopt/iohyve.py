"""Guests of iohyve: datasets POOL/iohyve/NAME, with their settings in ZFS properties `iohyve:...`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from chyves import names
from chyves.adopt.foreign import SCREEN, Card, Foreign, ForeignDisk, disk_options, says_yes
from chyves.errors import ChyvesError
from chyves.host.machine import Host

PREFIX = "iohyve:"
SAME = {
    "ram": "ram",
    "cpu": "cpu",
    "loader": "loader",
    "os": "os",
    "con": "serial",
    "description": "description",
    "fw": "uefi_firmware",
}
"""Settings that chyves has too, by their names there."""

TAKEN = re.compile(
    r"name|size|persist|install|utc|net|tap|boot|bargs|sectorsize|template|"
    r"vnc(_(ip|port|w|h|wait|tablet))?|mac_tap[0-9]+|pcidev:.*"
)
"""Settings that are taken over otherwise, or that say what chyves finds by itself."""

DISKS = ("ahci-hd", "virtio-blk", "nvme")

USUAL = {"bhyve_path": "/usr/sbin/bhyve"}
"""What needs no word where it is as with a guest of chyves."""


def guests(host: Host, where: str) -> dict[str, Foreign]:
    """The guests of a pool; raises ChyvesError where it has none."""
    top = f"{where.rstrip('/').removesuffix('/iohyve')}/iohyve"
    rows = host.zfs.list(properties=("name", "type"))
    volumes = [row["name"] for row in rows if row["type"] == "volume"]
    datasets = [row["name"] for row in rows if row["name"].rpartition("/")[0] == top and row["type"] == "filesystem"]
    told = host.zfs.local(*datasets) if datasets else {}
    found = {}
    for dataset, properties in told.items():
        own = {key.removeprefix(PREFIX): value for key, value in properties.items() if key.startswith(PREFIX)}
        if "name" in own:
            disks = [volume for volume in volumes if volume.rpartition("/")[0] == dataset]
            found[dataset.rpartition("/")[2]] = _guest(dataset, own, disks)
    if not found:
        raise ChyvesError(f"{where}: has no guests of iohyve; give the pool on which they are: zfs list -o name")
    return found


def _guest(dataset: str, told: Mapping[str, str], volumes: list[str]) -> Foreign:
    name = dataset.rpartition("/")[2]
    guest = Foreign(name, vmm=f"ioh-{name}", stop=f"iohyve stop {name}")
    for theirs, ours in SAME.items():
        guest.take(ours, told.get(theirs, ""))
    bargs = told.get("bargs", "").replace("_", " ")
    clock = " -u" if bargs and told.get("utc") == "YES" and told.get("loader") == "uefi" else ""
    guest.take("bargs", bargs + clock)
    guest.take("template", "yes" if told.get("template") == "YES" else "")
    guest.take("rcboot", "1" if told.get("boot") == "1" else "")
    _screen(guest, told)
    own = {f"/dev/zvol/{volume}": _sectors(volume, told) for volume in sorted(volumes, key=_number)}
    kinds = dict.fromkeys(own, "ahci-hd")
    for device in _devices(told):
        emulation, _, words = device.partition(",")
        path, _, options = words.partition(",")
        if emulation in DISKS:
            kinds[path] = emulation
            own[path] = own.get(path, ()) + tuple(disk_options(options))
        elif device == "virtio-rnd":
            guest.take("virtio_rnd", "yes")
        else:
            guest.add_device(device)
    guest.disks = [ForeignDisk(path, kinds[path], settings=settings) for path, settings in own.items()]
    guest.cards = list(_cards(told, guest.properties.get("loader") == "uefi"))
    guest.left = sorted(
        key for key, value in told.items()
        if key not in SAME and not TAKEN.fullmatch(key) and value not in ("-", USUAL.get(key))
    )  # fmt: skip
    return guest


def _sectors(volume: str, told: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What iohyve tells bhyve of the first disk of a UEFI guest."""
    size = told.get("sectorsize", "-")
    first = _number(volume)[0] == 0 and told.get("loader") == "uefi"
    return (("sectorsize", size),) if first and size != "-" else ()


def _cards(told: Mapping[str, str], uefi: bool) -> Iterator[Card]:
    """The cards; before them come host bridge, lpc (unless UEFI), the first disk and the devices, with a slot each."""
    slot = (2 if uefi else 3) + len(list(_devices(told)))
    for entry in told.get("tap", "-").split(","):
        tap, _, uplink = entry.partition("=")  # tap1=em1: on a bridge of em1
        if tap not in ("", "-"):
            yield Card(told.get(f"mac_{tap}", "").removeprefix("-"), uplink or "bridge0", f"{slot}:0")
            slot += 1


def _screen(guest: Foreign, told: Mapping[str, str]) -> None:
    if not says_yes(told.get("vnc", "")) or guest.properties.get("loader") != "uefi":
        return
    guest.properties |= SCREEN
    guest.take("uefi_vnc_ip", told.get("vnc_ip", ""))
    guest.take("uefi_vnc_port", told.get("vnc_port", ""))
    if told.get("vnc_w") and told.get("vnc_h"):
        guest.take("uefi_vnc_res", f"{told['vnc_w']}x{told['vnc_h']}")
    guest.take("uefi_vnc_pause_until_client_connect", "yes" if says_yes(told.get("vnc_wait", "")) else "")
    guest.take("uefi_vnc_mouse_type", "usb3" if says_yes(told.get("vnc_tablet", "")) else "")


def _devices(told: Mapping[str, str]) -> Iterator[str]:
    yield from (value for key, value in sorted(told.items()) if key.startswith("pcidev:"))


def _number(volume: str) -> tuple[int, str]:
    number = names.disk_number(volume.rpartition("/")[2])
    return (1 << 16 if number is None else number), volume
