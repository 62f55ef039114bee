"""bhyve's command line: every option writes variables, in order, and the last write wins (sections 1.1 and 1.2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from chyves.lab.bhyve import arm64, values
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import End, Stop, fatal, perror
from chyves.lab.bhyve.getopt import BadOption, Options
from chyves.lab.bhyve.lpc import add_lpc_device, lpc_devices
from chyves.lab.bhyve.slots import add_slot, emulations
from chyves.lab.place import Lab
from chyves.lab.releases import release

LETTERS = {
    "11.0": "abehuwxACHIPSWYp:g:c:s:m:l:U:",
    "13.2": "aehuwxACDHIPSWYk:o:p:G:c:s:m:l:K:U:",
    "14.3": "aehuwxACDHIPSWYk:f:o:p:G:c:s:m:l:K:U:",
    "15.0": "aehuwxACDHIMPSWYk:f:o:p:G:c:s:m:n:l:K:U:",
    "15.1": "aehuwxACDHIMPSWYk:f:o:p:G:c:s:m:n:l:K:U:",
}

# Options without argument that write one variable.
SWITCHES = {
    "a": ("x86.x2apic", "false"),
    "A": ("acpi_tables", "true"),
    "C": ("memory.guest_in_core", "true"),
    "D": ("destroy_on_poweroff", "true"),
    "e": ("x86.strictio", "true"),
    "H": ("x86.vmexit_on_hlt", "true"),
    "M": ("monitor", "true"),
    "P": ("x86.vmexit_on_pause", "true"),
    "S": ("memory.wired", "true"),
    "u": ("rtc.use_localtime", "false"),
    "W": ("virtio_msix", "false"),
    "w": ("x86.strictmsr", "false"),
    "x": ("x86.x2apic", "true"),
    "Y": ("x86.mptable", "false"),
}
WITHOUT_EFFECT = "bI"

USAGE = {
    "c": ("[[cpus=]numcpus][,sockets=n][,cores=n][,threads=n]", "number of CPUs and/or topology specification"),
    "f": ("<name>,[string|file]=<data>", "firmware configuration item"),
    "G": ("[w][bind_address:]port", "start a debug server"),
    "g": ("gdbport", "start a debug server"),
    "k": ("config_file", "flat file of name=value lines"),
    "K": ("keyboard_layout", "PS2 keyboard layout"),
    "l": ("lpc", "LPC device"),
    "m": ("mem", "memory size"),
    "n": ("id=n,size=s,cpus=list[,domain_policy=p]", "NUMA domain"),
    "o": ("var=value", "set a configuration variable"),
    "p": ("vcpu:hostcpu", "pin a virtual CPU"),
    "r": ("file", "path to checkpoint file"),
    "s": ("<slot,driver,configinfo>", "PCI slot"),
    "U": ("uuid", "UUID of the guest"),
    "A": ("", "create ACPI tables"),
    "a": ("", "local APIC is in xAPIC mode"),
    "C": ("", "include guest memory in core file"),
    "D": ("", "destroy on power-off"),
    "e": ("", "exit on unhandled I/O access"),
    "H": ("", "vmexit from the guest on HLT"),
    "h": ("", "help"),
    "M": ("", "monitor mode"),
    "P": ("", "vmexit from the guest on pause"),
    "S": ("", "guest memory cannot be swapped"),
    "u": ("", "RTC keeps UTC time"),
    "W": ("", "force virtio to use single-vector MSI"),
    "w": ("", "ignore unimplemented MSRs"),
    "x": ("", "local APIC is in x2APIC mode"),
    "Y": ("", "disable MPtable generation"),
}


def read(lab: Lab, argv: list[str]) -> Config:
    """The configuration tree that a command line means; raises Stop for its mistakes, for help and usage."""
    config = Config()
    config.set("acpi_tables", "true" if release(lab.release).number >= (15, 0) and not lab.is_arm64 else "false")
    config.set("memory.size", "256M")
    if not lab.is_arm64:
        config.set("x86.strictmsr", "true")
    options = Options(argv, arm64.LETTERS if lab.is_arm64 else LETTERS[lab.release])
    try:
        for letter, value in options:
            _apply(lab, config, letter, value)
    except BadOption as error:
        _usage(lab, End.POWEROFF, f"bhyve: {error}\n")
    if len(options.rest) > 1:
        _usage(lab, End.POWEROFF)
    if options.rest:
        config.set("name", options.rest[0])
    if config.get("name") is None:
        _usage(lab, End.POWEROFF)
    return config


def _apply(lab: Lab, config: Config, letter: str, value: str) -> None:
    if lab.is_arm64 and letter in arm64.NOT_HEEDED:
        _usage(lab, End.POWEROFF)
    if letter in SWITCHES:
        config.set(*SWITCHES[letter])
    elif letter in VALUED:
        VALUED[letter](lab, config, value)
    elif letter == "h":
        _usage(lab, End.RESET)
    else:
        assert letter in WITHOUT_EFFECT, letter


def _usage(lab: Lab, status: int, before: str = "") -> NoReturn:
    """The usage names every letter of the release, so that a manager can ask what this bhyve can do."""
    letters = arm64.TOLD if lab.is_arm64 else LETTERS[lab.release]
    switches = "".join(sorted(letter for letter in USAGE if letter in letters and not USAGE[letter][0]))
    lines = [f"Usage: bhyve [-{switches}]"]
    here = [(letter, *USAGE[letter]) for letter in USAGE if letter in letters]
    lines += [f"             [-{letter} {argument}]" for letter, argument, _ in here if argument]
    lines += ["             vmname"]
    lines += [f"       -{letter}: {meaning}" for letter, _, meaning in sorted(here, key=lambda row: row[0].lower())]
    raise Stop(status, before + "\n".join(lines))


def _slot(lab: Lab, config: Config, value: str) -> None:
    known = emulations(lab)
    _help(value, known)
    add_slot(config, value, known)


def _lpc(lab: Lab, config: Config, value: str) -> None:
    _help(value, lpc_devices(lab.release))
    add_lpc_device(config, value, lab.release)


def _help(value: str, names: list[str]) -> None:
    """`help`, or a beginning of that word, lists the names on stdout."""
    if "help".startswith(value):
        print("\n".join(names))
        raise Stop(End.RESET)


def _variable(_: Lab, config: Config, value: str) -> None:
    name, _equals, text = value.partition("=")
    if not text:
        fatal(f"invalid configuration option '{value}'", End.USAGE)
    config.set(name, text)


def _config_file(lab: Lab, config: Config, value: str) -> None:
    try:
        lines = Path(lab.inside(value)).read_text(errors="surrogateescape").splitlines()
    except OSError as error:
        perror(f"bhyve: Failed to open configuration file {value}", error.errno or 0)
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        name, _equals, text = line.partition("=")
        if not text:
            fatal(f"{value} line {number}: invalid config option '{line}'")
        config.set(name, text)


def _firmware_item(_: Lab, config: Config, value: str) -> None:
    name, _comma, data = value.partition(",")
    kind, equals, text = data.partition("=")
    if not name or kind not in ("string", "file") or not equals:
        fatal(f"invalid fwcfg item '{value}'", End.USAGE)
    number = len(items.names()) if (items := config.node("fwcfg")) else 0
    config.set(f"fwcfg.{number}.name", name)
    config.set(f"fwcfg.{number}.{kind}", text)


def _write(variable: str) -> Callable[[Lab, Config, str], None]:
    return lambda _, config, value: config.set(variable, value)


def _value(read_value: Callable[[Config, str], None]) -> Callable[[Lab, Config, str], None]:
    return lambda _, config, value: read_value(config, value)


VALUED: dict[str, Callable[[Lab, Config, str], None]] = {
    "c": _value(values.set_topology),
    "f": _firmware_item,
    "G": _value(values.set_debugger),
    "g": _write("gdb.port"),
    "k": _config_file,
    "K": _write("keyboard.layout"),
    "l": _lpc,
    "m": _write("memory.size"),
    "n": _value(values.add_domain),
    "o": _variable,
    "p": _value(values.add_pin),
    "s": _slot,
    "U": _write("uuid"),
}
