"""VLANs on bridges, which FreeBSD 15.0 brought: ifconfig's words for them, and what becomes of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chyves.lab.network.interface import Interface
from chyves.lab.network.interfaces import Interfaces
from chyves.lab.network.verbs import VERBS, Failed, Verb, member_of
from chyves.vlans import ALL, FIRST, LAST, NONE, joined, numbers

SINCE = (15, 0)
FILTERS, DEFAULT = "VLANFILTER", "defuntagged"
FLAGS = {FILTERS: 0x1, "DEFQINQ": 0x2}
TAG, TAG_LENGTH, AT = b"\x81\x00", 4, 12
"""802.1Q: its type, its bytes, and where in a frame it stands, behind the two addresses."""


def _flag(flag: str, on: bool) -> Verb:
    def change(_: Interfaces, bridge: Interface, __: str) -> None:
        if bridge.family != "bridge":
            raise Failed("BRDGGFLAGS: Invalid argument")
        bridge.flags = sorted({*bridge.flags, flag} if on else {*bridge.flags} - {flag})

    return change


def _default(_: Interfaces, bridge: Interface, word: str) -> None:
    bridge.settings[DEFAULT] = str(_number(word, "invalid vlan id"))


def _no_default(_: Interfaces, bridge: Interface, __: str) -> None:
    bridge.settings.pop(DEFAULT, None)


def _untagged(interfaces: Interfaces, bridge: Interface, words: str) -> None:
    name, word = words.split()
    vlan = _number(word, "invalid VLAN identifier")
    _filtered(interfaces, bridge, name, f"BRDGSIFPVID {word}").untagged = vlan


def _no_untagged(interfaces: Interfaces, bridge: Interface, name: str) -> None:
    _filtered(interfaces, bridge, name, "BRDGSIFPVID").untagged = 0


def _tagged(change: Callable[[set[int], set[int]], set[int]]) -> Verb:
    def do(interfaces: Interfaces, bridge: Interface, words: str) -> None:
        name, word = words.split()
        told = set(numbers(_set(word)))
        member = _filtered(interfaces, bridge, name, f"BRDGSIFVLANSET {word}")
        member.tagged = joined(change(set(numbers(member.tagged)), told))

    return do


NEW: dict[str, tuple[int, Verb]] = {
    "vlanfilter": (0, _flag(FILTERS, True)),
    "-vlanfilter": (0, _flag(FILTERS, False)),
    "defqinq": (0, _flag("DEFQINQ", True)),
    "-defqinq": (0, _flag("DEFQINQ", False)),
    "defuntagged": (1, _default),
    "-defuntagged": (0, _no_default),
    "ifuntagged": (2, _untagged),
    "-ifuntagged": (1, _no_untagged),
    "iftagged": (2, _tagged(lambda _, told: told)),
    "+iftagged": (2, _tagged(lambda had, told: had | told)),
    "-iftagged": (2, _tagged(lambda had, told: had - told)),
}


def verbs(interfaces: Interfaces) -> dict[str, tuple[int, Verb]]:
    """The verbs that ifconfig of this release knows, with the number of words that each takes."""
    return VERBS | NEW if known(interfaces) else VERBS


def known(interfaces: Interfaces) -> bool:
    """Whether the bridges of this release filter VLANs."""
    return interfaces.number >= SINCE


def _filtered(interfaces: Interfaces, bridge: Interface, name: str, words: str) -> Interface:
    """A member of a bridge that filters: another one takes no VLANs."""
    member = member_of(interfaces, bridge, name, words)
    if FILTERS not in bridge.flags:
        raise Failed(f"{words}: Invalid argument")
    return member


def _number(word: str, refusal: str) -> int:
    try:
        vlan = int(word, 0)
    except ValueError:
        vlan = 0
    if not FIRST <= vlan <= LAST:
        raise Failed(f"{refusal}: {word}")
    return vlan


def _set(word: str) -> str:
    """A set of VLANs as ifconfig shows it."""
    if word in (NONE, "all"):
        return "" if word == NONE else ALL
    found: set[int] = set()
    for item in word.split(","):
        first, dash, last = item.partition("-")
        ends = (first, last) if dash else (first, first)
        if not all(end.isdecimal() for end in ends) or not FIRST <= int(ends[0]) <= int(ends[1]) <= LAST:
            raise Failed(f"invalid vlan set: {word}")
        found.update(range(int(ends[0]), int(ends[1]) + 1))
    return joined(found)


def addm(interfaces: Interfaces, bridge: Interface, words: list[str]) -> list[str]:
    """Make an interface a member with the VLANs that follow it; returns the words behind them."""
    if not words:
        raise Failed("usage: addm <interface> [opts ...]")
    name, rest, told = words[0], words[1:], dict[str, str]()
    while rest and rest[0] in ("untagged", "tagged"):
        if len(rest) < 2:
            raise Failed(f"usage: {rest[0]} <{'vlan id' if rest[0] == 'untagged' else 'vlan set'}>")
        told[rest[0]] = str(_number(rest[1], "invalid VLAN identifier")) if rest[0] == "untagged" else _set(rest[1])
        rest = rest[2:]
    VERBS["addm"][1](interfaces, bridge, name)
    member = member_of(interfaces, bridge, name, "")
    member.untagged = int(bridge.settings.get(DEFAULT, "0"))
    if "untagged" in told:
        vlan = told["untagged"]
        _filtered(interfaces, bridge, name, f"BRDGSIFPVID {name} {vlan}").untagged = int(vlan)
    if "tagged" in told:
        _filtered(interfaces, bridge, name, f"BRDGSIFVLANSET {name}").tagged = told["tagged"]
    return rest


def of_bridge(bridge: Interface) -> str:
    """The line of a bridge's flags as ifconfig shows it."""
    flags = [flag for flag in FLAGS if flag in bridge.flags]
    bits = sum(FLAGS[flag] for flag in flags)
    default = f" defuntagged={bridge.settings[DEFAULT]}" if DEFAULT in bridge.settings else ""
    return f"bridge flags={bits:x}<{','.join(flags)}>{default}"


def of_member(member: Interface) -> Iterator[str]:
    """What stands behind a member's cost."""
    yield "vlan protocol 802.1q"
    if member.untagged:
        yield f"untagged {member.untagged}"
    if member.tagged:
        yield f"tagged {member.tagged}"


def enter(frame: bytes, member: Interface) -> tuple[int, bytes] | None:
    """The VLAN of a frame that a member of a filtering bridge sends, and the frame without its tag; None: dropped."""
    if frame[AT : AT + 2] != TAG:
        return (member.untagged, frame) if member.untagged else None
    vlan = int.from_bytes(frame[AT + 2 : AT + TAG_LENGTH]) & 0xFFF
    return (vlan, frame[:AT] + frame[AT + TAG_LENGTH :]) if vlan in numbers(member.tagged) else None


def leave(vlan: int, frame: bytes, member: Interface) -> bytes | None:
    """A frame of a VLAN as a member of a filtering bridge hears it: without a tag, with one, or not at all."""
    if vlan == member.untagged:
        return frame
    return frame[:AT] + TAG + vlan.to_bytes(2) + frame[AT:] if vlan in numbers(member.tagged) else None
