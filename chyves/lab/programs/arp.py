"""arp(8): the addresses on the Ethernet that the host has heard of; only `arp -an`, which lists them by number."""

from __future__ import annotations

import sys
from pathlib import Path

from chyves.lab.network import namespace
from chyves.lab.place import Lab

USAGE = "usage: arp -an\n"
TABLE = Path("/proc/self/net/arp")
NONE = "00:00:00:00:00:00"
LASTS = 1200
"""Seconds that FreeBSD keeps an entry (net.link.ether.inet.max_age)."""


def main(lab: Lab, argv: list[str]) -> int:
    """Print the entries of the lab's network; without one of its own it has heard of nobody."""
    if argv not in (["-an"], ["-na"], ["-a", "-n"], ["-n", "-a"]):
        sys.stderr.write(USAGE)
        return 1
    if not namespace.wanted(lab) or not namespace.place(lab).exists():
        return 0
    namespace.join(lab)
    for line in TABLE.read_text().splitlines()[1:]:
        sys.stdout.write(shown(line) + "\n")
    return 0


def shown(line: str) -> str:
    """A line of Linux's table (proc_net(5)) as arp(8) shows it."""
    address, _, _, ethernet, _, interface = line.split()
    known = (
        f"{ethernet} on {interface} expires in {LASTS} seconds" if ethernet != NONE else f"(incomplete) on {interface}"
    )
    return f"? ({address}) at {known} [ethernet]"
