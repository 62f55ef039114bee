"""What a `pcidev_{n}`, which may be any device of bhyve(8), must not be."""

from __future__ import annotations

import re

from chyves.bhyve.devices import is_passthru, physical, shows_screen
from chyves.bhyve.facts import Facts, HostFacts
from chyves.errors import ChyvesError
from chyves.nics import addresses, owner_of
from chyves.properties import Guest

NAMED_PASSTHRU_SINCE = 1400000
"""kern.osreldate from which bhyve takes passthru,ppt0 and passthru,pci0:2:0:0 (freebsd.md 1.6)."""
SCREEN_WIDTH, SCREEN_HEIGHT, PASSWORD = range(640, 3841), range(480, 2161), 8

DISKS = ("ahci", "ahci-hd", "nvme", "virtio-blk")
"""Devices that write to a file or a volume of the host."""

_BY_NUMBERS = re.compile(r"[0-9]{1,3}/[0-9]{1,2}/[0-7]")
_BY_NAME = re.compile(r"ppt[0-9]{1,4}|pci([0-9]{1,5}:)?[0-9]{1,3}:[0-9]{1,2}:[0-7]")


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for a further device that cannot be beside what chyves gives the guest itself."""
    screens = ["the one of uefi_console_output=vnc"] if shows_screen(guest) else []
    hosts: dict[object, str] = {}
    used = {disk.path: disk.name for disk in facts.disks} | {interface: "net_ifaces" for interface in guest.net_ifaces}
    used |= {f"{facts.console}{end}": "serial" for end in "AB"}
    for number, text in sorted(guest.pcidev.items()):
        name = f"pcidev_{number}"
        _refuse(facts, name, _twice(text, used))
        used |= dict.fromkeys(_backends(text), name)
        if text.partition(",")[0] == "lpc":
            _refuse(facts, name, "the guest has its lpc on slot 31; take this one out")
        if text.partition(",")[0] == "fbuf":
            _refuse(facts, name, _screen(text, guest, screens))
            screens.append(name)
        if is_passthru(text):
            _refuse(facts, name, _passthru(text, facts, hosts))
            hosts[_card(text)] = name
    _addresses(guest, facts)


def disk_paths(guest: Guest) -> list[str]:
    """The files and volumes that a guest is given as disks by its `pcidev_{n}`."""
    devices = (text for text in guest.pcidev.values() if text.partition(",")[0] in DISKS)
    return [path for text in devices for path in _backends(text) if path.startswith("/")]


def _refuse(facts: Facts, name: str, reason: str | None) -> None:
    if reason:
        raise ChyvesError(f"{facts.name}: {name}: {reason}")


def _backends(text: str) -> list[str]:
    """What of the host a device takes for itself: a disk's path or an interface."""
    words = [word.removeprefix("hd:").removeprefix("cd:") for word in text.split(",")[1:]]
    return [word for word in words if re.match(r"/|tap[0-9]|vale", word)]


def _twice(text: str, used: dict[str, str]) -> str | None:
    taken = next((word for word in _backends(text) if word in used), None)
    return f"{taken} is what {used[taken]} has already; take one of them away" if taken else None


def _screen(text: str, guest: Guest, screens: list[str]) -> str | None:
    """Rules of freebsd.md 1.6: one frame buffer, UEFI only, no vga=on (it stays dark in silence), sizes in range."""
    if guest.loader != "uefi":
        return f"a frame buffer shows nothing with loader={guest.loader}; use loader=uefi"
    if screens:
        return f"a guest has one frame buffer, and {screens[0]} is it; take one of them away"
    options = dict(word.partition("=")[::2] for word in text.split(",")[1:])
    if options.get("vga") == "on":
        return "vga=on leaves the frame buffer dark; use vga=io or vga=off"
    for key, fits in (("w", SCREEN_WIDTH), ("h", SCREEN_HEIGHT)):
        if key in options and not (options[key].isdecimal() and int(options[key]) in fits):
            return f"{key}={options[key]} is not possible; use {fits[0]} to {fits[-1]}"
    if len(options.get("password", "")) > PASSWORD:
        return f"only the first {PASSWORD} characters of a password count; use a shorter one"
    return None


def _card(text: str) -> object:
    return physical(text) or text.split(",")[1]


def _passthru(text: str, facts: Facts, hosts: dict[object, str]) -> str | None:
    card = text.split(",")[1] if "," in text else ""
    named = bool(_BY_NAME.fullmatch(card))
    if not named and not _BY_NUMBERS.fullmatch(card):
        return "is no device of the host; write passthru,bus/slot/function as pciconf -l counts, such as passthru,2/0/0"
    if named and facts.host.release < NAMED_PASSTHRU_SINCE:
        return f"{card} is how FreeBSD 14 and later name it; write passthru,bus/slot/function"
    if not facts.host.iommu:
        return no_iommu(facts.host)
    if _card(text) in hosts:
        return f"{card} is what {hosts[_card(text)]} has already; take one of them away"
    return None


def no_iommu(host: HostFacts) -> str:
    """Why this host cannot pass devices through, and what to do."""
    if host.amdvi_off:
        line = 'hw.vmm.amdvi.enable="1"'
        return (
            f"passthru needs an IOMMU, and vmm(4) leaves AMD's off; have {line} in /boot/loader.conf, reboot the host"
        )
    return "passthru needs an IOMMU, and this host uses none; switch VT-d or AMD-Vi on in its BIOS"


def _addresses(guest: Guest, facts: Facts) -> None:
    """Each card an Ethernet address of its own, one that a card can have (bhyve: unicast, not zero)."""
    mine = addresses(guest).items()
    found = [(name, mac) for name, mac in mine if owner_of(name) in guest.net_ifaces]
    found += [("vale_mac", mac) for port, mac in guest.vale_mac.items() if port in guest.net_ifaces]
    for number, text in sorted(guest.pcidev.items()):
        found += [(f"pcidev_{number}", word[4:]) for word in text.split(",") if word.startswith("mac=")]
    seen: dict[str, str] = {}
    for name, text in found:
        try:
            mac = Guest.tap_mac.type.parse(text)
        except ValueError as error:
            raise ChyvesError(f"{facts.name}: {name}: mac={text} is not possible; give {error}") from None
        if mac in seen:
            raise ChyvesError(f"{facts.name}: {name}: {mac} is also {seen[mac]}; give each card its own")
        seen[mac] = name
