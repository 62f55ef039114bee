"""A device of bhyve(8) as variables of bhyve_config(5): what follows `-s place,` and what it sets (freebsd.md 1.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from chyves.errors import ChyvesError

Variables = dict[str, str]

ALIASES = {"ahci-hd": "ahci", "ahci-cd": "ahci"}
"""Devices that have no such name in a file: there it is the controller, with its one port."""
PORTS = 16
"""Ports of a virtio-console."""
TARGETS_SINCE = 1600000
"""kern.osreldate from which the first word of virtio-scsi is a target, and not the device of the controller."""
SCSI = "/dev/cam/ctl"


def variables(node: str, device: str, release: int) -> Variables:
    """What a device at `pci.BUS.SLOT.FUNCTION` sets there; `release` is kern.osreldate. Raises ChyvesError."""
    emulation, comma, conf = device.partition(",")
    found = {f"{node}.device": ALIASES.get(emulation, emulation)}
    if emulation == "virtio-scsi":
        return found | _scsi(node, conf, release)
    if not comma:
        return found
    try:
        return found | READERS.get(emulation, _plain)(node, conf)
    except ValueError as error:
        raise ChyvesError(f"-s ...,{device}: {error}") from None


def pairs(node: str, words: Iterable[str]) -> Variables:
    """Words name=value below a node; one without a value is true. Raises ChyvesError for a name with a dot."""
    found = {}
    for word in filter(None, words):
        name, equals, value = word.partition("=")
        if "." in name:
            raise ChyvesError(f"{word}: bhyve takes no dot in the name of an option; take it out")
        found[f"{node}.{name}"] = value if equals else "true"
    return found


def _plain(node: str, conf: str) -> Variables:
    return pairs(node, conf.split(","))


def _first(name: str) -> Callable[[str, str], Variables]:
    """A reader of devices whose first word has no name on the line."""

    def read(node: str, conf: str) -> Variables:
        first, *more = conf.split(",")
        return {f"{node}.{name}": first} | pairs(node, more)

    return read


def _nvme(node: str, conf: str) -> Variables:
    return _plain(node, conf) if conf.startswith("ram=") else _first("path")(node, conf)


def _network(node: str, conf: str) -> Variables:
    """The backend is the first word, and may be absent."""
    return _plain(node, conf) if "=" in conf.partition(",")[0] else _first("backend")(node, conf)


def _one_port(kind: str) -> Callable[[str, str], Variables]:
    def read(node: str, conf: str) -> Variables:
        path, *more = conf.split(",")
        return _port(f"{node}.port.0", kind, path, more)

    return read


def _port(node: str, kind: str, path: str, more: Iterable[str]) -> Variables:
    return {f"{node}.type": kind, f"{node}.path": path} | pairs(node, more)


def _ahci(node: str, conf: str) -> Variables:
    """Ports count in the order of the line; one without a path is left empty, and has no variables."""
    found: Variables = {}
    for number, port in enumerate(re.split(r",(?=hd:|cd:)", conf)):
        kind, colon, rest = port.partition(":")
        if not colon or kind not in ("hd", "cd"):
            raise ValueError("begins with neither hd: nor cd:; say which it is")
        path, *more = rest.split(",")
        if path:
            found |= _port(f"{node}.port.{number}", kind, path, more)
    return found


def _consoles(node: str, conf: str) -> Variables:
    found: Variables = {}
    ports = conf.split(",")
    if len(ports) > PORTS:
        raise ValueError(f"has {len(ports)} ports, and a console has {PORTS} at most; give it fewer")
    for number, port in enumerate(ports):
        name, equals, path = port.partition("=")
        if not equals:
            raise ValueError(f"port {name} has no path; write {name}=/path")
        found |= {f"{node}.port.{number}.name": name, f"{node}.port.{number}.path": path}
    return found


def _share(node: str, conf: str) -> Variables:
    shares = [word for word in conf.split(",") if "=" in word]
    if len(shares) != 1:
        raise ValueError("shares one directory; write name=/path once")
    name, _, path = shares[0].partition("=")
    others = [word for word in conf.split(",") if "=" not in word]
    return {f"{node}.sharename": name, f"{node}.path": path} | pairs(node, others)


def _usb(node: str, conf: str) -> Variables:
    """Devices count from 1; each may have one option of its own."""
    found: Variables = {}
    for number, device in enumerate(conf.split(","), 1):
        name, _, option = device.partition("=")
        found |= {f"{node}.slot.{number}.device": name} | pairs(f"{node}.slot.{number}", [option])
    return found


def _uart(node: str, conf: str) -> Variables:
    return {f"{node}.path": conf}


def _passthru(node: str, conf: str) -> Variables:
    card, *more = conf.split(",")
    place = re.fullmatch(r"(?:pci(?:[0-9]+:)?)?([0-9]+)[/:]([0-9]+)[/:]([0-9]+)", card)
    if place:
        named = zip(("bus", "slot", "func"), map(int, place.groups()), strict=True)
        found = {f"{node}.{name}": str(number) for name, number in named}
    elif re.fullmatch(r"ppt[0-9]+", card):
        found = {f"{node}.pptdev": card}
    else:
        raise ValueError(f"{card} is no device of the host; write bus/slot/function, such as 2/0/0")
    return found | pairs(node, more)


def _scsi(node: str, conf: str, release: int) -> Variables:
    """The newest bhyve has targets with numbers of their own; until then there is one device, or bhyve's own."""
    words = list(filter(None, conf.split(",")))
    if release < TARGETS_SINCE:
        first = [words.pop(0)] if words and "=" not in words[0] else []
        return {f"{node}.dev": path for path in first} | pairs(node, words)
    bare = bool(words) and "=" not in words[0]
    targets = [words.pop(0)] if bare else []
    targets += [word.removeprefix("target=") for word in words if word.startswith("target=")]
    rest = [word for word in words if not word.startswith("target=")]
    return dict(_targets(node, targets or [SCSI])) | pairs(node, rest)


def _targets(node: str, targets: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each target with its number, or the one after the last."""
    last = -1
    for target in targets:
        number, colon, path = target.partition(":")
        own = bool(colon) and number.isdecimal()
        last = int(number) if own else last + 1
        yield f"{node}.target.{last}", path if own else target


READERS: dict[str, Callable[[str, str], Variables]] = {
    "virtio-blk": _first("path"),
    "virtio-input": _first("path"),
    "virtio-9p": _share,
    "virtio-console": _consoles,
    "nvme": _nvme,
    "virtio-net": _network,
    "e1000": _network,
    "ahci": _ahci,
    "ahci-hd": _one_port("hd"),
    "ahci-cd": _one_port("cd"),
    "uart": _uart,
    "xhci": _usb,
    "passthru": _passthru,
}
