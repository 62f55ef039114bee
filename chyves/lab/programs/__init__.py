"""The programs of the lab's host: `NAME.py` has `main(lab, argv)` for the program NAME."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.lab.place import Lab


def run(launcher: str, argv: list[str]) -> int:
    """Run the program that a lab's launcher (`LAB/bin/NAME`) is named for, and return its status."""
    place = Path(launcher)
    name = place.name.replace("-", "_")
    try:
        lab = Lab.open(place.parent.parent)
        status: int = importlib.import_module(f"chyves.lab.programs.{name}").main(lab, argv)
    except ChyvesError as error:
        print(f"{place.name}: {error}", file=sys.stderr)
        status = error.status
    return status
