"""Network interfaces of the host, through ifconfig(8)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.run import Runner

HEAD = re.compile(r"(\S+): flags=\S*<([^>]*)>.*\bmtu (\d+)")
DESTROY_TIMEOUT = 20
"""Seconds: destroying a tap that is still open would wait for its opener."""


@dataclass(frozen=True)
class Interface:
    """An interface as ifconfig shows it; `opened_by` is the process that has a tap's device open."""

    name: str
    flags: frozenset[str] = frozenset()
    mtu: int = 1500
    description: str = ""
    groups: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    ether: str = ""
    opened_by: int | None = None

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

    def join(self, bridge: str, member: str) -> None:
        """Make an interface a member of a bridge."""
        self.run.do("ifconfig", bridge, "addm", member)

    def leave(self, bridge: str, member: str) -> None:
        """Take an interface out of a bridge."""
        self.run.do("ifconfig", bridge, "deletem", member)

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
    opened = next((value.rpartition(" ")[2] for value in words.get("Opened", ())), "")
    return Interface(
        name=match[1],
        flags=frozenset(filter(None, match[2].split(","))),
        mtu=int(match[3]),
        description=words.get("description", [""])[0],
        groups=tuple(words.get("groups", [""])[0].split()),
        members=tuple(value.partition(" ")[0] for value in words.get("member", ())),
        ether=words.get("ether", [""])[0].partition(" ")[0],
        opened_by=int(opened) if opened.isdecimal() else None,
    )
