"""Whether a guest runs, and what its supervisor wrote down of it.

Running is holding the lock `running.GUEST`, which the supervisor does. What else others must know (processes, taps, the
medium) is in a small file beside it, replaced whole at each change.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import NoneType

from chyves import names
from chyves.errors import ChyvesError
from chyves.host.machine import Host

RUN = "/var/run/chyves"

FORMAT = 2
"""Of what is written down: 1, which does not say so, knew of no crashes. A later one may have more than is known."""

TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "int | None": (int, NoneType),
    "str": str,
    "str | None": (str, NoneType),
    "float | None": (int, float, NoneType),
    "bool": bool,
    "list[str]": list,
    "list[float]": list,
    "dict[str, str]": dict,
}


@dataclass
class Running:
    """What a supervisor wrote down.

    `identity` tells bhyve's process from a later one with the same number; `properties` are those that the guest runs
    with, by name. `crashes` and `again`, when the guest is booted again, are by the clock of time.monotonic, which all
    processes share; `crash` tells what is wrong with a guest that waits for that, or is kept.
    """

    format: int = 1
    supervisor: int = 0
    bhyve: int | None = None
    identity: str | None = None
    loader: int | None = None
    taps: list[str] = field(default_factory=list)
    medium: str | None = None
    disks: list[str] = field(default_factory=list)
    serial: str | None = None
    lines: list[str] = field(default_factory=list)
    vnc_port: int | None = None
    reboots: int = 0
    recorded: bool = False
    started: str = ""
    crashes: list[float] = field(default_factory=list)
    again: float | None = None
    crash: str | None = None
    hook: int | None = None
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def pairs(self) -> list[str]:
        """The null-modem pairs that the guest has for itself; `lines` are those of its ports beside the first."""
        return [*([self.serial] if self.serial else []), *self.lines]


def directory(host: Host, guest: str) -> Path:
    """Where files of a running guest are kept: what its loader reads, and what bhyve said."""
    return host.path(f"{RUN}/{guest}")


def _file(host: Host, guest: str) -> Path:
    return host.path(f"{RUN}/{guest}.json")


def lock_name(guest: str) -> str:
    """The lock whose holder is the guest's supervisor."""
    return f"running.{guest}"


def supervisor(host: Host, guest: str) -> int | None:
    """The process that supervises a guest, or None where it does not run."""
    return host.locks.holder(lock_name(guest))


def all_supervised(host: Host) -> dict[str, int]:
    """Every guest that runs, and its supervisor."""
    found = {name: host.locks.holder(lock_name(name)) for name in recorded(host)}
    return {name: pid for name, pid in found.items() if pid is not None}


def recorded(host: Host) -> list[str]:
    """Guests that some supervisor wrote something down of, running or left over."""
    try:
        return sorted(path.stem for path in host.path(RUN).glob("*.json"))
    except OSError:
        return []


def recorded_of(host: Host, guest: str) -> bool:
    """Whether something is written down of a guest: it runs, or its supervisor died."""
    return _file(host, guest).exists()


def read(host: Host, guest: str) -> Running | None:
    """What is written down of a guest, or None; raises ChyvesError for a file that is none of ours.

    Of another format what is not known is passed over, and what is missing is as if nothing had been to be said.
    """
    path = _file(host, guest)
    try:
        return _understood(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ChyvesError(f"{guest}: {path} cannot be read ({error}); remove it when the guest does not run") from None


def _understood(written: dict[str, object]) -> Running:
    """What is known of it; raises TypeError for a value that cannot be."""
    if not isinstance(written, dict):
        raise TypeError("it is no object")
    known = {each.name: str(each.type) for each in fields(Running) if each.name in written}
    for name, kind in known.items():
        if not isinstance(written[name], TYPES[kind]):
            raise TypeError(f"{name} is {written[name]!r}")
    return Running(**{name: written[name] for name in known})  # type: ignore[arg-type]


def write(host: Host, guest: str, state: Running) -> None:
    """Write down what others must know of a running guest."""
    state.format = FORMAT
    host.files.write(_file(host, guest), json.dumps(asdict(state)) + "\n")


def forget(host: Host, guest: str) -> None:
    """Remove what was written down, after the guest's directory; raises ChyvesError."""
    place = directory(host, guest)
    if host.dry:
        host.run.do("rm", "-rf", str(place))
    elif place.exists():
        import shutil

        try:
            shutil.rmtree(place)
        except OSError as error:
            raise ChyvesError(f"{place}: cannot be removed: {error.strerror}") from None
    host.files.remove_unfinished(_file(host, guest))
    host.files.remove(_file(host, guest))


def bhyve_lives(host: Host, guest: str, state: Running) -> bool:
    """Whether the bhyve process that was written down is still that one, and not only waits to be collected.

    When it began, ps(1) tells by the host's clock, and otherwise once that was set: then its title says what it is.
    """
    pid = state.bhyve
    if pid is None or not host.processes.alive(pid):
        return False
    if host.processes.identity(pid) == state.identity:
        return True
    return (host.processes.title(pid) or "").partition(" (")[0] == f"bhyve: {names.vm(guest)}"


def living(host: Host, guest: str) -> Running | None:
    """What is written down of a guest that runs, also of one whose supervisor died and whose bhyve lives on."""
    state = read(host, guest)
    return state if supervisor(host, guest) is not None or (state and bhyve_lives(host, guest, state)) else None


def crashed(state: Running) -> bool:
    """Whether a guest that is looked after has no bhyve because it crashed: it waits to be booted again, or is kept."""
    return state.bhyve is None and state.crash is not None


def find_bhyve(host: Host, guest: str, state: Running) -> bool:
    """Whether a bhyve without a supervisor lives; one that died before it wrote bhyve down has it written down now."""
    if bhyve_lives(host, guest, state):
        return True
    found = host.processes.find(f"bhyve: {_pattern(guest)}")
    if found:
        state.bhyve, state.identity = found[0], host.processes.identity(found[0])
        write(host, guest, state)
    return bool(found)


def orphans(host: Host, guest: str) -> list[int]:
    """The loaders and bhyves of a guest without a supervisor, which may not have been written down."""
    name = _pattern(guest)
    return host.processes.find(f"(bhyve: |(bhyve|bhyveload|grub-bhyve) .* ){name}")


def _pattern(guest: str) -> str:
    return names.vm(guest).replace(".", "[.]")


def vmm(host: Host, guest: str) -> bool:
    """Whether the kernel has a VMM of the guest (which can outlive bhyve)."""
    return host.path(f"/dev/vmm/{names.vm(guest)}").exists()


def vmms(host: Host) -> set[str]:
    """The VMMs that the kernel has, by name; the directory is there only while there is one."""
    try:
        return set(os.listdir(host.path("/dev/vmm")))
    except OSError:
        return set()
