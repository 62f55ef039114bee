"""Templates: guests that do not start, whose datasets ZFS keeps from being changed.

The property is what counts: a guest with template=yes whose datasets are open is closed by the next command that
changes something. So it is written before they are closed, and after they are opened.
"""

from __future__ import annotations

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.holdings import GuestHolding

WRITABLE = (".config", "logs")
"""Datasets of a template that chyves itself writes to."""

CLOSED = {"readonly": "on"}
OPEN = {"readonly": "off"}


def refuse_template(holding: GuestHolding) -> None:
    """Refuse to change what a template has; raises ChyvesError."""
    if holding.properties.template:
        raise ChyvesError(
            f"{holding.name}: is a template, which is not changed; end that with: chyves {holding.name} set template=no"
        )


def closed(holding: GuestHolding) -> bool:
    """Whether a guest's datasets are as those of a template: closed but for those that chyves writes to."""
    rows = holding.rows
    own = (rows.get(f"{holding.dataset}/{name}", {}) for name in WRITABLE)
    return rows[holding.dataset].get("readonly") == "on" and all(row.get("readonly") != "on" for row in own)


def close(host: Host, dataset: str) -> None:
    """Have ZFS refuse changes of a guest's datasets, at once also of those below."""
    for name in WRITABLE:
        host.zfs.set(f"{dataset}/{name}", OPEN)
    host.zfs.set(dataset, CLOSED)


def reopen(host: Host, dataset: str) -> None:
    """Let a guest's datasets be changed again, also where each was closed by itself."""
    host.zfs.inherit(dataset, "readonly", recursive=True)


def change(undo: Undo, host: Host, holding: GuestHolding, now: bool) -> None:
    """Close the datasets of what has become a template, or open those of what is to be none any more."""
    act, back = (close, reopen) if now else (reopen, close)
    what = f"{'open' if now else 'close'} the datasets of {holding.name}"
    undo.do(lambda: None, lambda: back(host, holding.dataset), what)
    undo.do(lambda: act(host, holding.dataset))
