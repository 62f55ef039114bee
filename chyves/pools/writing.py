"""Writing a file of properties, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from chyves.host.machine import Host
from chyves.pools.holdings import GUEST_FILE
from chyves.section import Section


def save(host: Host, section: Section, path: Path) -> None:
    """Write a section's file, whole or not at all; what has a secret in it is for root alone."""
    from chyves.host.files import OTHERS
    from chyves.masking import holds_secret

    host.files.write_properties(path, section.text)
    secret = any(holds_secret(f"{name}={text}") for name, text in section.text.items())
    if path.name == GUEST_FILE and secret and path.parent.is_dir() and path.parent.stat().st_mode & OTHERS:
        host.files.forbid(path.parent, OTHERS)
