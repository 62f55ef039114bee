"""What a guest may take of its host: rules of rctl(8) for bhyve's process, nice(1) and protect(1) before its line."""

from __future__ import annotations

from collections.abc import Iterator

from chyves.bhyve import bargs, board
from chyves.bhyve.facts import Facts
from chyves.errors import ChyvesError
from chyves.properties import Guest

TUNABLE = "kern.racct.enable"

ACTIONS = {
    "pcpu": "deny",
    "memoryuse": "deny",
    "readbps": "throttle",
    "writebps": "throttle",
    "readiops": "throttle",
    "writeiops": "throttle",
}
"""The resources of rctl(8), and what is done to a process that wants more: rates can only be slowed down."""


def _wanted(guest: Guest) -> dict[str, int | None]:
    return {
        "pcpu": guest.limit_pcpu,
        "memoryuse": guest.limit_memory,
        "readbps": guest.limit_readbps,
        "writebps": guest.limit_writebps,
        "readiops": guest.limit_readiops,
        "writeiops": guest.limit_writeiops,
    }


def limits(guest: Guest) -> tuple[str, ...]:
    """What stands in rctl's rules behind `process:PID:`; the kernel forgets a rule with its process."""
    wanted = _wanted(guest)
    return tuple(f"{name}:{ACTIONS[name]}={most}" for name, most in wanted.items() if most is not None)


def rctl(limits: tuple[str, ...], process: str) -> tuple[str, ...]:
    """The line that sets the limits of a process, empty for none."""
    return ("rctl", "-a", *(f"process:{process}:{limit}" for limit in limits)) if limits else ()


def behind(limits: tuple[str, ...]) -> str:
    """What sets the limits of bhyve where its line is given to sh: the words behind it, empty for none."""
    return f"& {' '.join(rctl(limits, '$!'))}; wait $!" if limits else ""


def before(guest: Guest) -> Iterator[str]:
    """The programs that become bhyve, one after the other, and leave it what they have set."""
    if guest.protect:
        yield "protect"
    if guest.nice:
        yield from ("nice", "-n", str(guest.nice))


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for limits that this host does not keep, or that cannot be kept."""
    found = [name for name in Guest.table if name.startswith("limit_") and getattr(guest, name) is not None]
    if not found:
        return
    name = f"{facts.name}: {found[0]}"
    if facts.host.accounting is None:
        raise ChyvesError(f"{name}: this kernel keeps no account of resources; unset it, or build one with RACCT, RCTL")
    if not facts.host.accounting:
        line = f'{TUNABLE}="1"'
        raise ChyvesError(
            f"{name}: this host keeps no account of resources; add {line} to /boot/loader.conf, reboot it"
        )
    most = guest.limit_memory
    if most is not None and most < guest.ram and board.wired(guest):
        why, advice = ("-S in bargs keeps", "take -S out") if bargs.wires(guest) else (
            "ram_wired or a device of the host that is passed through keeps", "take that out"
        )  # fmt: skip
        ram = Guest.ram.type.format(guest.ram)
        raise ChyvesError(
            f"{facts.name}: limit_memory: is less than ram ({ram}), which {why} from being paged out; "
            f"{advice}, or give more"
        )
