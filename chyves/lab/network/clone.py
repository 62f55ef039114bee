"""How ifconfig(8) makes interfaces: taps, bridges, vlans, pairs."""

from __future__ import annotations

import contextlib

from chyves.lab.kernel import Refused
from chyves.lab.network.interface import NAME_LENGTH, Interface, family_of, new_ether
from chyves.lab.network.interfaces import Interfaces
from chyves.lab.network.verbs import Failed

FAMILIES = ("bridge", "epair", "tap", "tun", "vlan", "vmnet", "vxlan", "lo", "gif", "lagg")
MODULES = {"bridge": "if_bridge", "epair": "if_epair", "vxlan": "if_vxlan", "lagg": "if_lagg"}
OLD_TAP = {"tap": "if_tap", "vmnet": "if_tap"}


def cloners(interfaces: Interfaces) -> list[str]:
    """Families that this kernel can make now, as `ifconfig -C` lists them."""
    return [family for family in FAMILIES if _module(interfaces, family) is None]


def create(interfaces: Interfaces, name: str, words: list[str]) -> Interface:
    """Make the interface of a name, or of a family with the lowest free number; takes vlan's words off the front.

    The kernel module of the family is loaded on demand, as ifconfig does it.
    """
    if len(name) > NAME_LENGTH:
        raise Failed(f"{name}: cloning name too long")
    if interfaces.get(name):
        raise Failed(_exists(interfaces, name))
    if "." in name:
        return _vlan_by_name(interfaces, name)
    family, unit = family_of(name)
    if family not in FAMILIES or str(int(unit or 0)) != (unit or "0"):
        raise Failed(f"SIOCIFCREATE2 ({name}): Invalid argument")
    if module := _module(interfaces, family):
        with contextlib.suppress(Refused):
            interfaces.kernel.load(module)
        if _module(interfaces, family):
            raise Failed(f"SIOCIFCREATE2 ({name}): Invalid argument")
    device = f"{family}{unit or interfaces.free_unit(family)}"
    if family == "epair":
        return _pair(interfaces, device)
    if interfaces.by_device(device):
        raise Failed(_exists(interfaces, device))
    vlan = _vlan_words(interfaces, words) if family == "vlan" else (0, None)
    return _add(interfaces, device, family, vlan)


def _exists(interfaces: Interfaces, name: str) -> str:
    if interfaces.number < (13, 0):
        return "SIOCIFCREATE2: File exists"
    return f"interface {name} already exists"


def _module(interfaces: Interfaces, family: str) -> str | None:
    """The module that a family still needs."""
    module = MODULES.get(family) or (OLD_TAP.get(family) if interfaces.number < (13, 0) else None)
    return None if module is None or interfaces.kernel.loaded(module) else module


def _add(interfaces: Interfaces, name: str, family: str, vlan: tuple[int, str | None] = (0, None)) -> Interface:
    made = Interface(name, name, family, interfaces.next_number(), groups=[family])
    made.vlan, made.parent = vlan
    parent = interfaces.get(made.parent or "")
    made.ether = parent.ether if parent else "" if family in ("lo", "gif", "tun") else new_ether(family)
    made.mtu = parent.mtu if parent else 1500
    interfaces.add(made)
    return made


def _pair(interfaces: Interfaces, device: str) -> Interface:
    if interfaces.get(f"{device}a") or interfaces.get(f"{device}b"):
        raise Failed(_exists(interfaces, f"{device}a"))
    first, second = (_add(interfaces, f"{device}{end}", "epair") for end in "ab")
    first.peer, second.peer = second.name, first.name
    return first


def _vlan_by_name(interfaces: Interfaces, name: str) -> Interface:
    parent, _, tag = name.rpartition(".")
    if interfaces.get(parent) is None or not tag.isdigit():
        raise Failed(f"SIOCIFCREATE2 ({name}): Invalid argument")
    return _add(interfaces, name, "vlan", _free_tag(interfaces, int(tag), parent))


def _vlan_words(interfaces: Interfaces, words: list[str]) -> tuple[int, str | None]:
    """The tag and the parent among the words, which are taken out."""
    told: dict[str, str] = {}
    for key in ("vlan", "vlandev"):
        if key in words:
            at = words.index(key)
            if at + 1 == len(words):
                raise Failed(f"'{key}' requires argument")
            told[key] = words[at + 1]
            del words[at : at + 2]
    if not told:
        return 0, None
    if "vlandev" not in told:
        raise Failed("must specify a parent device for vlan create")
    if not told.get("vlan", "").isdigit():
        raise Failed("invalid value for vlan" if "vlan" in told else "must specify a tag for vlan create")
    if interfaces.get(told["vlandev"]) is None:
        raise Failed("SIOCIFCREATE2 (vlan): Device not configured")
    return _free_tag(interfaces, int(told["vlan"]), told["vlandev"])


def _free_tag(interfaces: Interfaces, tag: int, parent: str) -> tuple[int, str]:
    if not 1 <= tag <= 4094:
        raise Failed("SIOCIFCREATE2 (vlan): Invalid argument")
    if any((other.vlan, other.parent) == (tag, parent) for other in interfaces):
        raise Failed("SIOCIFCREATE2 (vlan): File exists")
    return tag, parent
