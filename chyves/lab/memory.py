"""The memory of the machine that a lab plays: its guests have theirs, ZFS caches in a tenth, the system has a fifth."""

from __future__ import annotations

from collections.abc import Iterator

from chyves.lab import vmm
from chyves.lab.place import Lab

PAGE = 4096


def counts(lab: Lab, physical: int) -> Iterator[tuple[str, int]]:
    """The sysctls of memory, by name; nothing of the real machine is in them, so that they are the same everywhere."""
    guests = 0
    for name in vmm.names(lab):
        try:
            guests += vmm.machine(lab, name).memory or 0
        except (OSError, ValueError):
            continue  # it comes or goes just now
    inactive = physical // 20
    yield "vm.stats.vm.v_page_count", physical // PAGE
    yield "vm.stats.vm.v_free_count", max(physical // 100, physical * 13 // 20 - guests) // PAGE
    yield "vm.stats.vm.v_inactive_count", inactive // PAGE
    yield "vm.stats.vm.v_laundry_count", 0
    yield "vm.stats.vm.v_wire_count", physical // 5 // PAGE
    yield "kstat.zfs.misc.arcstats.size", physical // 10
    yield "kstat.zfs.misc.arcstats.c_min", physical // 32
    yield "kstat.zfs.misc.arcstats.c_max", physical * 5 // 8
