"""chyves manages bhyve guests on ZFS.

From Python: `chyves.open().guest("web1").start()` (chyves.interface); nothing of it is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chyves.errors import Busy as Busy
    from chyves.errors import ChyvesError as ChyvesError
    from chyves.errors import Interrupted as Interrupted
    from chyves.errors import NeedsRoot as NeedsRoot
    from chyves.errors import ProgramFailed as ProgramFailed
    from chyves.errors import SeveralFailed as SeveralFailed
    from chyves.errors import UsageError as UsageError
    from chyves.interface import Guests as Guests
    from chyves.interface import Host as Host
    from chyves.interface import open as open

__version__ = "0.3.0"

_FROM = {
    **dict.fromkeys(
        ("Busy", "ChyvesError", "Interrupted", "NeedsRoot", "ProgramFailed", "SeveralFailed", "UsageError"), "errors"
    ),
    **dict.fromkeys(("Guests", "Host", "open"), "interface"),
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _FROM:
            raise AttributeError(f"module 'chyves' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"chyves.{_FROM[name]}"), name)
