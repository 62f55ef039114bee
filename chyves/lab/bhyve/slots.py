"""`-s SLOT,EMULATION[,CONF]`: from the spelling of the command line to the nodes `pci.BUS.SLOT.FUNC` (section 1.5)."""

from __future__ import annotations

import re
from collections.abc import Callable

from chyves.lab.bhyve import arm64
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import End, Stop, fatal
from chyves.lab.place import Lab
from chyves.lab.releases import release

# Every emulation and the first release that has it.
EMULATIONS = {
    "hostbridge": (10, 0),
    "amd_hostbridge": (10, 0),
    "passthru": (10, 0),
    "virtio-net": (10, 0),
    "virtio-blk": (10, 0),
    "virtio-rnd": (10, 0),
    "ahci": (10, 0),
    "ahci-hd": (10, 0),
    "ahci-cd": (10, 0),
    "uart": (10, 0),
    "lpc": (10, 0),
    "e1000": (11, 0),
    "fbuf": (11, 0),
    "xhci": (11, 0),
    "nvme": (12, 0),
    "virtio-scsi": (12, 0),
    "virtio-console": (12, 0),
    "virtio-9p": (13, 0),
    "hda": (13, 0),
    "virtio-input": (13, 2),
}
ALIASES = {"ahci-hd": "ahci", "ahci-cd": "ahci"}
BUSES, SLOTS, FUNCTIONS, PORTS = 256, 32, 8, 32


def emulations(lab: Lab) -> list[str]:
    """What `bhyve -s help` lists on a host."""
    missing = arm64.WITHOUT if lab.is_arm64 else ()
    number = release(lab.release).number
    return [emulation for emulation, since in EMULATIONS.items() if since <= number and emulation not in missing]


def place(text: str) -> tuple[int, int, int] | None:
    """`[BUS:]SLOT[:FUNC]` as sscanf reads it (junk after the numbers is not noticed); None where it is no place."""
    number = r"\s*([+-]?\d+)"
    for pattern in (f"{number}:{number}:{number}", f"(){number}:{number}", f"(){number}()"):
        found = re.match(pattern, text)
        if found:
            bus, slot, function = (int(part or 0) for part in found.groups())
            fits = 0 <= bus < BUSES and 0 <= slot < SLOTS and 0 <= function < FUNCTIONS
            return (bus, slot, function) if fits else None
    return None


def add_slot(config: Config, text: str, known: list[str]) -> None:
    """Write one `-s`; raises Stop (4) for a bad place, an unknown emulation and an occupied slot."""
    where, comma, device = text.partition(",")
    spot = place(where) if comma else None
    if spot is None:
        raise Stop(End.ERROR, f'Invalid PCI slot info field "{text}"')
    emulation, comma, conf = device.partition(",")
    told = ":".join(map(str, spot))
    if emulation not in known:
        raise Stop(End.ERROR, f'pci slot {told}: unknown device "{emulation}"')
    name = "pci." + ".".join(map(str, spot))
    if config.node(name) is not None:
        raise Stop(End.ERROR, f"pci slot {told} already occupied!")
    node = config.make(name)
    node.set("device", ALIASES.get(emulation, emulation))
    if comma:
        READERS.get(emulation, _plain)(node, conf)


def _plain(node: Config, conf: str) -> None:
    """A comma list of `name=value`, or a bare name which means true."""
    for item in conf.split(","):
        name, equals, value = item.partition("=")
        if "." in name:
            fatal(f"Invalid config node name {name}")
        if name:
            node.set(name, value if equals else "true")


def _path_first(node: Config, conf: str) -> None:
    path, comma, more = conf.partition(",")
    node.set("path", path)
    if comma:
        _plain(node, more)


def _nvme(node: Config, conf: str) -> None:
    first, comma, more = conf.partition(",")
    name, equals, value = first.partition("=")
    if name == "ram" and equals:
        node.set("ram", value)
    else:
        node.set("path", first)
    if comma:
        _plain(node, more)


def _network(node: Config, conf: str) -> None:
    """A backend must be the first word, and may be absent."""
    first, comma, more = conf.partition(",")
    if "=" in first or not first:
        _plain(node, conf)
        return
    node.set("backend", first)
    if comma:
        _plain(node, more)


def _ahci(node: Config, conf: str) -> None:
    """`hd:PATH[,opts],cd:PATH[,opts]...`: a word with a colon-typed path begins the next port, none leaves it empty."""
    port = -1
    for item in conf.split(","):
        kind, colon, path = item.partition(":")
        if colon and kind in ("hd", "cd"):
            port += 1
            if path:
                _port(node, port, kind, path)
        elif port < 0 or (colon and "=" not in kind):
            raise Stop(End.ERROR, f'Missing or invalid type for port {port + 1}: "{item}"')
        else:
            _plain(node.make(f"port.{port}"), item)


def _console(node: Config, conf: str) -> None:
    """`NAME=/path.sock[,...]`: ports from 0, each with its name and its path."""
    for port, item in enumerate(conf.split(",")):
        name, equals, path = item.partition("=")
        if not equals:
            raise Stop(End.ERROR, f"vtcon: port {name} requires a path")
        node.set(f"port.{port}.name", name)
        node.set(f"port.{port}.path", path)


def _share(node: Config, conf: str) -> None:
    """`NAME=/path[,ro]`."""
    for item in conf.split(","):
        name, equals, path = item.partition("=")
        if equals and node.get("sharename") is not None:
            raise Stop(End.ERROR, "virtio-9p: more than one share name given")
        if equals:
            node.set("sharename", name)
            node.set("path", path)
        else:
            node.set(name, "true")


def _scsi(node: Config, conf: str) -> None:
    """A device of ctl(4) first, which may be absent."""
    first, comma, more = conf.partition(",")
    if "=" in first or not first:
        _plain(node, conf)
        return
    node.set("dev", first)
    if comma:
        _plain(node, more)


def _one_port(kind: str) -> Callable[[Config, str], None]:
    def read(node: Config, conf: str) -> None:
        path, comma, more = conf.partition(",")
        _port(node, 0, kind, path)
        if comma:
            _plain(node.make("port.0"), more)

    return read


def _port(node: Config, port: int, kind: str, path: str) -> None:
    if port >= PORTS:
        raise Stop(End.ERROR, "Too many AHCI ports")
    node.set(f"port.{port}.type", kind)
    node.set(f"port.{port}.path", path)


def _uart(node: Config, conf: str) -> None:
    node.set("path", conf)


def _xhci(node: Config, conf: str) -> None:
    for slot, device in enumerate(conf.split(","), 1):
        node.set(f"slot.{slot}.device", device)


def _passthru(node: Config, conf: str) -> None:
    """`BUS/SLOT/FUNC`, and from 14.0 `pptN` and `pci[DOM:]BUS:SLOT:FUNC`."""
    first, comma, more = conf.partition(",")
    numbers = re.fullmatch(r"(\d+)/(\d+)/(\d+)", first) or re.fullmatch(r"pci(?:\d+:)?(\d+):(\d+):(\d+)", first)
    if numbers:
        for name, number in zip(("bus", "slot", "func"), numbers.groups(), strict=True):
            node.set(name, number)
    elif re.fullmatch(r"ppt\d+", first):
        node.set("pptdev", first)
    else:
        raise Stop(End.ERROR, f'passthru: invalid options "{conf}"')
    if comma:
        _plain(node, more)


READERS: dict[str, Callable[[Config, str], None]] = {
    "virtio-blk": _path_first,
    "virtio-input": _path_first,
    "virtio-scsi": _scsi,
    "virtio-console": _console,
    "virtio-9p": _share,
    "nvme": _nvme,
    "virtio-net": _network,
    "e1000": _network,
    "ahci": _ahci,
    "ahci-hd": _one_port("hd"),
    "ahci-cd": _one_port("cd"),
    "uart": _uart,
    "xhci": _xhci,
    "passthru": _passthru,
}
