"""Receptions that were cut off and can be taken up again: what is kept of them, and the token that tells the sender.

A token has OpenZFS's form (version, checksum, length, compressed text in hexadecimal); its text is the lab's own.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress

from chyves.lab.zfs.difference import Position
from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.state import State
from chyves.lab.zfs.stream import Told

_ROOM = 8192


def token(begin: Told, position: Position) -> str:
    """The value of `receive_resume_token`."""
    text = json.dumps({"begin": begin, "path": position.path, "offset": position.offset}).encode()
    packed = zlib.compress(text)
    return f"1-{zlib.crc32(packed):x}-{len(text):x}-{packed.hex()}"


def read_token(text: str) -> tuple[Told, Position]:
    """What a token says; raises Refused in the words of `zfs send -t`."""
    try:
        version, checksum, _, packed = text.split("-")
        said, sum_ = bytes.fromhex(packed), int(checksum, 16)
    except ValueError:
        raise _corrupt("invalid format") from None
    if version != "1":
        raise _corrupt(f"invalid version {version}")
    if zlib.crc32(said) != sum_:
        raise _corrupt("incorrect checksum")
    told = json.loads(zlib.decompress(said))
    return told["begin"], Position(told["path"], told["offset"])


def _corrupt(why: str) -> Refused:
    return Refused(f"cannot resume send: resume token is corrupt ({why})")


class Marker:
    """The file that says up to where a reception has come, also when it is killed."""

    def __init__(self, place: str) -> None:
        self._file = os.open(f"{place}/position", os.O_RDWR | os.O_CREAT, 0o600)

    def put(self, position: Position) -> None:
        """Note a position: what is before it has been received."""
        os.pwrite(self._file, json.dumps(position).encode().ljust(_ROOM), 0)

    def close(self) -> None:
        """No longer note anything."""
        os.close(self._file)


def position(place: str) -> Position | None:
    """Up to where a reception has come; None where nothing of it is there."""
    with suppress(OSError, ValueError), open(f"{place}/position", encoding="utf-8") as file:
        path, offset = json.loads(file.read())
        return Position(path, offset)
    return None


def partial(state: State, dataset: int) -> Told | None:
    """The stream of which a dataset has received a part; None where it has none."""
    row = state.db.execute("SELECT begin FROM partial WHERE dataset = ?", (dataset,)).fetchone()
    if row is None:
        return None
    begin: Told = json.loads(row[0])
    return begin


def is_made(state: State, dataset: int) -> bool:
    """Whether a dataset is there only because a part of it was received: OpenZFS calls it inconsistent."""
    row = state.db.execute("SELECT made FROM partial WHERE dataset = ?", (dataset,)).fetchone()
    return bool(row and row[0])


def token_of(state: State, dataset: int) -> str | None:
    """The token of a dataset; None where nothing was received that could be completed."""
    begin = partial(state, dataset)
    reached = position(state.partial(dataset)) if begin is not None else None
    return token(begin, reached) if begin is not None and reached is not None else None
