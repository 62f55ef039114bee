"""The VLANs of a member of a bridge that filters them (ifconfig(8) and if_bridge(4) of FreeBSD 15.0)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

FIRST, LAST = 1, 4094
ALL = f"{FIRST}-{LAST}"
"""What `ifconfig addm em0 tagged all` means, as ifconfig shows it."""
NONE = "none"
_ITEM = r"([0-9]{1,4})(?:-([0-9]{1,4}))?"


class Vlans(NamedTuple):
    """The VLAN of a member's untagged frames, 0 for none, and those that it sees tagged, as ifconfig shows them."""

    untagged: int = 0
    tagged: str = ""

    def __bool__(self) -> bool:
        return bool(self.untagged or self.tagged)

    @property
    def words(self) -> tuple[str, ...]:
        """What `ifconfig addm` is told of them."""
        untagged = ("untagged", str(self.untagged)) if self.untagged else ()
        return (*untagged, "tagged", self.tagged) if self.tagged else untagged

    def __str__(self) -> str:
        return " ".join(self.words)


TRUNK = Vlans(tagged=ALL)
"""What the uplink of a bridge of chyves that filters has: all VLANs, with their tags."""


class TaggedSet:
    """VLANs by number and range, `20,30-40`, or `all`; kept as ifconfig shows them."""

    metavar = "vlan[-vlan][,...]|all"

    def parse(self, text: str) -> str:
        if text == "all":
            return ALL
        found: set[int] = set()
        for item in text.split(","):
            match = re.fullmatch(_ITEM, item)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
            if not FIRST <= first <= last <= LAST:
                raise ValueError(f"VLANs from {FIRST} to {LAST} such as 20,30-40, or all")
            found.update(range(first, last + 1))
        return joined(found)

    def format(self, value: str) -> str:
        return value

    def words(self) -> tuple[str, ...]:
        return ("all",)


def joined(numbers: Iterable[int]) -> str:
    """VLANs as ifconfig shows them: in order, neighbours as a range."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def numbers(tagged: str) -> Iterator[int]:
    """Each of the VLANs of a set as ifconfig shows it."""
    for item in filter(None, tagged.split(",")):
        first, _, last = item.partition("-")
        yield from range(int(first), int(last or first) + 1)
