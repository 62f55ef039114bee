"""A line of bhyve(8) as a file of bhyve_config(5): every option as the variables that bhyve itself makes of it.

The grammar is that of freebsd.md 1.2 to 1.8 and of bhyve's own reader of each device. All of bhyve's options are
known, not only those that chyves gives: what a user has in `bargs` or `pcidev_{n}` is translated too. A `%` begins a
variable in a line as in a file, so that values stand as they are.
"""

from __future__ import annotations

import getopt
import re
from collections.abc import Callable, Mapping, Sequence

from chyves.bhyve import config_devices
from chyves.bhyve.bargs import BHYVE
from chyves.errors import ChyvesError

Variables = dict[str, str]

SWITCHES = {
    "-a": ("x86.x2apic", "false"),
    "-A": ("acpi_tables", "true"),
    "-C": ("memory.guest_in_core", "true"),
    "-D": ("destroy_on_poweroff", "true"),
    "-e": ("x86.strictio", "true"),
    "-H": ("x86.vmexit_on_hlt", "true"),
    "-M": ("monitor", "true"),
    "-P": ("x86.vmexit_on_pause", "true"),
    "-S": ("memory.wired", "true"),
    "-u": ("rtc.use_localtime", "false"),
    "-W": ("virtio_msix", "false"),
    "-w": ("x86.strictmsr", "false"),
    "-x": ("x86.x2apic", "true"),
    "-Y": ("x86.mptable", "false"),
}
NOTHING = ("-I",)
"""Options that bhyve takes and that do nothing."""

TOP_LEVEL_ROM_SINCE = 1500000
"""kern.osreldate from which the boot ROM is `bootrom`, and not `lpc.bootrom` (freebsd.md 1.4)."""
TOPOLOGY = ("cpus", "sockets", "cores", "threads")


def variables(argv: Sequence[str], files: Mapping[str, str], release: int) -> Variables:
    """The variables that a line of bhyve sets, in its order, of two settings of one variable the later.

    `files` are the texts of files that the line reads with -k, by path; `release` is kern.osreldate. Raises
    ChyvesError, which names the option, for one that has no variable.
    """
    try:
        options, names = getopt.getopt(list(argv[1:]), BHYVE)
    except getopt.GetoptError as error:
        raise ChyvesError(f"bhyve: {error}; see bhyve(8)") from None
    found: Variables = {}
    for option, value in options:
        if option in SWITCHES:
            found |= [SWITCHES[option]]
        elif option in READERS:
            READERS[option](found, value, release)
        elif option == "-k":
            _file(found, value, files)
        elif option not in NOTHING:
            raise ChyvesError(f"{option} {value}".rstrip() + ": bhyve has no variable for it, only the option")
    for name in names:
        found["name"] = name
    _refuse_unwritable(found)
    return found


def text(found: Mapping[str, str]) -> str:
    """Variables as the lines of a file that `bhyve -k` reads."""
    return "".join(f"{name}={value}\n" for name, value in found.items())


def _refuse_unwritable(found: Mapping[str, str]) -> None:
    """A line of a file has a value, and ends where the line does."""
    for name, value in found.items():
        if not value or "\n" in value or name.startswith("#"):
            raise ChyvesError(f"{name}={value!a}: cannot stand in a file of bhyve_config(5); give it another value")


def _file(found: Variables, path: str, files: Mapping[str, str]) -> None:
    if path not in files:
        raise ChyvesError(f"-k {path}: is a file of its own, whose lines are to be put in by hand")
    for line in files[path].splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name] = value


def _processors(found: Variables, value: str, release: int) -> None:
    if not value:
        found |= dict.fromkeys(TOPOLOGY, "1")
        return
    for word in value.split(","):
        key, equals, number = word.partition("=")
        if equals and key not in TOPOLOGY:
            raise ChyvesError(f"-c {value}: bhyve knows no {key}=; use cpus, sockets, cores and threads")
        found[key if equals else "cpus"] = number if equals else word


def _pin(found: Variables, value: str, release: int) -> None:
    """Several pins of a processor add up. The ranges of the newest bhyve are told apart by nothing in its variables."""
    match = re.fullmatch(r"([0-9]+):([0-9]+)", value)
    if match is None:
        raise ChyvesError(f"-p {value}: is not known as variables; give one processor at a time, such as -p 0:4")
    name = f"vcpu.{int(match[1])}.cpuset"
    found[name] = ",".join(filter(None, (found.get(name), str(int(match[2])))))


def _domain(found: Variables, value: str, release: int) -> None:
    pairs = dict(word.partition("=")[::2] for word in value.split(","))
    number = pairs.pop("id", "")
    if not number.isdecimal():
        raise ChyvesError(f"-n {value}: has no id; give it one, such as id=0")
    found |= {f"domains.{int(number)}.{key}": what for key, what in pairs.items()}


def _debugger(found: Variables, value: str, release: int) -> None:
    if value.startswith("w"):
        found["gdb.wait"] = "true"
    address, colon, port = value.removeprefix("w").rpartition(":")
    if colon:
        found["gdb.address"] = address
    found["gdb.port"] = port


def _variable(found: Variables, value: str, release: int) -> None:
    name, _, what = value.partition("=")
    found[name] = what


def _lpc(found: Variables, value: str, release: int) -> None:
    device, _, conf = value.partition(",")
    device = device.lower()
    if device == "bootrom":
        _rom(found, conf, release)
    elif device == "tpm":
        kind, path, *more = [*conf.split(","), "", ""]
        found |= {"tpm.type": kind, "tpm.path": path} | config_devices.pairs("tpm", more)
    elif device == "pc-testdev":
        found["lpc.pc-testdev"] = "true"
    elif re.fullmatch(r"com[1-4]", device):
        found[f"lpc.{device}.path"] = conf
    else:
        raise ChyvesError(f"-l {value}: is not known as variables; set them with -o instead")


def _rom(found: Variables, conf: str, release: int) -> None:
    """The second word is the file of variables only where it has no `=`."""
    rom, *more = conf.split(",")
    top = "" if release >= TOP_LEVEL_ROM_SINCE else "lpc."
    found[f"{top}bootrom"] = rom
    if more and "=" not in more[0]:
        found[f"{top}bootvars"] = more.pop(0)
    found |= config_devices.pairs("lpc", more)


def _slot(found: Variables, value: str, release: int) -> None:
    place, _, device = value.partition(",")
    numbers = place.split(":")
    if len(numbers) > 3 or not all(number.isdecimal() for number in numbers):
        raise ChyvesError(f"-s {value}: begins with no place on the PCI bus; give one, such as 4:0")
    bus, slot, function = {1: ("0", *numbers, "0"), 2: ("0", *numbers), 3: tuple(numbers)}[len(numbers)]
    found |= config_devices.variables(f"pci.{int(bus)}.{int(slot)}.{int(function)}", device, release)


def _write(variable: str) -> Callable[[Variables, str, int], None]:
    def write(found: Variables, value: str, release: int) -> None:
        found[variable] = value

    return write


READERS: dict[str, Callable[[Variables, str, int], None]] = {
    "-c": _processors,
    "-G": _debugger,
    "-K": _write("keyboard.layout"),
    "-l": _lpc,
    "-m": _write("memory.size"),
    "-n": _domain,
    "-o": _variable,
    "-p": _pin,
    "-s": _slot,
    "-U": _write("uuid"),
}
