"""Checksums: read from a word, compared with a file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.names import shown

DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
"""Hexadecimal digits of each kind, by which a bare checksum is known."""


@dataclass(frozen=True)
class Checksum:
    """What a file's digest must be, in lower case."""

    kind: str
    digits: str

    def compare(self, file: Path, name: str) -> None:
        """Read a file and compare; raises ChyvesError that names what was fetched."""
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, self.kind).hexdigest()
        if found != self.digits:
            raise ChyvesError(
                f"{name}: has the {self.kind} checksum {found} and not {self.digits}; "
                "compare with the publisher's, then fetch it again"
            )


def read_checksum(word: str) -> Checksum:
    """A checksum of `sha256=HEX`, or of digits alone; raises ChyvesError."""
    kind, equals, digits = word.rpartition("=")
    digits, kind = digits.strip().lower(), kind.strip().lower()
    if not equals:
        kind = next((name for name, length in DIGITS.items() if length == len(digits)), "")
    if kind not in DIGITS or not re.fullmatch(rf"[0-9a-f]{{{DIGITS[kind]}}}", digits, re.ASCII):
        forms = ", ".join(f"{name}= and {length}" for name, length in DIGITS.items())
        raise ChyvesError(f"checksum {shown(word)}: is not one; write {forms} hexadecimal digits")
    return Checksum(kind, digits)
