"""The memory of guests that run, beside what the host has: warned of, or refused with memory_overcommit=no."""

from __future__ import annotations

from chyves.bhyve.memory import HostMemory, short
from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings
from chyves.properties import Guest

ARC, LEAST = "kstat.zfs.misc.arcstats.size", "kstat.zfs.misc.arcstats.c_min"
PAGES = ("vm.stats.vm.v_free_count", "vm.stats.vm.v_inactive_count", "vm.stats.vm.v_laundry_count")
SYSCTLS = ("hw.physmem", "hw.pagesize", *PAGES, ARC, LEAST)


class Memory:
    """What is asked once, however many guests start: the host's memory, and who has how much of it."""

    def __init__(self, host: Host) -> None:
        self._has = host_memory(host)
        states = {name: running.living(host, name) for name in running.recorded(host)}
        self._ram = {name: _ram(name, state.properties) for name, state in states.items() if state is not None}
        self._promised = 0

    def lacking(self, holdings: Holdings, guest: Guest) -> str:
        """A sentence where a guest is too much for the host; raises ChyvesError with it for memory_overcommit=no."""
        name = guest.owner
        runs = name in self._ram
        others = sum(ram for other, ram in self._ram.items() if other != name)
        told = short(name, 0 if runs else guest.ram, others + (guest.ram if runs else 0), self._promised, self._has)
        if told and not holdings.globals.memory_overcommit:
            raise ChyvesError(f"{told}; stop others or give it less, or set global memory_overcommit=yes")
        return told

    def promise(self, guest: Guest) -> None:
        """Count a guest that is about to start."""
        self._ram[guest.owner] = guest.ram
        self._promised += guest.ram


def _ram(name: str, properties: dict[str, str]) -> int:
    return Guest(name, properties).ram


def host_memory(host: Host) -> HostMemory:
    """The memory of the host, from one process; a kernel without OpenZFS's numbers has no cache to give."""
    told = host.kernel.sysctl(*SYSCTLS)
    numbers = {name: int(text) for name, text in told.items() if text.isdecimal()}
    if "hw.physmem" not in numbers:
        raise ChyvesError(f"sysctl: says that hw.physmem is {told.get('hw.physmem')!a}; run it by hand and look")
    free = sum(numbers.get(name, 0) for name in PAGES) * numbers.get("hw.pagesize", 4096)
    return HostMemory(numbers["hw.physmem"], free, max(0, numbers.get(ARC, 0) - numbers.get(LEAST, 0)))
