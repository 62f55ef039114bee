"""The arithmetic of volumes: block sizes, and what a thick volume reserves."""

from __future__ import annotations

from chyves.lab.zfs import properties

_INDIRECT = 128 << 10
_POINTERS = 1024  # block pointers in one indirect block
_LEVELS = 7
_COPIES = 3


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


def rounded_up(volsize: int, volblocksize: int) -> int:
    """The size in whole blocks."""
    return -(-volsize // volblocksize) * volblocksize
