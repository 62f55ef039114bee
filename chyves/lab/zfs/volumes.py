"""The arithmetic of volumes: block sizes, and what a thick volume reserves."""

from __future__ import annotations

import os

from chyves.lab.zfs import properties
from chyves.lab.zfs.refusals import Refused

_INDIRECT = 128 << 10
_POINTERS = 1024  # block pointers in one indirect block
_LEVELS = 7
_COPIES = 3
_SURELY = 1 << 40


def default_block(release: str) -> int:
    """Bytes of a volume's blocks when none are asked for: 8K to OpenZFS 2.1, 16K since 2.2."""
    return int(properties.table(release)["volblocksize"].default)


def reservation(volsize: int, volblocksize: int, copies: int = 1) -> int:
    """Bytes that let a volume be filled: data and metadata (zvol_volsize_to_reservation of libzfs)."""
    blocks, indirect = volsize // volblocksize, _LEVELS
    while blocks > 1:
        blocks = (blocks + _POINTERS - 1) // _POINTERS
        indirect += blocks
    return volsize * copies + indirect * min(_COPIES, copies + 1) * _INDIRECT


def require_possible(store: str, volsize: int, action: str) -> None:
    """Raise Refused when the machine's file system has no files as big as a volume is to be."""
    if volsize <= _SURELY:
        return
    probe = f"{store}/staging/size"
    try:
        with open(probe, "wb") as file:
            file.truncate(volsize)
    except (OSError, OverflowError):
        raise Refused(f"{action}: volume size exceeds limit for this system") from None
    finally:
        os.unlink(probe)


def rounded_up(volsize: int, volblocksize: int) -> int:
    """The size in whole blocks."""
    return -(-volsize // volblocksize) * volblocksize
