"""sha256(1): checksums."""

from __future__ import annotations

from chyves.lab import digest
from chyves.lab.place import Lab


def main(lab: Lab, argv: list[str]) -> int:
    """Run sha256(1) as `chyves.lab.digest` describes it."""
    return digest.run(lab, "sha256", argv)
