"""The programs in a lab's `bin`: one small file each, which runs the module of its name."""

from __future__ import annotations

import pkgutil
import sys
from pathlib import Path

from chyves.lab import programs, real_zfs
from chyves.lab.network import switch
from chyves.lab.place import Lab

LAUNCHER = """\
#!{python} -IS
import sys
sys.path.insert(0, {package!r})
from {module} import run
sys.exit(run({launcher!r}, sys.argv[1:]))
"""


NOT_ON_ARM64 = ("bhyveload", "grub-bhyve")


def names(lab: Lab) -> list[str]:
    """The programs that a lab has."""
    found = sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(programs.__path__))
    return [name for name in found if not (lab.is_arm64 and name in NOT_ON_ARM64)]


def write(lab: Lab) -> None:
    """Make the launchers of a lab, for the Python that runs now; the lab needs nothing but its standard library."""
    lab.bin.mkdir(exist_ok=True)
    for name in names(lab):
        _write(lab.bin / name, "chyves.lab.programs")
    _write(switch.launcher(lab), "chyves.lab.network.switch")
    if lab.on_real_zfs:
        real_zfs.write_launchers(lab)


def _write(place: Path, module: str) -> None:
    package = str(Path(programs.__file__).parents[3])
    python = Path(sys.executable).resolve()
    # It may be a link to a program of the machine.
    place.unlink(missing_ok=True)
    place.write_text(LAUNCHER.format(python=python, module=module, package=package, launcher=str(place)))
    place.chmod(0o755)
