"""What a report of a fault needs, in one text: versions, the host, properties, what runs, and the end of the logs."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import chyves
from chyves.cli.tables import plain
from chyves.errors import ChyvesError
from chyves.guests import processes, running
from chyves.host.facts import SYSCTLS, host_facts
from chyves.host.machine import Host
from chyves.masking import masked_report, masked_value
from chyves.names import shown
from chyves.pools.holdings import GuestHolding, Holdings, PoolHolding
from chyves.properties import DATASET_VERSION, GUEST_VERSION
from chyves.section import Section

STDOUT = "-"
TAIL = 50
"""Lines of each log."""

LONGEST = 1 << 18
"""Bytes at the end of a log in which these are looked for."""

FURTHER = ("hw.model", "net.link.tap.up_on_open", "net.link.tap.user_open", "security.jail.jailed", "kern.securelevel")

Part = tuple[str, Callable[[], str]]


def debug(host: Host, guest: str | None = None, file: str | None = None) -> str:
    """Write it to a new file, which only its owner can read, and tell its path; `-` is standard output.

    What cannot be found out is said in its place, and keeps nothing else out. Raises ChyvesError for a guest that is
    not there, and where the file cannot be made, or is there already.
    """
    text = "".join(_told(host, guest))
    if file == STDOUT:
        return text
    path = Path(file or time.strftime("chyves-debug-%Y%m%d-%H%M%S.txt")).absolute()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as report:
            report.write(text)
    except FileExistsError:
        raise ChyvesError(f"{shown(str(path))}: is there already; choose another name") from None
    except OSError as error:
        raise ChyvesError(f"{shown(str(path))}: cannot be written: {error.strerror}; choose another place") from None
    return f"{path}\n"


def _told(host: Host, guest: str | None) -> Iterator[str]:
    yield "A report of chyves. Secrets are masked as far as their form betrays them: read it before you send it.\n"
    for title, tell in _parts(host, guest):
        try:
            text = tell()
        except (ChyvesError, OSError, ValueError) as error:
            text = f"this could not be found out: {error}\n"
        yield f"\n== {title}\n{masked_report(text).rstrip()}\n"


def _parts(host: Host, guest: str | None) -> Iterator[Part]:
    """Titles, and what tells the text below each."""
    yield "versions", lambda: _versions(host)
    yield "zfs", lambda: host.run.probe("zfs", "version")[1]
    yield "host", lambda: _lines(host.kernel.sysctl(*SYSCTLS, *FURTHER).items())
    yield "modules", lambda: host.run.probe("kldstat")[1]
    yield "bhyve", lambda: _abilities(host)
    yield "pools", lambda: host.run.ask("zpool", "list")
    try:
        holdings = Holdings.read(host)
    except ChyvesError as error:
        problem = str(error)
        yield "datasets", lambda: f"these could not be read: {problem}\n"
    else:
        yield from _of_pools(holdings)
        for holding in [holdings.guest(guest)] if guest else holdings.guests.values():
            yield from _of_guest(holding)
    yield "processes", lambda: plain(processes.show(host, guest))
    yield "VMMs", lambda: "".join(f"{name}\n" for name in sorted(running.vmms(host)))
    yield "interfaces", lambda: _interfaces(host)


def _versions(host: Host) -> str:
    values = {
        "chyves": chyves.__version__,
        "its datasets": DATASET_VERSION,
        "its guests": GUEST_VERSION,
        "python": sys.version.replace("\n", " "),
        "host": host.run.ask("freebsd-version").strip(),
        "machine": platform.machine(),
    }
    return _lines(values.items())


def _abilities(host: Host) -> str:
    facts = host_facts(host)
    values = {
        "processors of a guest": str(facts.cpus),
        "unrestricted guest": str(facts.unrestricted),
        "IOMMU": str(facts.iommu),
        "options": " ".join(sorted(facts.options)),
        "devices": " ".join(sorted(facts.devices)),
        "lpc": " ".join(sorted(facts.lpc)),
    }
    return _lines(values.items())


def _of_pools(holdings: Holdings) -> Iterator[Part]:
    for name, pool in holdings.pools.items():
        yield f"pool {name}: datasets", partial(_datasets, pool)
        yield f"pool {name}: properties", partial(lambda pool: _properties(pool.properties), pool)
    yield "global properties", lambda: _properties(holdings.globals)
    yield "defaults", lambda: _properties(holdings.defaults)
    yield "log of the host", lambda: _tail(holdings.primary.place(f"{holdings.primary.dataset}/logs"))


def _datasets(pool: PoolHolding) -> str:
    return "".join(f"{row}\n" for row in pool.rows)


def _of_guest(holding: GuestHolding) -> Iterator[Part]:
    yield f"guest {holding.name}: properties", lambda: _properties(holding.properties)
    yield f"guest {holding.name}: what runs", lambda: _running(holding)
    yield f"guest {holding.name}: log", lambda: _tail(holding.logs)


def _running(holding: GuestHolding) -> str:
    """What is written down of a guest that runs, with the properties of its start."""
    state = running.read(holding.host, holding.name)
    if state is None:
        return "nothing\n"
    facts = {name: str(value) for name, value in asdict(state).items() if name != "properties"}
    own = {f"properties: {name}": masked_value(name, value) for name, value in sorted(state.properties.items())}
    return _lines((facts | own).items())


def _properties(section: Section) -> str:
    """What is set, as the file has it."""
    return _lines((name, masked_value(name, value)) for name, value in sorted(section.text.items()))


def _interfaces(host: Host) -> str:
    """What ifconfig(8) tells, without addresses that lead to the host."""
    said = host.run.ask("ifconfig")
    return "".join(f"{line}\n" for line in said.splitlines() if not line.lstrip().startswith("inet"))


def _tail(directory: Path) -> str:
    """The end of the latest log of a directory."""
    files: Sequence[Path] = sorted(directory.glob("[0-9]*.log"))
    if not files:
        return "there is none\n"
    with files[-1].open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - LONGEST))
        lines = log.read().decode(errors="backslashreplace").splitlines()
    return "".join(f"{line}\n" for line in lines[-TAIL:])


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{name}={value}\n" for name, value in pairs)
