"""chyves, with a fault at a chosen change of a file's name: `chyves_with_faults.py STATE NTH WHAT WORD...`.

WHAT is `refuse` (the disk is full), `before` or `after` (killed at once), or the name of a signal that comes then; with
NTH 0 there is none. STATE is the lab's directory of that name, in which `pid` gets the number of the process and
`writes` a character for each change.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from chyves.__main__ import main


def faulty(act: Callable[..., None], top: str, nth: int, what: str) -> Callable[..., None]:
    """A change of a file's name, which counts and fails as chosen."""

    def change(path: Any, *rest: Any, **options: Any) -> None:
        if not os.path.lexists(path):
            act(path, *rest, **options)
            return
        with open(f"{top}/writes", "a") as file:
            file.write("x")
        if os.path.getsize(f"{top}/writes") != nth:
            act(path, *rest, **options)
            return
        if what == "refuse":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if what == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if what not in ("before", "after"):
            os.kill(os.getpid(), getattr(signal, what))
        act(path, *rest, **options)
        if what == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    return change


if __name__ == "__main__":
    top, nth, what = sys.argv[1:4]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which is ignored in what a shell starts behind
    with open(f"{top}/pid", "w") as file:
        file.write(str(os.getpid()))
    os.rename = faulty(os.rename, top, int(nth), what)
    os.unlink = faulty(os.unlink, top, int(nth), what)
    sys.argv = ["chyves", *sys.argv[4:]]
    sys.exit(main())
