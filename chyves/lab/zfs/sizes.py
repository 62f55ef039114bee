"""Numbers as zfs(8) reads and shows them."""

from __future__ import annotations

import re

from chyves.lab.zfs.refusals import Refused

_UNITS = "BKMGTPEZ"
_SUFFIX = re.compile(r"(?:|b|[kmgtpez](?:b|ib)?)", re.IGNORECASE)
_BIGGEST = 2**64


def parse(text: str) -> int:
    """Bytes of `10`, `1.5G`, `4KiB` and the like; the text of a Refused is the reason alone."""
    if not text or text[0] not in "0123456789.":
        raise Refused(f"bad numeric value '{text}'")
    match = re.match(r"(\d*)(\.\d*)?", text)
    digits, fraction = (match[1] or "0", match[2] or "") if match else ("0", "")
    suffix = text[match.end() if match else 0 :]
    if not _SUFFIX.fullmatch(suffix):
        raise Refused(f"invalid numeric suffix '{suffix}'")
    shift = 10 * _UNITS.index(suffix[0].upper()) if suffix else 0
    number = int(digits) << shift
    if len(fraction) > 1:
        number = int(float(digits + fraction) * 2.0**shift)
    if number >= _BIGGEST:
        raise Refused("numeric value is too large")
    return number


def show(number: int, unit: str = "") -> str:
    """A number in at most five characters: `1.50G`; `unit` is what follows a number below 1024 (`B` for bytes)."""
    index, whole = 0, number
    while whole >= 1024 and index < 6:
        whole //= 1024
        index += 1
    if index == 0:
        return f"{number}{unit}"
    letter = _UNITS[index]
    if number % 1024**index == 0:
        return f"{whole}{letter}"
    shown = ""
    for digits in (2, 1, 0):
        shown = f"{number / 1024**index:.{digits}f}{letter}"
        if len(shown) <= 5:
            break
    return shown


def power_of_two(number: int) -> bool:
    """Whether a block may be this many bytes, as far as its form goes."""
    return number > 0 and number & (number - 1) == 0
