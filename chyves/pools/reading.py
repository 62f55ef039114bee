"""Reading files of properties, which another command may rename or delete with their guest at that moment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from chyves.errors import ChyvesError, Denied, Vanished
from chyves.host.machine import Host

if TYPE_CHECKING:
    from chyves.pools.holdings import GuestHolding


def read(host: Host, path: Path) -> dict[str, str]:
    """The properties in a file; none where there is no such file."""
    return host.files.read_properties(path) if os.path.lexists(path) else {}


def read_guest(holding: GuestHolding) -> dict[str, str]:
    """The properties in a guest's file; raises Vanished where the guest has gone since the datasets were listed."""
    try:
        return holding.host.files.read_properties(holding.file)
    except Denied:
        raise
    except ChyvesError:
        if not holding.file.exists() and not holding.host.zfs.exists(holding.dataset):
            raise Vanished(f"{holding.name}: has just been renamed, moved or deleted; see: chyves list") from None
        raise
