"""Network interfaces of the host, through ifconfig(8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.run import Runner
from chyves.vlans import Vlans

LINK_LOCAL = "fe80:"
HEAD = re.compile(r"(\S+): flags=\S*<([^>]*)>.*\bmtu (\d+)")
MEMBER_VLANS = re.compile(r"(?= (?:un)?tagged )(?: untagged (\d+))?(?: tagged ([\d,-]+))?")
DEFAULT_VLAN = re.compile(r"defuntagged=(\d+)")
DESTROY_TIMEOUT = 20
"""Seconds: destroying a tap that is still open would wait for its opener."""


@dataclass(frozen=True)
class Interface:
    """An interface as ifconfig shows it; `opened_by` is the process that has a tap's device open.

    `addresses` are those by which others reach it: not the IPv6 one that each interface has for its own link.
    `filters` is whether a bridge filters VLANs, None where ifconfig does not tell, as before FreeBSD 15.0; `vlans` are
    those of its members that have some, `default_vlan` the one of untagged frames that a new member gets, 0 for none.
    """

    name: str
    flags: frozenset[str] = frozenset()
    mtu: int = 1500
    description: str = ""
    groups: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    opened_by: int | None = None
    addresses: tuple[str, ...] = ()
    filters: bool | None = None
    default_vlan: int = 0
    vlans: Mapping[str, Vlans] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        return "UP" in self.flags


class Interfaces:
    """The interfaces of the host. Every refusal by ifconfig is a ProgramFailed with its words."""

    def __init__(self, run: Runner) -> None:
        self.run = run

    def all(self) -> dict[str, Interface]:
        """Every interface by its name, from one process."""
        return parse(self.run.ask("ifconfig", "-a"))

    def traffic(self) -> dict[str, tuple[int, int]]:
        """The bytes that each interface has received and sent, from one netstat(1); raises ChyvesError."""
        return parse_traffic(self.run.ask("netstat", "--libxo", "json", "-ibn"))

    def create(self, name: str, description: str, group: str = "chyves") -> None:
        """Make a tap or a bridge with a description; when that fails, none of it is left."""
        try:
            self.run.do("ifconfig", name, "create", "description", description, "group", group)
        except ProgramFailed as failure:
            # The words are done from left to right: where create was not refused, the interface is there, and ours.
            if "SIOCIFCREATE" not in failure.said and "exists" not in failure.said:
                self._destroy_again(name, failure)
            raise

    def destroy(self, name: str) -> None:
        """Destroy a tap or a bridge. End who has it open first: the kernel waits for that."""
        self.run.do("ifconfig", name, "destroy", timeout=DESTROY_TIMEOUT)

    def join(self, bridge: str, member: str, *vlans: str) -> None:
        """Make an interface a member of a bridge, in the VLANs that ifconfig's words tell (`untagged 10`)."""
        self.run.do("ifconfig", bridge, "addm", member, *vlans)

    def leave(self, bridge: str, member: str) -> None:
        """Take an interface out of a bridge."""
        self.run.do("ifconfig", bridge, "deletem", member)

    def filter(self, bridge: str, *trunks: str) -> None:
        """Have a bridge filter VLANs: each member hears its own alone; `trunks` are members that hear all."""
        self.run.do("ifconfig", bridge, "vlanfilter", *(word for it in trunks for word in ("iftagged", it, "all")))

    def unfilter(self, bridge: str, *trunks: str) -> None:
        """Have a bridge filter no VLANs any more; of `trunks` is taken what made them that."""
        self.run.do("ifconfig", bridge, *(word for it in trunks for word in ("iftagged", it, "none")), "-vlanfilter")

    def set_vlans(self, bridge: str, member: str, *vlans: str) -> None:
        """Give a member of a bridge the VLANs that ifconfig's words tell, and no others."""
        told = dict(zip(vlans[::2], vlans[1::2], strict=True))
        untagged = ("ifuntagged", member, told["untagged"]) if "untagged" in told else ("-ifuntagged", member)
        self.run.do("ifconfig", bridge, *untagged, "iftagged", member, told.get("tagged", "none"))

    def up(self, name: str) -> None:
        """Let an interface forward."""
        self.run.do("ifconfig", name, "up")

    def set_mtu(self, name: str, mtu: int) -> None:
        """Set the largest packet, in bytes; raises ChyvesError when it is not set after: ifconfig itself only warns."""
        self.run.do("ifconfig", name, "mtu", str(mtu))
        if self.run.dry:
            return
        now = parse(self.run.ask("ifconfig", name))[name].mtu
        if now != mtu:
            raise ChyvesError(f"{name}: mtu: is {now} and cannot be {mtu}; choose what all members of the bridge can")

    def _destroy_again(self, name: str, failure: ProgramFailed) -> None:
        try:
            self.destroy(name)
        except ChyvesError as error:
            failure.add_note(f"could not destroy {name}: {error}")


def parse(text: str) -> dict[str, Interface]:
    """The interfaces in what ifconfig prints: a line that is not indented begins each (reference: ifconfig(8))."""
    blocks = re.split(r"\n(?=\S)", text.strip("\n"))
    found = [_interface(*block.split("\n")) for block in blocks if block]
    return {interface.name: interface for interface in found}


def _interface(head: str, *lines: str) -> Interface:
    match = HEAD.match(head)
    if not match:
        raise ChyvesError(f"ifconfig: printed a line that is not understood: {head!a}; run it by hand and look")
    words: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.strip().replace(": ", " ", 1).partition(" ")
        words.setdefault(key, []).append(value)
    bridge = words.get("bridge", [""])[0]
    default = DEFAULT_VLAN.search(bridge)
    opened = next((value.rpartition(" ")[2] for value in words.get("Opened", ())), "")
    found = (*words.get("inet", ()), *words.get("inet6", ()))
    return Interface(
        name=match[1],
        flags=frozenset(filter(None, match[2].split(","))),
        mtu=int(match[3]),
        description=words.get("description", [""])[0],
        groups=tuple(words.get("groups", [""])[0].split()),
        members=tuple(map(_first, words.get("member", ()))),
        opened_by=int(opened) if opened.isdecimal() else None,
        addresses=tuple(address for address in map(_first, found) if not address.startswith(LINK_LOCAL)),
        filters="VLANFILTER" in bridge if bridge else None,
        default_vlan=int(default[1]) if default else 0,
        vlans=dict(_vlans(lines)),
    )


def _vlans(lines: Iterable[str]) -> Iterator[tuple[str, Vlans]]:
    """The members of a bridge that have VLANs: the lines below that which names one tell of it."""
    member = ""
    for line in lines:
        if line.startswith("\tmember: "):
            member = line.split()[1]
        found = MEMBER_VLANS.search(line)
        if found and member:
            yield member, Vlans(int(found[1] or 0), found[2] or "")


def _first(text: str) -> str:
    return text.partition(" ")[0]


def parse_traffic(text: str) -> dict[str, tuple[int, int]]:
    """What `netstat --libxo json -ibn` tells: an interface has a line of its own (`<Link#N>`), then one an address."""
    import json

    try:
        lines = json.loads(text)["statistics"]["interface"]
        own = [line for line in lines if str(line.get("network", "")).startswith("<Link#")]
        return {str(line["name"]): (int(line["received-bytes"]), int(line["sent-bytes"])) for line in own}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ChyvesError(f"netstat: answered {text[:200]!a}, which is not understood; run it by hand") from None
