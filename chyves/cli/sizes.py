"""Numbers of bytes for people, as zfs(8) shows them."""

from __future__ import annotations

UNITS = "BKMGTPE"


def rounded(size: int) -> str:
    """A number of bytes in three digits and a unit (powers of 1024): `512B`, `1.50K`, `15.0G`, `8G`."""
    power = max(0, (size.bit_length() - 1) // 10)
    if size % (1 << 10 * power) == 0:
        return f"{size >> 10 * power}{UNITS[power]}"
    number = size / (1 << 10 * power)
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:.{digits}f}{UNITS[power]}"
