"""How a guest's processors and memory are laid out: sockets, cores and threads, pins, domains."""

from __future__ import annotations

from collections.abc import Iterator

from chyves.bhyve.facts import Facts
from chyves.board_values import Domain
from chyves.errors import ChyvesError
from chyves.properties import Guest

TOPOLOGY_SINCE = 1200000
"""kern.osreldate of the first bhyve whose -c has more than a number (freebsd.md 0)."""


def topology(guest: Guest) -> str:
    """What follows -c: a number, or where any of sockets, cores and threads is set, all of them."""
    if not _laid_out(guest):
        return str(guest.cpu)
    sockets, cores, threads = _layout(guest)
    return f"cpus={guest.cpu},sockets={sockets},cores={cores},threads={threads}"


def words(guest: Guest) -> Iterator[str]:
    """The options for domains of memory and for pins."""
    for number, domain in sorted(guest.numa.items()):
        policy = f",domain_policy={domain.policy}" if domain.policy else ""
        yield from ("-n", f"id={number},size={Guest.ram.type.format(domain.size)},cpus={domain.cpus}{policy}")
    for own, host in guest.cpu_pin:
        yield from ("-p", f"{own}:{host}")


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for what bhyve refuses, or takes in silence and does otherwise."""
    _topology(guest, facts)
    _pins(guest, facts)
    if guest.numa:
        _domains(guest, facts)


def _laid_out(guest: Guest) -> bool:
    return any(count is not None for count in (guest.cpu_sockets, guest.cpu_cores, guest.cpu_threads))


def _layout(guest: Guest) -> tuple[int, int, int]:
    cores, threads = guest.cpu_cores or 1, guest.cpu_threads or 1
    return guest.cpu_sockets or max(1, guest.cpu // (cores * threads)), cores, threads


def _topology(guest: Guest, facts: Facts) -> None:
    sockets, cores, threads = _layout(guest)
    if _laid_out(guest) and sockets * cores * threads != guest.cpu:
        raise ChyvesError(
            f"{facts.name}: cpu: {guest.cpu} is not what cpu_sockets * cpu_cores * cpu_threads are "
            f"({sockets} * {cores} * {threads}); set one of them otherwise"
        )
    if _laid_out(guest) and facts.host.release < TOPOLOGY_SINCE:
        raise ChyvesError(
            f"{facts.name}: cpu_cores: the bhyve of this host knows no sockets, cores and threads, which came with "
            "FreeBSD 12.0; unset cpu_sockets, cpu_cores and cpu_threads"
        )


def _pins(guest: Guest, facts: Facts) -> None:
    for own, host in guest.cpu_pin:
        if own >= guest.cpu:
            raise ChyvesError(
                f"{facts.name}: cpu_pin: {own}:{host} pins a processor that the guest does not have; "
                f"use numbers from 0 to {guest.cpu - 1}"
            )
        if facts.host.processors and host >= facts.host.processors:
            raise ChyvesError(
                f"{facts.name}: cpu_pin: {own}:{host} names a processor that this host does not have; "
                f"use numbers from 0 to {facts.host.processors - 1}"
            )


def _domains(guest: Guest, facts: Facts) -> None:
    domains, size = dict(sorted(guest.numa.items())), Guest.ram.type.format
    first = f"numa{min(domains)}"
    if facts.host.options and "n" not in facts.host.options:
        raise ChyvesError(
            f"{facts.name}: {first}: the bhyve of this host has no -n, which came with FreeBSD 15.0; unset it"
        )
    if guest.loader != "uefi":
        raise ChyvesError(f"{facts.name}: {first}: domains of memory need loader=uefi; set that, or unset {first}")
    if list(domains) != list(range(len(domains))):
        missing = min(set(range(len(domains))) - set(domains))
        raise ChyvesError(f"{facts.name}: numa{missing}: is not set, and bhyve looks at none behind it; set it")
    total = sum(domain.size for domain in domains.values())
    if total != guest.ram:
        have = f"the domains numa0 to numa{len(domains) - 1} have together" if len(domains) > 1 else "numa0 alone has"
        raise ChyvesError(
            f"{facts.name}: ram: {size(guest.ram)} is not what {have} ({size(total)}); set one of them otherwise"
        )
    _domains_of_processors(guest, facts, domains)


def _domains_of_processors(guest: Guest, facts: Facts, domains: dict[int, Domain]) -> None:
    where: dict[int, int] = {}
    for number, domain in domains.items():
        for cpu in range(domain.first, domain.last + 1):
            if cpu >= guest.cpu or cpu in where:
                why = f"is in numa{where[cpu]} already" if cpu in where else f"is none of the guest's {guest.cpu}"
                raise ChyvesError(
                    f"{facts.name}: numa{number}: processor {cpu} {why}; "
                    f"give each from 0 to {guest.cpu - 1} to one domain"
                )
            where[cpu] = number
    if lacking := sorted(set(range(guest.cpu)) - set(where)):
        raise ChyvesError(f"{facts.name}: numa0: processor {lacking[0]} is in no domain; add it to one of them")
