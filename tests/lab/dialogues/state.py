"""What there is on the host of a lab, as lines that can be compared: asked of its programs, not of chyves."""

from __future__ import annotations

import hashlib
import importlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from chyves.lab import pci
from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab
from chyves.lab.zfs import commands
from chyves.section import read_text

MADE_SERIAL = re.compile(r": disk\d+_serial=CHY-[0-9A-F]{16}$")
OWNERS = {"global.cfg": "global", ".defaults": "defaults"}


def state(lab: Lab) -> set[str]:
    """Datasets, properties, files, interfaces, modules, VMMs, sessions and what is written down of running guests.

    Logs and locks are left out: neither is state.
    """
    return {
        *_datasets(lab),
        *_files(lab),
        *_interfaces(lab),
        *_modules(lab),
        *_machines(lab),
        *_devices(lab),
        *_run(lab),
        *_consoles(lab),
    }


def _said(lab: Lab, program: str, *words: str) -> str:
    """What a program of the lab prints: asked without a process for it, as the host is looked at after every line."""
    with redirect_stdout(StringIO()) as said:
        if program == "zfs":
            status = commands.run(lab, program, words)
        else:
            status = importlib.import_module(f"chyves.lab.programs.{program}").main(lab, list(words))
    assert status == 0, program
    return said.getvalue()


def _zfs(lab: Lab, *words: str) -> str:
    if not lab.on_real_zfs:
        return _said(lab, "zfs", *words)
    return subprocess.run(
        [lab.bin / "zfs", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    ).stdout


def _datasets(lab: Lab) -> Iterator[str]:
    rows = _zfs(lab, "list", "-Hp", "-t", "all", "-o", "type,name,volsize,origin").splitlines()
    for kind, name, size, origin in (row.split("\t") for row in rows):
        volume = f" of {int(size) >> 20} MiB" if kind == "volume" else ""
        yield f"{kind} {name}{volume}" + (f" from {origin}" if origin != "-" else "")


def _files(lab: Lab) -> Iterator[str]:
    for path in sorted((lab.root / "chyves").rglob("*")):
        if path.is_dir() or "logs" in path.parts:
            continue
        if path.name in (".cfg", "pool.cfg", *OWNERS):
            text = read_text(path.read_text(), str(path))
            lines = (f"{_owner(path)}: {name}={value}" for name, value in text.items())
            yield from (line for line in lines if not MADE_SERIAL.search(line))
        else:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
            yield f"file {path.relative_to(lab.root)} of {path.stat().st_size} bytes, sha256 {digest}..."


def _owner(path: Path) -> str:
    """Whose properties a file has: a guest's, a pool's, the host's, the defaults."""
    return OWNERS.get(path.name) or path.parent.parent.name


def _interfaces(lab: Lab) -> Iterator[str]:
    for text in re.split(r"^(?=\S)", _said(lab, "ifconfig", "-a"), flags=re.M)[1:]:
        parts = [text.partition(":")[0], *(["up"] if re.search(r"[<,]UP[,>]", text.partition("\n")[0]) else ["down"])]
        parts += re.findall(r"^\tdescription: .*", text, re.M)
        parts += [f"member {name}" for name in re.findall(r"^\tmember: (\S+)", text, re.M)]
        parts += ["open"] if "\tOpened by PID" in text else []
        yield f"interface {', '.join(part.strip() for part in parts)}"


def _modules(lab: Lab) -> Iterator[str]:
    return (f"module {row.split()[-1]}" for row in _said(lab, "kldstat").splitlines()[1:])


def _machines(lab: Lab) -> Iterator[str]:
    return (f"virtual machine {path.name}" for path in (lab.root / "dev/vmm").glob("*"))


def _devices(lab: Lab) -> Iterator[str]:
    """The PCI devices that guests can have."""
    with Kernel(lab) as kernel:
        return iter([f"device {place} with {name}" for place, name in pci.drivers(kernel).items() if name == "ppt"])


def _run(lab: Lab) -> Iterator[str]:
    found = (lab.root / "var/run/chyves").rglob("*")
    return (f"file {path.relative_to(lab.root)}" for path in found if path.is_file() and path.suffix != ".lock")


def _consoles(lab: Lab) -> Iterator[str]:
    return (f"session {path.name}" for path in (lab.root / "var/spool/lock").glob("LCK..*"))
