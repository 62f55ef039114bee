"""service(8): runs the rc.d scripts of the lab's host."""

from __future__ import annotations

import getopt
import os
import sys
from pathlib import Path

from chyves.lab.place import Lab
from chyves.lab.shell import run_inside

USAGE = """\
usage: service -e
       service [-v] -l | -r
       service [-v] <rc.d script> start|stop|etc."""
PLACES = ("/etc/rc.d", "/usr/local/etc/rc.d")


def main(lab: Lab, argv: list[str]) -> int:
    """Run service(8): a script of /etc/rc.d or /usr/local/etc/rc.d with its command, in a boot's environment.

    The script finds the lab's files at FreeBSD's paths, as in `chyves lab shell`.
    """
    try:
        options, words = getopt.getopt(argv, "eE:j:lrRv")
    except getopt.GetoptError:
        options, words = [], []
    asked = {option for option, _ in options}
    scripts = [script for place in PLACES for script in _scripts(lab.root / place.lstrip("/"))]
    if "-l" in asked:
        print(*(script.name for script in scripts), sep="\n")
        return 0
    if "-e" in asked:
        print(*(_seen(lab, script) for script in scripts if _enabled(lab, script.name)), sep="\n")
        return 0
    if not words:
        print(USAGE, file=sys.stderr)
        return 1
    script = next((one for one in scripts if one.name == words[0] and os.access(one, os.X_OK)), None)
    if script is None:
        print(f"{words[0]} does not exist in /etc/rc.d or the local startup", file=sys.stderr)
        print(f"directories ({PLACES[1]}), or is not executable", file=sys.stderr)
        return 1
    environment = {"HOME": "/", "PATH": f"{lab.bin}:/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"}
    return run_inside(lab, [str(script), *words[1:]], environment)


def _scripts(place: Path) -> list[Path]:
    return sorted(entry for entry in place.iterdir() if entry.is_file()) if place.is_dir() else []


def _seen(lab: Lab, script: Path) -> str:
    """A script's path as the host has it."""
    return f"/{script.relative_to(lab.root)}"


def _enabled(lab: Lab, name: str) -> bool:
    from chyves.lab.programs.sysrc import Call

    return (Call(lab, set(), []).value(f"{name}_enable") or "NO").upper() in ("YES", "TRUE", "ON", "1")
