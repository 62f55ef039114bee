"""Unpacking .gz and .xz, as far as there is room."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from chyves.errors import ChyvesError

CHUNK = 1 << 20
BROKEN = (gzip.BadGzipFile, lzma.LZMAError, zlib.error)


def unpack(packed: Path, packing: str, target: IO[bytes], room: int, advance: Callable[[int], object]) -> None:
    """Unpack a whole file into another.

    `room` is how many bytes there may be at most; `advance` is told of each piece. Raises ChyvesError for a file that
    is not of its kind, is cut off or broken, or holds more than there is room for.
    """
    left = room
    try:
        with _opened(packed, packing) as stream:
            while piece := stream.read(CHUNK):
                left -= len(piece)
                if left < 0:
                    raise ChyvesError(f"{packed.name}: holds more than the {room} bytes that are free; make room first")
                target.write(piece)
                advance(len(piece))
    except EOFError:
        raise ChyvesError(f"{packed.name}: is cut off; fetch it again") from None
    except BROKEN as error:
        raise ChyvesError(f"{packed.name}: is no sound .{packing} file ({error}); fetch it again") from None


def _opened(packed: Path, packing: str) -> IO[bytes]:
    if packing == "gz":
        return cast(IO[bytes], gzip.open(packed, "rb"))
    return lzma.open(packed, "rb", format=lzma.FORMAT_XZ)
