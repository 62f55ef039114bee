"""grub-bhyve: load a system with GRUB into a machine (reference, section 2.2).

What it would do is noted, and done by a real GRUB when bhyve starts the guest. Where it would wait at its prompt for
ever, this one ends, and the prompt comes on the guest's serial port.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from chyves.lab.bhyve.ends import End, Stop
from chyves.lab.bhyve.getopt import BadOption, Options
from chyves.lab.bhyve.loaders import FAILED, console, fill
from chyves.lab.bhyve.values import MIB
from chyves.lab.place import Lab

LONG = {
    "root": ":",
    "directory": ":",
    "grub-cfg": ":",
    "device-map": ":",
    "memory": ":",
    "cons-dev": ":",
    "ncons": "",
    "evga": "",
    "wire": "",
    "verbose": "",
    "hold": "::",
    "help": "",
    "usage": "",
    "version": "",
}
SHORT = {
    "r": "root",
    "d": "directory",
    "g": "grub-cfg",
    "m": "device-map",
    "M": "memory",
    "c": "cons-dev",
    "n": "ncons",
    "e": "evga",
    "S": "wire",
    "v": "verbose",
    "H": "hold",
    "?": "help",
    "V": "version",
}
LETTERS = "r:d:g:m:M:c:neSvH::?V"
USAGE = "Usage: grub-bhyve [OPTION...] VMNAME"
SUFFIXES = {"": 20, "K": 10, "M": 20, "G": 30}
MOST_DEVICES = 256


def main(lab: Lab, argv: list[str]) -> int:
    """Fill a machine; 0 when bhyve can be started, 1 for errors, 64 for wrong options."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    options = Options(argv, LETTERS, LONG, permute=True)
    try:
        given = {SHORT.get(name, name): value for name, value in options}
    except BadOption as error:
        print(f"grub-bhyve: {error}\nTry `grub-bhyve --help' for more information.", file=sys.stderr)
        return End.USAGE
    if "help" in given or "usage" in given:
        print("\n".join([USAGE, *(f"  -{short}, --{name}" for short, name in SHORT.items())]))
        return 0
    if "version" in given:
        print("grub-bhyve (GRUB) 2.00")
        return 0
    try:
        return _load(lab, given, options.rest)
    except Stop as end:
        print(end.text, file=sys.stderr)
        return end.status


def _load(lab: Lab, given: dict[str, str], operands: list[str]) -> int:
    if len(operands) != 1:
        raise Stop(FAILED, "grub-bhyve: Required VM name parameter not supplied")
    memory = _memory(given.get("memory", "256"))
    _console(lab, given.get("cons-dev", "stdio"))
    loaded = {
        "program": "grub-bhyve",
        "map": _device_map(lab, given.get("device-map")),
        "root": given.get("root", "host").strip("()"),
        "directory": given.get("directory", "/boot/grub"),
        "file": given.get("grub-cfg", "grub.cfg"),
        "no_console": "ncons" in given,
    }
    loaded["text"] = _text(lab, loaded, reads_stdin=given.get("cons-dev", "stdio") == "stdio")
    try:
        fill(lab, operands[0], memory, loaded, anew=False)
    except Stop as end:
        raise Stop(FAILED, f"{end.text}\ngrub-bhyve: Error in initializing VM") from None
    return 0


def _memory(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMG]?)", text.upper())
    size = int(found[1]) << SUFFIXES[found[2]] if found else 0
    if size < MIB:
        raise Stop(FAILED, f"grub-bhyve: Invalid guest memory size `{text}'.")
    return size


def _console(lab: Lab, device: str) -> None:
    try:
        console(lab, device)
    except OSError as error:
        raise Stop(FAILED, f"grub-bhyve: could not open {device}: {os.strerror(error.errno or 0)}") from None


def _device_map(lab: Lab, file: str | None) -> dict[str, str]:
    """`(NAME) PATH` by the line; raises Stop (1) for a line that is none, drops media that are not there."""
    if file is None:
        return {}
    try:
        lines = Path(lab.inside(file)).read_text().splitlines()
    except OSError as error:
        raise Stop(FAILED, f"grub-bhyve: Error preopening `{file}': {os.strerror(error.errno or 0)}.") from None
    devices: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, path = _entry(text, f"{file}:{number}")
        if "," in name:
            print(f"{file}:{number}: warning: partition ({name}) is not taken", file=sys.stderr)
        elif not lab.inside(path).exists():
            print(f"grub-bhyve: Cannot stat `{path}', skipping.", file=sys.stderr)
        else:
            devices[name if name[-1].isdigit() else f"{name}0"] = str(lab.inside(path))
    if len(devices) > MOST_DEVICES:
        raise Stop(FAILED, f"{file}: too many devices")
    return devices


def _entry(text: str, place: str) -> tuple[str, str]:
    if not text.startswith("("):
        raise Stop(FAILED, f"{place}: No open parenthesis found")
    name, close, rest = text[1:].partition(")")
    if not close:
        raise Stop(FAILED, f"{place}: No close parenthesis found")
    if not re.fullmatch(r"(hd|cd|fd)\d*(,.*)?", name):
        raise Stop(FAILED, f"{place}: bad device name `{name}'")
    if not rest.split():
        raise Stop(FAILED, f"{place}: No path found")
    return name, rest.split()[0]


def _text(lab: Lab, loaded: dict[str, Any], *, reads_stdin: bool) -> str | None:
    """The configuration where it is known here: a file of the host, or commands at the prompt; None: on a medium."""
    if loaded["root"] != "host":
        return None
    file = lab.inside(f"{loaded['directory']}/{loaded['file']}")
    if file.is_file():
        return file.read_text()
    return sys.stdin.read() if reads_stdin and sys.stdin is not None and not sys.stdin.isatty() else ""
