"""Domains of libvirt's bhyve driver: an XML file each, as `virsh dumpxml` prints it (libvirt.org/formatdomain.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from chyves.adopt.foreign import SCREEN, Card, Foreign, ForeignDisk
from chyves.errors import ChyvesError
from chyves.host.machine import Host

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

UNITS = {"b": 0, "bytes": 0, "kb": 10, "k": 10, "kib": 10, "m": 20, "mib": 20, "g": 30, "gib": 30, "t": 40, "tib": 40}
"""Powers of two of the units of memory; KB and so on of a thousand are as rare as they are wrong here."""

EMULATIONS = {"sata": "ahci-hd", "virtio": "virtio-blk", "nvme": "nvme"}
CARDS = {"virtio": "virtio-net"}
"""Kinds of network cards that bhyve calls otherwise."""
DEVICES = frozenset(
    "disk interface graphics video console serial controller input emulator rng hostdev filesystem".split()
)
DOMAIN = frozenset(
    "name uuid description metadata memory currentMemory memoryBacking vcpu os features cpu clock on_poweroff "
    "on_reboot on_crash devices bootloader".split()
)
"""Parts of a domain that are taken over, or that say nothing that bhyve could heed."""
AGENT = "org.qemu.guest_agent.0"
AUTOSTART = "autostart"
"""Below the directory of the domains: links to those that start with the host."""
FEATURES = {"acpi": "-A"}
COMMAND_LINE = "{http://libvirt.org/schemas/domain/bhyve/1.0}commandline"


def guests(host: Host, where: str) -> dict[str, Foreign]:
    """The domains in a file or in a directory of files (`/usr/local/etc/libvirt/bhyve`); raises ChyvesError."""
    top = Path(where)
    found = {}
    for file in [top] if top.is_file() else sorted(top.glob("*.xml")):
        try:
            domain = _parsed(file, host.files.read(file))
            guest = _guest(domain) if domain.get("type") == "bhyve" else None
        except (ChyvesError, ValueError) as error:
            guest = Foreign(file.stem, vmm=file.stem, stop="", refusal=str(error))
        if guest is not None:
            guest.take("rcboot", "1" if (file.parent / AUTOSTART / file.name).exists() else "")
            found[guest.name] = guest
    if not found:
        place = "/usr/local/etc/libvirt/bhyve"
        raise ChyvesError(f"{where}: has no domains of bhyve; give a file of virsh dumpxml, or the directory {place}")
    return found


def _parsed(file: Path, text: str) -> Element:
    from xml.etree.ElementTree import ParseError, fromstring

    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ChyvesError(f"{file}: has a document type, which libvirt does not write; take it out")
    try:
        return fromstring(text)
    except ParseError as error:
        raise ChyvesError(f"{file}: is no XML: {error}; write it anew with: virsh dumpxml") from None


def _guest(domain: Element) -> Foreign:
    name = domain.findtext("name", "").strip()
    guest = Foreign(name, vmm=name, stop=f"virsh shutdown {name}")
    guest.take("uuid", domain.findtext("uuid", "").strip())
    guest.take("cpu", domain.findtext("vcpu", "").strip())
    topology = domain.find("cpu/topology")
    for part in ("sockets", "cores", "threads") if topology is not None else ():
        guest.take(f"cpu_{part}", topology.get(part, "") if topology is not None else "")
    guest.take("ram", _memory(domain))
    guest.take("description", " ".join(domain.findtext("description", "").split()))
    guest.take("bargs", " ".join(_bargs(domain)))
    _loader(guest, domain)
    _screen(guest, domain)
    for disk in domain.iterfind("devices/disk"):
        if disk.get("device", "disk") == "disk":
            guest.disks.append(_disk(disk))
        else:
            source = disk.find("source")
            guest.left.append(f"the {disk.get('device')} {'' if source is None else source.get('file', '')}".rstrip())
    for card in domain.iterfind("devices/interface"):
        source, mac = card.find("source"), card.find("mac")
        where = card.get("type", "") if source is None else source.get("bridge", source.get("network", ""))
        model = card.find("model")
        kind = "" if model is None else CARDS.get(model.get("type", ""), model.get("type", ""))
        guest.cards.append(Card("" if mac is None else mac.get("address", ""), where, _place(card), (("type", kind),)))
    guest.take("virtio_rnd", "yes" if domain.find("devices/rng") is not None else "")
    for turn in ("on_reboot", "on_poweroff", "on_crash"):
        guest.after(turn, domain.findtext(turn, "").strip())
    _further_devices(guest, domain)
    guest.left += _left(domain)
    return guest


def _further_devices(guest: Foreign, domain: Element) -> None:
    """Devices of the host, its directories that the guest mounts, and the port of an agent."""
    guest.take("agent", "yes" if any(map(_is_agent, domain.iterfind("devices/channel"))) else "")
    for device in domain.iterfind("devices/hostdev"):
        address = device.find("source/address")
        if device.get("type") != "pci" or address is None:
            guest.left.append(f"hostdev of type {device.get('type')}")
        else:
            places = (str(_number(address, part)) for part in ("bus", "slot", "function"))
            guest.add_device(f"passthru,{'/'.join(places)}")
    for number, share in enumerate(domain.iterfind("devices/filesystem")):
        source, target = share.find("source"), share.find("target")
        if source is not None and target is not None:
            read_only = "" if share.find("readonly") is None else ",ro"
            guest.take(f"share{number}", f"{target.get('dir')}={source.get('dir')}{read_only}")


def _memory(domain: Element) -> str:
    element = domain.find("memory")
    if element is None or not (element.text or "").strip().isdecimal():
        return ""
    size = int((element.text or "").strip()) << UNITS.get(element.get("unit", "KiB").lower(), 10)
    return f"{size >> 20}M"


def _bargs(domain: Element) -> Iterator[str]:
    yield "-H -P"
    yield from (option for feature, option in FEATURES.items() if domain.find(f"features/{feature}") is not None)
    clock = domain.find("clock")
    if clock is not None and clock.get("offset") == "utc":
        yield "-u"
    if domain.find("memoryBacking/locked") is not None:
        yield "-S"
    unknown = domain.find("features/msrs")
    if unknown is not None and unknown.get("unknown") == "ignore":
        yield "-w"


def _loader(guest: Foreign, domain: Element) -> None:
    """A domain with a boot ROM is a UEFI guest; the file of the loader is its firmware."""
    rom, loader = domain.findtext("os/loader", "").strip(), domain.findtext("bootloader", "").strip()
    firmware = domain.find("os")
    if rom or (firmware is not None and firmware.get("firmware") == "efi"):
        guest.properties |= {"loader": "uefi", "uefi_firmware": rom.rpartition("/")[2] or "BHYVE_UEFI.fd"}
        guest.variables = domain.findtext("os/nvram", "").strip()
    else:
        guest.take("loader", "grub-bhyve" if loader.endswith("grub-bhyve") else "bhyveload")


def _screen(guest: Foreign, domain: Element) -> None:
    graphics = domain.find("devices/graphics[@type='vnc']")
    if graphics is None or guest.properties["loader"] != "uefi":
        return
    guest.properties |= SCREEN
    listen = graphics.find("listen")
    guest.take("uefi_vnc_ip", graphics.get("listen", "" if listen is None else listen.get("address", "")))
    guest.take("uefi_vnc_port", _port(graphics))
    guest.take("uefi_vnc_password", graphics.get("passwd", ""))
    size = domain.find("devices/video/model/resolution")
    if size is not None:
        guest.take("uefi_vnc_res", f"{size.get('x')}x{size.get('y')}")
    if domain.find("devices/input[@type='tablet']") is not None:
        guest.take("uefi_vnc_mouse_type", "usb3")


def _port(graphics: Element) -> str:
    """The port of a screen; none where libvirt is to choose one, which it writes as -1."""
    port = graphics.get("port", "")
    return port if port.isdecimal() and graphics.get("autoport") != "yes" else ""


def _disk(disk: Element) -> ForeignDisk:
    source, target = disk.find("source"), disk.find("target")
    path = "" if source is None else source.get("file", source.get("dev", ""))
    if source is not None and disk.get("type") == "volume":
        path = f"/dev/zvol/{source.get('pool', '')}/{source.get('volume', '')}"
    if not path:
        raise ValueError(f"has a disk of type {disk.get('type')}, which is no file and no volume; take it out")
    bus = "" if target is None else target.get("bus", "")
    return ForeignDisk(path, EMULATIONS.get(bus, "ahci-hd"), _place(disk), tuple(_disk_settings(disk)))


def _disk_settings(disk: Element) -> Iterator[tuple[str, str]]:
    """What is set of a disk, by the words of chyves."""
    if serial := disk.findtext("serial", "").strip():
        yield "serial", serial
    if disk.find("readonly") is not None:
        yield "readonly", "yes"
    sizes = disk.find("blockio")
    if sizes is not None:
        both = (sizes.get("logical_block_size"), sizes.get("physical_block_size"))
        yield "sectorsize", "/".join(filter(None, both))


def _place(device: Element) -> str:
    """The slot and function that an address of the PCI bus 0 names; a disk may be told by its controller instead."""
    address = device.find("address[@type='pci']")
    if address is None or _number(address, "bus"):
        return ""
    return f"{_number(address, 'slot')}:{_number(address, 'function')}"


def _number(address: Element, part: str) -> int:
    text = address.get(part, "0")
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"has an address with the {part} {text!a}, which is no number; mend it: virsh edit") from None


def _left(domain: Element) -> Iterator[str]:
    devices = domain.find("devices")
    for device in devices if devices is not None else ():
        if device.tag not in DEVICES and not _is_agent(device):
            yield device.tag
    yield from (part.tag for part in domain if part.tag not in DOMAIN and part.tag != COMMAND_LINE)
    if domain.find("devices/*/boot") is not None:
        yield "the boot order"
    commands = domain.find(COMMAND_LINE)
    if commands is not None:
        yield " ".join(re.sub(r"\s+", " ", argument.get("value", "")) for argument in commands)


def _is_agent(device: Element) -> bool:
    """Whether a device is the port of a guest agent."""
    target = device.find("target")
    return device.tag == "channel" and target is not None and target.get("name") == AGENT
