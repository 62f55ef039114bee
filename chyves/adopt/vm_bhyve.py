"""Guests of vm-bhyve: a directory each below vm_dir, with NAME.conf, in which a line is `setting="value"`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from chyves.adopt.foreign import SCREEN, Card, Foreign, ForeignDisk, disk_options
from chyves.errors import ChyvesError
from chyves.host.machine import Host

DATASET = "zfs:"
"""What vm_dir in rc.conf begins with where it is a dataset."""

LOADERS = {"": "bhyveload", "bhyveload": "bhyveload", "grub": "grub-bhyve"}
FIRMWARE = {"uefi-csm": "BHYVE_UEFI_CSM.fd", "uefi-devel": "BHYVE_UEFI_CODE-devel.fd"}
SAME = {
    "cpu": "cpu",
    "cpu_sockets": "cpu_sockets",
    "cpu_cores": "cpu_cores",
    "cpu_threads": "cpu_threads",
    "memory": "ram",
    "uuid": "uuid",
    "bhyveload_args": "bhyveload_flags",
    "priority": "nice",
    "limit_pcpu": "limit_pcpu",
    "limit_rbps": "limit_readbps",
    "limit_wbps": "limit_writebps",
    "limit_riops": "limit_readiops",
    "limit_wiops": "limit_writeiops",
}
"""Settings that chyves has too, by their names there."""

FIRST_SLOT, FUNCTIONS = 4, 8
"""Where disks begin unless told (start_slot), and the devices of a kind that share a slot."""

BARGS = "-A -H -P -w"
"""The options that vm-bhyve gives to each guest."""

KNOWN = re.compile(
    r"(loader|wired_memory|utctime|ignore_(bad_)?msr|bhyve_options|graphics(_port|_listen|_res|_wait)?|vnc_password|"
    r"xhci_mouse|virt_random|sound(_play|_rec)?|passthru[0-9]+|disk[0-9]+_(name|type|dev|size|opts)|"
    r"network[0-9]+_(type|switch|mac)|uefi_vars|debug|zfs_.*|start_slot|install_slot|virt_console[0-9]+|"
    r"on_(restart|fault))"
)
"""Settings that are taken over otherwise than SAME's, or that say nothing of the guest itself."""

USUAL = {"hostbridge": "standard", "comports": "com1", "graphics_vga": "io", "ahci_device_limit": "1"}
"""What needs no word where it is as with a guest of chyves."""

NO = frozenset(("", "no", "false", "off", "0"))
"""What does not say yes, in any case (util::yesno)."""

SWITCHES, SEED = ".config/system.conf", "seed.iso"


def guests(host: Host, where: str) -> dict[str, Foreign]:
    """The guests below vm_dir (`/vm`, or `zfs:POOL/DATASET` as in rc.conf); raises ChyvesError."""
    top, dataset = _top(host, where)
    switches = settings(host.files.read(top / SWITCHES)) if (top / SWITCHES).is_file() else {}
    found = {}
    for file in sorted(top.glob("*/*.conf")):
        if file.stem == file.parent.name and not file.parent.name.startswith("."):
            try:
                found[file.stem] = _guest(file, settings(host.files.read(file)), dataset, switches)
            except ChyvesError as error:
                found[file.stem] = Foreign(file.stem, vmm=file.stem, stop="", refusal=str(error))
    if not found:
        raise ChyvesError(f"{where}: has no guests of vm-bhyve; give vm_dir, or a datastore: vm datastore list")
    _in_order(host, found)
    return found


def _top(host: Host, where: str) -> tuple[Path, str]:
    """The directory with the guests, and its dataset, or nothing where it is a plain directory."""
    rows = host.zfs.list(properties=("name", "mountpoint"), types="filesystem")
    where = where.rstrip("/") or where
    for row in rows:
        if where in (f"{DATASET}{row['name']}", row["mountpoint"]):
            return Path(row["mountpoint"]), row["name"]
    if where.startswith(DATASET) or not Path(where).is_dir():
        raise ChyvesError(f"{where}: is no vm_dir; give what it is in rc.conf: sysrc -n vm_dir")
    return Path(where), ""


def settings(text: str) -> dict[str, str]:
    """The settings of a file as vm-bhyve reads them: lower case, at the beginning of a line, # begins a comment."""
    lines = (line.partition("#")[0].strip().replace('"', "") for line in text.splitlines() if line[:1].islower())
    pairs = (line.partition("=") for line in lines if "=" in line)
    found: dict[str, str] = {}
    for name, _, value in pairs:
        found.setdefault(name, value)
    return found


def _guest(file: Path, told: Mapping[str, str], dataset: str, switches: Mapping[str, str]) -> Foreign:
    name = file.stem
    guest = Foreign(name, vmm=name, stop=f"vm stop {name}")
    _loader(guest, told)
    for theirs, ours in SAME.items():
        guest.take(ours, told.get(theirs, ""))
    guest.take("bargs", " ".join(_bargs(told)))
    _screen(guest, told)
    if _says_yes(told, "uefi_vars") and guest.properties["loader"] == "uefi":
        guest.variables = str(file.parent / "uefi-vars.fd")
    each = 1 if guest.properties["loader"] == "uefi" else FUNCTIONS
    guest.disks = list(_disks(file.parent, told, f"{dataset}/{name}", each))
    first = _first_slot(told) + (len(guest.disks) + each - 1) // each
    for number in _numbers(told, "network", "_type"):
        mac, switch, kind = (told.get(f"network{number}_{what}", "") for what in ("mac", "switch", "type"))
        bridge = switches.get(f"bridge_{switch}", "") if switches.get(f"type_{switch}") == "manual" else ""
        guest.cards.append(Card(mac, bridge or switch, _place(first, number, FUNCTIONS), (("type", kind),)))
    for number in _numbers(told, "passthru", ""):
        guest.add_device(f"passthru,{told[f'passthru{number}'].partition('=')[0]}")
    _further_devices(guest, told)
    guest.take("on_reboot", "stop" if told.get("on_restart", "restart") != "restart" else "")
    guest.take("on_crash", "restart" if told.get("on_fault") == "restart" else "")
    guest.left += sorted(name for name, value in told.items() if value and _is_left(name, value))
    if (file.parent / SEED).exists():
        guest.left.append(f"{SEED} (its files belong below .cloud-init; set cloudinit)")
    return guest


def _is_left(name: str, value: str) -> bool:
    """Whether a setting is one that chyves does not take over."""
    return name not in SAME and USUAL.get(name) != value and not KNOWN.fullmatch(name)


def _loader(guest: Foreign, told: Mapping[str, str]) -> None:
    loader = told.get("loader", "")
    if loader not in LOADERS and loader.partition("-")[0] != "uefi":
        guest.refusal = f"loader: {loader!a} is none of vm-bhyve's; see: vm configure {guest.name}"
    guest.take("loader", LOADERS.get(loader, "uefi"))
    if guest.properties["loader"] == "uefi":
        guest.take("uefi_firmware", FIRMWARE.get(loader, "BHYVE_UEFI.fd"))


def _further_devices(guest: Foreign, told: Mapping[str, str]) -> None:
    if _says_yes(told, "virt_random"):
        guest.take("virtio_rnd", "yes")
    if _says_yes(told, "sound"):
        guest.take("audio_play", told.get("sound_play", "/dev/dsp0"))
        guest.take("audio_rec", told.get("sound_rec", ""))
    for number in _numbers(told, "virt_console", ""):
        port = told[f"virt_console{number}"]
        guest.take(f"vtcon{number}", str(number) if port.lower() in ("yes", "on", "1") else port)


def _says_yes(told: Mapping[str, str], setting: str, default: str = "") -> bool:
    return told.get(setting, default).lower() not in NO


def _bargs(told: Mapping[str, str]) -> Iterator[str]:
    yield BARGS
    if _says_yes(told, "utctime", "yes"):
        yield "-u"
    if _says_yes(told, "wired_memory"):
        yield "-S"
    if told.get("bhyve_options"):
        yield told["bhyve_options"]


def _screen(guest: Foreign, told: Mapping[str, str]) -> None:
    if not _says_yes(told, "graphics") or guest.properties["loader"] != "uefi":
        return
    guest.properties |= SCREEN
    for theirs, ours in {"port": "port", "listen": "ip", "res": "res"}.items():
        guest.take(f"uefi_vnc_{ours}", told.get(f"graphics_{theirs}", ""))
    guest.take("uefi_vnc_password", told.get("vnc_password", ""))
    waits = told.get("graphics_wait") != "auto" and _says_yes(told, "graphics_wait")  # auto: for an installation
    guest.take("uefi_vnc_pause_until_client_connect", "yes" if waits else "")
    guest.take("uefi_vnc_mouse_type", "usb3" if _says_yes(told, "xhci_mouse") else "")


def _first_slot(told: Mapping[str, str]) -> int:
    given = told.get("start_slot", "")
    return int(given) if given.isdecimal() else FIRST_SLOT


def _place(first: int, number: int, each: int) -> str:
    """Where the device of a number sits, when so many of its kind share a slot."""
    return f"{first + number // each}:{number % each}"


def _disks(directory: Path, told: Mapping[str, str], dataset: str, each: int) -> Iterator[ForeignDisk]:
    """The disks in their order; a gap in the numbers ends them, as with vm-bhyve.

    UEFI guests have each on a slot of its own, others eight on one; with ahci_device_limit they share controllers.
    """
    first, several = _first_slot(told), "ahci_device_limit" in told
    for number in _numbers(told, "disk", "_name"):
        disk, emulation = told[f"disk{number}_name"], told.get(f"disk{number}_type", "")
        if not emulation:
            return
        kind = told.get(f"disk{number}_dev", "file")
        places = {"zvol": f"/dev/zvol/{dataset}/{disk}", "sparse-zvol": f"/dev/zvol/{dataset}/{disk}", "custom": disk}
        place = "" if several else _place(first, number, each)
        options = tuple(disk_options(told.get(f"disk{number}_opts", "")))
        yield ForeignDisk(places.get(kind, str(directory / disk)), emulation, place, options)


def _numbers(told: Mapping[str, str], what: str, ending: str) -> Iterator[int]:
    number = 0
    while told.get(f"{what}{number}{ending}"):
        yield number
        number += 1


def _in_order(host: Host, found: Mapping[str, Foreign]) -> None:
    """Those in rc.conf's vm_list start with the host, in its order."""
    status, said = host.run.probe("sysrc", "-n", "-i", "vm_list")
    listed = [name for name in said.split() if name in found] if status == 0 else []
    status, delay = host.run.probe("sysrc", "-n", "-i", "vm_delay") if listed else (1, "")
    for place, name in enumerate(listed):
        found[name].take("rcboot", str(len(listed) - place))
        found[name].take("rcboot_delay", delay.strip() if status == 0 else "")
