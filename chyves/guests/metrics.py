"""The state and usage of guests as OpenMetrics text, for the textfile collector of node_exporter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from chyves import __version__
from chyves.errors import ChyvesError
from chyves.guests import crashes, running, usage
from chyves.guests.usage import Usage
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings

Samples = Iterable[tuple[dict[str, str], float | int | None]]

STATES = ("running", "starting", "crashed", "off")

OF_USAGE: tuple[tuple[str, str, str, str, Callable[[Usage], float | int | None]], ...] = (
    ("cpu_seconds", "counter", "seconds", "Processor time of bhyve since its start.", lambda it: it.seconds),
    ("processors", "gauge", "", "Virtual processors of the guest.", lambda it: it.cpus),
    ("ram_bytes", "gauge", "bytes", "Memory that the guest may have.", lambda it: it.ram),
    ("resident_bytes", "gauge", "bytes", "Memory that bhyve has now.", lambda it: it.memory),
    ("network_receive_bytes", "counter", "bytes", "What the guest received by its taps.", lambda it: it.received),
    ("network_transmit_bytes", "counter", "bytes", "What the guest sent by its taps.", lambda it: it.sent),
    ("disk_read_bytes", "counter", "bytes", "What was read from its disks.", lambda it: it.disks and it.disks.read),
    (
        "disk_written_bytes",
        "counter",
        "bytes",
        "What was written to its disks.",
        lambda it: it.disks and it.disks.written,
    ),
    ("disk_reads", "counter", "", "Reads from its disks.", lambda it: it.disks and it.disks.reads),
    ("disk_writes", "counter", "", "Writes to its disks.", lambda it: it.disks and it.disks.writes),
    ("reboots", "counter", "", "Reboots of the guest since it was started.", lambda it: it.reboots),
)


def metrics(host: Host, file: str | None = None) -> str | None:
    """The text, or, with `file`, nothing: it is then in that file, which is replaced whole. Raises ChyvesError."""
    text = "\n".join([*_lines(host), "# EOF"]) + "\n"
    if file is None:
        return text
    host.files.write(Path(file).absolute(), text)
    return None


def _lines(host: Host) -> Iterator[str]:
    holdings = Holdings.read(host, ("used", "available"))
    yield from _family("info", "gauge", "", "The version of chyves.", [({"version": __version__}, 1)])
    off = crashes.noted(host)
    states = {name: _state(host, name, name in off) for name in holdings.guests}
    counts = [({"state": state}, sum(1 for now in states.values() if now == state)) for state in STATES]
    yield from _family("guests", "gauge", "", "Guests, by what they do.", counts)
    running_now = [({"guest": name}, int(state == "running")) for name, state in states.items()]
    yield from _family("guest_running", "gauge", "", "Whether bhyve runs the guest.", running_now)
    crashed = [({"guest": name}, int(name in off or state == "crashed")) for name, state in states.items()]
    yield from _family("guest_crashed", "gauge", "", "Whether the guest is off or waits because it crashed.", crashed)
    used = usage.sample(host, list(holdings.pools)).guests.values()
    for name, kind, unit, doc, value in OF_USAGE:
        yield from _family(f"guest_{name}", kind, unit, doc, [({"guest": one.guest}, value(one)) for one in used])
    yield from _pools(holdings)


def _state(host: Host, name: str, off_by_crash: bool) -> str:
    try:
        state = running.living(host, name)
    except ChyvesError as error:
        host.terminal.warn(str(error))
        return "off"
    if state is None:
        return "crashed" if off_by_crash else "off"
    if running.crashed(state):
        return "crashed"
    return "starting" if state.bhyve is None else "running"


def _pools(holdings: Holdings) -> Iterator[str]:
    rows = {pool.name: pool.rows.get(pool.dataset, {}) for pool in holdings.pools.values()}
    for column, doc in (("used", "What the datasets of chyves take."), ("available", "What they may still take.")):
        samples = [({"pool": name}, int(row[column])) for name, row in rows.items() if row.get(column, "").isdecimal()]
        yield from _family(f"pool_{column}_bytes", "gauge", "bytes", doc, samples)


def _family(name: str, kind: str, unit: str, doc: str, samples: Samples) -> Iterator[str]:
    """The lines of one metric; none where nothing is known of it."""
    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return
    name = f"chyves_{name}"
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {doc}"
    for labels, value in known:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{'_total' * (kind == 'counter')}{{{told}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
