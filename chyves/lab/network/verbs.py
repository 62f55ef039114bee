"""The verbs of ifconfig(8): what each does to an interface, and how the kernel refuses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from chyves.lab.network.interface import NAME_LENGTH, Interface, new_ether
from chyves.lab.network.interfaces import Interfaces


class Failed(Exception):
    """ifconfig stops here with these words and status 1."""


class Warned(Exception):
    """ifconfig says these words and goes on; its status stays 0."""


class HeldOpen(Exception):
    """The device of a tap is open, so destroying it waits until it is closed."""


Verb = Callable[[Interfaces, Interface, str], None]
VERBS: dict[str, tuple[int, Verb]] = {}


def verb(*names: str, words: int = 0) -> Callable[[Verb], Verb]:
    """Enter a function in the table of verbs, with the number of words it takes."""

    def enter(function: Verb) -> Verb:
        VERBS.update(dict.fromkeys(names, (words, function)))
        return function

    return enter


@verb("up")
def _up(_: Interfaces, interface: Interface, __: str) -> None:
    interface.up = True


@verb("down")
def _down(_: Interfaces, interface: Interface, __: str) -> None:
    interface.up = False


@verb("destroy", "unplumb")
def _destroy(interfaces: Interfaces, interface: Interface, _: str) -> None:
    if not interface.cloned:
        raise Failed("SIOCIFDESTROY: Invalid argument")
    if interface.opened_by:
        raise HeldOpen
    interfaces.remove(interface)
    if interface.peer and (peer := interfaces.get(interface.peer)):
        interfaces.remove(peer)


@verb("mtu", words=1)
def _mtu(interfaces: Interfaces, interface: Interface, word: str) -> None:
    least, most = {"bridge": (576, 65535), "ether": (72, 9216), "loop": (72, 65535)}.get(interface.family, (72, 65535))
    mtu = int(word) if word.isdigit() else 0
    members = interfaces.members(interface.name)
    if not least <= mtu <= most or any(member.family == "ether" and mtu > 9216 for member in members):
        raise Warned("ioctl (set mtu): Invalid argument")
    if interfaces.number < (13, 0) and any(member.mtu != mtu for member in members):
        raise Warned("ioctl (set mtu): Invalid argument")
    interface.mtu = mtu
    for member in members:
        member.mtu = mtu


@verb("name", words=1)
def _name(interfaces: Interfaces, interface: Interface, word: str) -> None:
    if len(word) > NAME_LENGTH:
        raise Warned("ioctl (set name): File name too long")
    if not word or interfaces.get(word):
        raise Warned(f"ioctl (set name): {'File exists' if word else 'Invalid argument'}")
    interfaces.rename(interface, word)


@verb("description", "descr", words=1)
def _description(interfaces: Interfaces, interface: Interface, word: str) -> None:
    if len(word.encode()) >= int(interfaces.kernel.sysctl("net.ifdescr_maxlen") or 1024):
        raise Warned("ioctl (set descr): File name too long")
    interface.description = word or None


@verb("-description", "-descr")
def _no_description(_: Interfaces, interface: Interface, __: str) -> None:
    interface.description = None


@verb("group", words=1)
def _group(_: Interfaces, interface: Interface, word: str) -> None:
    if word[-1:].isdigit():
        raise Failed("setifgroup: group names may not end in a digit")
    if not word or len(word) > NAME_LENGTH:
        raise Failed("setifgroup: group name too long")
    if word not in interface.groups:
        interface.groups.append(word)


@verb("-group", words=1)
def _no_group(_: Interfaces, interface: Interface, word: str) -> None:
    if word not in interface.groups:
        raise Failed(" SIOCDIFGROUP: No such file or directory")
    interface.groups.remove(word)


@verb("ether", "link", "lladdr", words=1)
def _ether(_: Interfaces, interface: Interface, word: str) -> None:
    if word == "random":
        interface.ether = new_ether("tap")
        return
    if not re.fullmatch(r"[0-9a-fA-F]{1,2}([:-][0-9a-fA-F]{1,2}){5}", word):
        raise Failed("malformed link-level address")
    address = bytes(int(byte, 16) for byte in re.split("[:-]", word))
    if address[0] & 1:
        raise Failed("ioctl (SIOCSIFLLADDR): Invalid argument")
    interface.ether = address.hex(":")


@verb("addm", words=1)
def _addm(interfaces: Interfaces, bridge: Interface, word: str) -> None:
    member = interfaces.get(word)
    if refusal := _why_no_member(interfaces, bridge, member):
        raise Failed(f"BRDGADD {word}: {refusal}")
    assert member
    if interfaces.members(bridge.name):
        member.mtu = bridge.mtu
    else:
        bridge.mtu = member.mtu
    member.bridge, member.member_flags = bridge.name, []


def _why_no_member(interfaces: Interfaces, bridge: Interface, member: Interface | None) -> str | None:
    if member is None:
        return "No such file or directory"
    if member.bridge == bridge.name and "SPAN" not in member.member_flags:
        return "File exists"
    if member.bridge is not None:
        return "Device busy"
    if bridge.family != "bridge" or member.family in ("bridge", "loop"):
        return "Invalid argument"
    if interfaces.number < (13, 0) and interfaces.members(bridge.name) and member.mtu != bridge.mtu:
        return "Invalid argument"
    if member.addresses and not addresses_allowed_on_members(interfaces):
        return "Invalid argument"
    return None


def addresses_allowed_on_members(interfaces: Interfaces) -> bool:
    """Whether a member of a bridge may have an IP address: not in 15.0, unless a sysctl says so."""
    return interfaces.number < (15, 0) or interfaces.kernel.sysctl("net.link.bridge.member_ifaddrs") == "1"


@verb("deletem", words=1)
def _deletem(interfaces: Interfaces, bridge: Interface, word: str) -> None:
    member_of(interfaces, bridge, word, "BRDGDEL " + word).leave()


def member_of(interfaces: Interfaces, bridge: Interface, name: str, words: str) -> Interface:
    """A member of a bridge; raises Failed with ifconfig's words for what it wanted of it."""
    member = interfaces.get(name)
    if member is None or member.bridge != bridge.name:
        raise Failed(f"{words}: No such file or directory")
    return member


def _member_flag(flag: str, on: bool) -> Verb:
    def change(interfaces: Interfaces, bridge: Interface, word: str) -> None:
        member = member_of(interfaces, bridge, word, "unable to get bridge flags")
        member.member_flags = sorted({*member.member_flags, flag} if on else {*member.member_flags} - {flag})

    return change


for _name_of_flag in ("PRIVATE", "STP", "STICKY", "EDGE", "PTP"):
    VERBS[_name_of_flag.lower()] = (1, _member_flag(_name_of_flag, True))
    VERBS[f"-{_name_of_flag.lower()}"] = (1, _member_flag(_name_of_flag, False))


@verb("span", words=1)
def _span(interfaces: Interfaces, bridge: Interface, word: str) -> None:
    member = interfaces.get(word)
    if member is None or member.bridge is not None:
        raise Failed(f"BRDGADDS {word}: {'Device busy' if member else 'No such file or directory'}")
    member.bridge, member.member_flags = bridge.name, ["SPAN"]


@verb("-span", words=1)
def _no_span(interfaces: Interfaces, bridge: Interface, word: str) -> None:
    member_of(interfaces, bridge, word, f"BRDGDELS {word}").leave()


def _setting(name: str) -> Verb:
    def change(_: Interfaces, interface: Interface, word: str) -> None:
        if not word.isdigit():
            raise Failed(f"invalid value: {word}")
        interface.settings[name] = word

    return change


for _name_of_setting in ("maxaddr", "timeout", "priority", "maxage", "fwddelay", "hellotime", "holdcnt", "metric"):
    VERBS[_name_of_setting] = (1, _setting(_name_of_setting))


def _flag(flag: str, on: bool) -> Verb:
    def change(_: Interfaces, interface: Interface, __: str) -> None:
        interface.flags = sorted({*interface.flags, flag} if on else {*interface.flags} - {flag})

    return change


# Offloading and the like leave no trace that a manager of guests looks at; they are taken and kept.
for _name_of_flag in (
    "link0 link1 link2 promisc monitor rxcsum txcsum tso tso4 tso6 lro vlanhwtag vlanhwfilter vlanmtu toe wol "
    "staticarp arp debug ifdisabled auto_linklocal accept_rtadv no_radr performnud"
).split():
    VERBS[_name_of_flag] = (0, _flag(_name_of_flag.upper(), True))
    VERBS[f"-{_name_of_flag}"] = (0, _flag(_name_of_flag.upper(), False))


@verb("flush", "flushall")
def _flush(_: Interfaces, __: Interface, ___: str) -> None:
    """Forget the addresses that a bridge has learnt; the lab's bridges show none."""


def set_address(interfaces: Interfaces, interface: Interface, text: str, change: str) -> None:
    """Set (`set`), add (`alias`) or remove (`-alias`) an IP address, written with its prefix length."""
    address = ip_interface(text)
    line = f"{'inet' if address.version == 4 else 'inet6'} {address}"
    same = [old for old in interface.addresses if _host_of(old) == address.ip]
    if change == "-alias":
        if not same:
            raise Failed("ioctl (SIOCDIFADDR): Can't assign requested address")
        interface.addresses.remove(same[0])
        return
    if interface.bridge and not addresses_allowed_on_members(interfaces):
        raise Failed("ioctl (SIOCAIFADDR): Invalid argument")
    for old in same:
        interface.addresses.remove(old)
    first = next((old for old in interface.addresses if old.startswith("inet ")), None)
    if change == "set" and address.version == 4 and first:
        interface.addresses.remove(first)
    interface.addresses.append(line)
    interface.up = True


def _host_of(line: str) -> object:
    return ip_interface(line.partition(" ")[2]).ip


Address = IPv4Interface | IPv6Interface
