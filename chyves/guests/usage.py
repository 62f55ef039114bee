"""What running guests use of their host: one question each to ps(1), netstat(1), sysctl(8) for all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.kernel import Counters
from chyves.host.machine import Host
from chyves.network.plan import taps
from chyves.properties import Guest


@dataclass(frozen=True)
class Usage:
    """What a guest has used since its bhyve was started; None for what this host does not count.

    `seconds` of processors; `memory` in bytes is what bhyve has now, `ram` what the guest may have; `received` and
    `sent` are bytes as the guest sees them; `disks` counts from when its disks were made or the host was started.
    """

    guest: str
    pid: int
    cpus: int
    ram: int
    seconds: float
    memory: int
    received: int | None
    sent: int | None
    disks: Counters | None
    reboots: int


@dataclass(frozen=True)
class Sample:
    """The usage of guests at one time, by a clock that nobody sets; in seconds."""

    at: float
    guests: dict[str, Usage]


def sample(host: Host, pools: Sequence[str], only: Sequence[str] | None = None) -> Sample:
    """What the guests that run use now, or `only` those; what is written down and cannot be read is warned of."""
    names = [name for name in running.recorded(host) if only is None or name in only]
    states = {name: state for name in names if (state := _state(host, name)) is not None}
    used = host.processes.usage([state.bhyve for state in states.values() if state.bhyve is not None])
    traffic = host.interfaces.traffic() if states else {}
    counters = host.kernel.datasets(pools) if states and pools else {}
    found = {}
    for name, state in states.items():
        process = used.get(state.bhyve or 0)
        if process is None:
            continue
        guest = Guest(name, state.properties)
        network = [traffic[tap] for tap in taps(guest.net_ifaces) if tap in traffic]
        found[name] = Usage(
            guest=name,
            pid=state.bhyve or 0,
            cpus=guest.cpu,
            ram=guest.ram,
            seconds=process.seconds,
            memory=process.memory,
            received=sum(sent for _, sent in network) if network else None,
            sent=sum(received for received, _ in network) if network else None,
            disks=_disks(host, name, state, counters),
            reboots=state.reboots,
        )
    return Sample(time.monotonic(), found)


def _state(host: Host, name: str) -> running.Running | None:
    try:
        state = running.living(host, name)
    except ChyvesError as error:
        host.terminal.warn(str(error))
        return None
    return state if state is not None and state.bhyve is not None else None


def _disks(host: Host, name: str, state: running.Running, counters: dict[str, Counters]) -> Counters | None:
    """The counters of a guest's volumes and of the file systems that its raw images are in, together."""
    devices = host.path("/dev/zvol")
    volumes = {str(Path(disk).relative_to(devices)) for disk in state.disks if Path(disk).is_relative_to(devices)}
    images = f"/guests/{name}/img/"
    mine = [counter for dataset, counter in counters.items() if dataset in volumes or images in f"{dataset}/"]
    return Counters(*map(sum, zip(*mine, strict=True))) if mine else None
