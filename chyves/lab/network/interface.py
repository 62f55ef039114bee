"""A network interface of the lab."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

NAME_LENGTH = 15
VALE = "vale"
"""The family of the ports of VALE switches, which are there while they are open and which ifconfig does not know."""


@dataclass
class Interface:
    """One interface; `device` is the name that its driver gave it, which a renamed one keeps in /dev.

    `untagged` and `tagged` are the VLANs of a member of a bridge, as ifconfig shows them.
    """

    name: str
    device: str
    family: str
    number: int
    up: bool = False
    mtu: int = 1500
    ether: str = ""
    description: str | None = None
    groups: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    bridge: str | None = None
    member_flags: list[str] = field(default_factory=list)
    untagged: int = 0
    tagged: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    vlan: int = 0
    parent: str | None = None
    peer: str | None = None
    opener: int = 0
    opener_started: str = ""

    @property
    def cloned(self) -> bool:
        """Whether ifconfig made it, so that ifconfig can destroy it."""
        return self.family not in ("ether", "loop")

    @property
    def opened_by(self) -> int:
        """The process that holds the device of a tap open, or 0."""
        return self.opener if self.opener and started(self.opener) == self.opener_started else 0

    def leave(self) -> None:
        """Be a member of no bridge any more, and so in no VLAN."""
        self.bridge, self.untagged, self.tagged = None, 0, ""

    def opened(self, pid: int) -> None:
        """Note that a process holds the device."""
        self.opener, self.opener_started = pid, started(pid)

    def closed(self) -> None:
        """Note the last close of the device: a tap goes down and loses its addresses, unless link0 says otherwise."""
        self.opener, self.opener_started = 0, ""
        if "LINK0" not in self.flags and self.family == "tap":
            self.up, self.addresses = False, []


def started(pid: int) -> str:
    """When a living process was started, in the kernel's ticks; empty for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def new_ether(family: str) -> str:
    """A MAC address as a driver makes one up."""
    first = bytes([0x02]) if family == "epair" else bytes([0x58, 0x9C, 0xFC])
    return (first + os.urandom(6 - len(first))).hex(":")


def family_of(name: str) -> tuple[str, str]:
    """A name's letters and its number: `tap51` is (`tap`, `51`), `bridge` is (`bridge`, ``)."""
    found = re.fullmatch(r"(.*?)([0-9]*)", name)
    assert found
    return found[1], found[2]
