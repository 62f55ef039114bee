"""What /boot/loader.conf must say for devices to be with ppt(4) from the host's start on (freebsd.md 1.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LONGEST = 128
"""Characters of a variable of the kernel's environment."""
VARIABLES = ("pptdevs", "pptdevs2", "pptdevs3")
LOAD = "vmm_load"

_SETTING = re.compile(r'^\s*([\w.-]+)\s*=\s*"?([^"\n#]*)"?', re.MULTILINE)


def settings(text: str) -> dict[str, str]:
    """The variables that a text of loader.conf(5) sets."""
    return {name: value.strip() for name, value in _SETTING.findall(text)}


def listed(found: Mapping[str, str]) -> list[str]:
    """The devices that ppt gets at the host's start, `2/0/0`."""
    return [place for name in VARIABLES for place in found.get(name, "").split()]


def lasting(found: Mapping[str, str], places: Iterable[str]) -> tuple[list[str], list[str]]:
    """The lines of loader.conf to have for ppt to get these devices, none where it does, and devices without room.

    What is listed already stays where it is.
    """
    missing = [place for place in places if place not in listed(found)]
    lines = [] if found.get(LOAD, "").upper() == "YES" else [f'{LOAD}="YES"']
    values = {name: found.get(name, "").split() for name in VARIABLES}
    left = [place for place in missing if not _put(values, place)]
    changed = (name for name in VARIABLES if values[name] != found.get(name, "").split())
    return [*lines, *(f'{name}="{" ".join(values[name])}"' for name in changed)], left


def _put(values: dict[str, list[str]], place: str) -> bool:
    """Put a device into the first variable that has room for it; whether one has."""
    for words in values.values():
        if len(" ".join([*words, place])) <= LONGEST:
            words.append(place)
            return True
    return False
