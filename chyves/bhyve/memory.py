"""Whether the memory of all guests together is more than their host has."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class HostMemory:
    """What a host has, in bytes: `free` is what is not used or can be given up at once, and `cache` what ZFS can."""

    physical: int
    free: int
    cache: int


def short(name: str, ram: int, others: int, promised: int, memory: HostMemory) -> str:
    """What is wrong where a guest of so much ram starts, empty for nothing.

    `others` have those that run; of that, `promised` those that have just been started and may not have taken it yet.
    """
    if ram + others > memory.physical:
        sum_ = f"with the {_shown(others)} of guests that run it is {_shown(ram + others)}"
        return f"{name}: ram: {sum_}, more than this host has ({_shown(memory.physical)})"
    there = max(0, memory.free + memory.cache - promised)
    if ram > there:
        free = f"{_shown(memory.free)} free, {_shown(memory.cache)} of ZFS's cache"
        less = f", less {_shown(promised)} of guests just started" if promised else ""
        return f"{name}: ram: {_shown(ram)} is more than is to be had now ({free}{less})"
    return ""


def _shown(size: int) -> str:
    return f"{size // MEGABYTE}M"
