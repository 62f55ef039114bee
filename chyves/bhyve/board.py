"""What a guest's board has beside processors and memory: serial lines, tables, firmware's items, keyboard, debugger."""

from __future__ import annotations

from collections.abc import Iterator

from chyves.bhyve import bargs, nics
from chyves.bhyve.devices import passthru, shows_screen
from chyves.bhyve.facts import Facts
from chyves.bhyve.ports import LONGEST_SOCKET
from chyves.board import COMS, SMBIOS
from chyves.board_values import Line
from chyves.errors import ChyvesError
from chyves.properties import Guest, is_loopback

LAYOUTS = "/usr/share/bhyve/kbdlayout"
SOCKET = "vnc.sock"
TCP_LINES_SINCE, SOCKET_SINCE = 1402000, 1501000
"""kern.osreldate of the releases that have serial lines over tcp and a screen at a socket: no program tells of them."""
LATER, LATER_SINCE = ("com3", "com4"), 1300000
"""The serial ports that came later, and kern.osreldate of that, for a bhyve which has no list of them (11)."""

Place = tuple[str, int]


def words(guest: Guest) -> Iterator[str]:
    """The options that may stand before the devices."""
    if guest.keyboard is not None:
        yield from ("-K", guest.keyboard)
    if guest.gdb_port is not None:
        yield from ("-G", f"{'w' if guest.gdb_wait else ''}{guest.gdb_address}:{guest.gdb_port}")
    for _, item in sorted(guest.fwcfg_item.items()):
        yield from ("-f", str(item))


def lines(guest: Guest, facts: Facts) -> Iterator[str]:
    """The serial ports beside the first."""
    for name, line in coms(guest).items():
        yield from ("-l", f"{name},{f'{facts.dev}/{line.pair}A' if line.pair else line}")


def rom(guest: Guest) -> str:
    """What follows the boot ROM's files."""
    return "" if guest.fwcfg == "bhyve" else f",fwcfg={guest.fwcfg}"


def tables(guest: Guest) -> Iterator[str]:
    """What the guest is told in SMBIOS; behind the devices, as bhyve would have it."""
    for name, variable in SMBIOS.items():
        if (text := getattr(guest, name)) is not None:
            yield from ("-o", f"{variable}={text}")


def wired(guest: Guest) -> bool:
    """Whether the guest's memory is never paged out."""
    return bool(guest.ram_wired) or passthru(guest) or bargs.wires(guest)


def screen_place(guest: Guest, facts: Facts) -> str:
    """Where the frame buffer is to be seen, in bhyve's words."""
    return f"rfb=unix:{socket(facts)}" if guest.uefi_vnc_socket else f"tcp={guest.uefi_vnc_ip}:{guest.uefi_vnc_port}"


def socket(facts: Facts) -> str:
    """The socket of uefi_vnc_socket: in the guest's own directory, which is root's and goes when the guest does."""
    return f"{facts.scratch}/{SOCKET}"


def coms(guest: Guest) -> dict[str, Line]:
    """The serial ports beside the first that are joined to something, by name."""
    found = ((name, getattr(guest, name)) for name in COMS)
    return {name: line for name, line in found if line is not None}


def pairs(guest: Guest) -> dict[str, str]:
    """The null-modem pairs that the guest has for itself, by property."""
    own = {"serial": guest.serial} if guest.serial else {}
    return own | {name: line.pair for name, line in coms(guest).items() if line.pair}


def listening(guest: Guest) -> dict[str, Place]:
    """Where the guest's bhyve waits for others on the network, by property."""
    found = {name: (line.address, line.port) for name, line in coms(guest).items() if line.port}
    if guest.gdb_port is not None:
        found["gdb_port"] = (guest.gdb_address, guest.gdb_port)
    return found


def alone(guest: Guest) -> dict[str, tuple[str, object]]:
    """What no two guests may have of their boards, by property: its kind and value."""
    found: dict[str, tuple[str, object]] = {
        name: ("serial", pair) for name, pair in pairs(guest).items() if name != "serial"
    }
    return found | {name: ("port", place) for name, place in listening(guest).items()}


def host_files(guest: Guest) -> Iterator[tuple[str, str]]:
    """The files of the host that the guest's properties name, each behind its property."""
    if guest.keyboard is not None:
        yield "keyboard", f"{LAYOUTS}/{guest.keyboard}"
    for number, item in sorted(guest.fwcfg_item.items()):
        if item.kind == "file":
            yield f"fwcfg_{number}", item.data


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for what bhyve refuses, or takes in silence and does otherwise."""
    _said_twice(guest, facts)
    _wired(guest, facts)
    if guest.keyboard is not None:
        _has(facts, "K", "keyboard", "13.0")
    for name in [name for name in SMBIOS if getattr(guest, name) is not None][:1]:
        _has(facts, "o", name, "13.0")
    _items(guest, facts)
    _debugger(guest, facts)
    _lines(guest, facts)
    _taken_twice(guest, facts)
    if guest.uefi_vnc_socket and shows_screen(guest):
        _socket(facts)


def _socket(facts: Facts) -> None:
    if facts.host.release < SOCKET_SINCE:
        raise ChyvesError(
            f"{facts.name}: uefi_vnc_socket: the bhyve of this host shows no screen at a socket, which came with "
            "FreeBSD 15.1; unset it"
        )
    if len(socket(facts)) > LONGEST_SOCKET:
        raise ChyvesError(
            f"{facts.name}: uefi_vnc_socket: {socket(facts)} is longer than a socket's name can be ({LONGEST_SOCKET}); "
            "unset it, or give the guest a shorter name"
        )


def warnings(guest: Guest, facts: Facts) -> Iterator[str]:
    """What the user should know of a guest that starts all the same."""
    for name, line in coms(guest).items():
        if line.port and not is_loopback(line.address):
            yield f"{facts.name}: {name}: others can reach it ({line.address}:{line.port}), and it asks for no password"
    if guest.gdb_port is not None and not is_loopback(guest.gdb_address):
        where = f"{guest.gdb_address}:{guest.gdb_port}"
        yield f"{facts.name}: gdb_port: others can reach it ({where}), and whoever does rules the guest"


def _has(facts: Facts, letter: str, name: str, since: str) -> None:
    if facts.host.options and letter not in facts.host.options:
        raise ChyvesError(
            f"{facts.name}: {name}: the bhyve of this host has no -{letter}, which came with FreeBSD {since}; unset it"
        )


def _said_twice(guest: Guest, facts: Facts) -> None:
    """What stands in bargs too: bhyve would take one of both, or both together."""
    mine = {f"-l {name}": name for name in coms(guest)}
    mine |= {f"-o {variable}": name for name, variable in SMBIOS.items() if getattr(guest, name) is not None}
    mine |= {f"-o domains.{number}": f"numa{number}" for number in guest.numa}
    mine |= {"-n": f"numa{min(guest.numa)}"} if guest.numa else {}
    mine |= {"-p": "cpu_pin"} if guest.cpu_pin else {}
    mine |= {"-K": "keyboard"} if guest.keyboard is not None else {}
    mine |= {"-G": "gdb_port"} if guest.gdb_port is not None else {}
    ends = {f"{facts.dev}/{pair}{end}": name for name, pair in pairs(guest).items() for end in "AB"}
    for option, value in bargs.bhyve_options(guest):
        word = f"{option} {value.partition(',')[0].lower() if option == '-l' else value.partition('=')[0]}"
        known = (mine.get(option), mine.get(word), mine.get(word.rpartition(".")[0]), ends.get(value.partition(",")[2]))
        if name := next(filter(None, known), None):
            raise ChyvesError(f"{guest.owner}: {name}: bargs has {option} {value} too; take one of them out")


def _wired(guest: Guest, facts: Facts) -> None:
    if guest.ram_wired is not False or not wired(guest):
        return
    why, advice = ("bargs has -S", "take that out of bargs") if bargs.wires(guest) else (
        "a device of the host is passed through, which needs it",
        "take that device away",
    )  # fmt: skip
    raise ChyvesError(f"{facts.name}: ram_wired: is no, and {why}; {advice}, or set ram_wired=yes")


def _items(guest: Guest, facts: Facts) -> None:
    if guest.fwcfg == "bhyve" and not guest.fwcfg_item:
        return
    name = f"fwcfg_{min(guest.fwcfg_item)}" if guest.fwcfg_item else "fwcfg"
    _has(facts, "f", name, "14.0")
    if guest.loader != "uefi":
        raise ChyvesError(f"{facts.name}: {name}: needs loader=uefi; set that, or unset {name}")
    if guest.fwcfg == "bhyve":
        raise ChyvesError(f"{facts.name}: {name}: is there only with fwcfg=qemu; set that, or unset {name}")
    names: dict[str, int] = {}
    for number, item in sorted(guest.fwcfg_item.items()):
        if item.name in names:
            raise ChyvesError(
                f"{facts.name}: fwcfg_{number}: {item.name} is also fwcfg_{names[item.name]}; unset one of them"
            )
        names[item.name] = number


def _debugger(guest: Guest, facts: Facts) -> None:
    if guest.gdb_port is None:
        return
    _has(facts, "G", "gdb_port", "12.0")
    if not is_loopback(guest.gdb_address) and not guest.gdb_open:
        raise ChyvesError(
            f"{facts.name}: gdb_address: others can reach {guest.gdb_address}, and whoever connects to the debugger's "
            "port rules the guest; set 127.0.0.1, or allow it with gdb_open=yes"
        )


def _lines(guest: Guest, facts: Facts) -> None:
    for name, line in coms(guest).items():
        known = facts.host.lpc
        if name not in known if known else name in LATER and facts.host.release < LATER_SINCE:
            raise ChyvesError(
                f"{facts.name}: {name}: the bhyve of this host has no {name}, which came with FreeBSD 13.0; unset it"
            )
        if line.port and facts.host.release < TCP_LINES_SINCE:
            raise ChyvesError(
                f"{facts.name}: {name}: the bhyve of this host has no serial lines over tcp, which came with "
                "FreeBSD 14.2; set a null-modem pair, such as nmdm51"
            )


def _taken_twice(guest: Guest, facts: Facts) -> None:
    """No two of the guest's own can have one null-modem pair, or listen at one port of the host."""
    screen = {"uefi_vnc_port": (guest.uefi_vnc_ip, guest.uefi_vnc_port)} if _screen_on_network(guest) else {}
    forwarded = (
        (name, (forward.address, forward.port) if forward.protocol == "tcp" else forward.here)
        for name, forward in nics.forwards(guest)
    )
    taken: dict[object, str] = {}
    for name, what in (*pairs(guest).items(), *screen.items(), *listening(guest).items(), *forwarded):
        if what in taken:
            shown = what if isinstance(what, str) else f"{what[0]}:{what[1]}"
            raise ChyvesError(f"{facts.name}: {name}: {shown} is what {taken[what]} has already; set another")
        taken[what] = name


def _screen_on_network(guest: Guest) -> bool:
    return shows_screen(guest) and not guest.uefi_vnc_socket
