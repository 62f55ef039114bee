"""Files of properties that change together: all of them, or none, also when chyves is killed between two.

Before the first of several files is replaced, what all of them held is written to one file in the primary pool, which
is removed after the last. Whoever finds that file with the lock `all` in hands puts the old properties back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.host.undo import Undo
from chyves.pools.holdings import Holdings
from chyves.pools.writing import save
from chyves.properties import Pool
from chyves.section import Section

NOTE = "unfinished.json"
POOL = "pool:"
"""What stands before a pool's name, which may be a guest's name too, where owners are named."""


def write(holdings: Holdings, old: Sequence[Section], new: Sequence[Section]) -> None:
    """Write properties in the place of others, under the lock `all`; raises ChyvesError, and then none is written."""
    host = holdings.host
    changed = [(before, after) for before, after in zip(old, new, strict=True) if before.text != after.text]
    several = len(changed) > 1 and not host.dry
    with Undo() as undo:
        if several:
            text = json.dumps({_owner(before): dict(before.text) for before, _ in changed})
            owners = ", ".join(before.owner for before, _ in changed)
            back = f"restore the properties of {owners}, which the next command that changes something will"
            undo.do(lambda: host.files.write(note(holdings), text), lambda: restore(holdings), back)
        for _, after in changed:
            undo.do(lambda after=after: save(host, after, file(holdings, _owner(after))))  # type: ignore[misc]
        if several:
            undo.do(lambda: host.files.remove(note(holdings)))


def restore(holdings: Holdings) -> list[str]:
    """Put back what files held before a change that did not come to its end; whose they are, none where there is none.

    What was read before stays as it was read. Raises ChyvesError.
    """
    host, place = holdings.host, note(holdings)
    if not place.exists():
        return []
    try:
        before = {str(owner): dict(text) for owner, text in json.loads(host.files.read(place)).items()}
    except (ValueError, AttributeError) as error:
        raise ChyvesError(f"{place}: cannot be understood ({error}); look at it, and remove it") from None
    for owner, text in before.items():
        if owner in ("global", "defaults", *holdings.guests, *(f"{POOL}{name}" for name in holdings.pools)):
            save(host, Section(owner, text), file(holdings, owner))
    host.files.remove(place)
    return [owner.removeprefix(POOL) for owner in before]


def _owner(section: Section) -> str:
    return f"{POOL}{section.owner}" if isinstance(section, Pool) else section.owner


def file(holdings: Holdings, owner: str) -> Path:
    """Where properties are kept: those of `global`, of `defaults`, of a pool (`pool:NAME`), or of a guest."""
    if owner == "global":
        return holdings.globals_file
    if owner == "defaults":
        return holdings.defaults_file
    if owner.startswith(POOL):
        return holdings.pool(owner.removeprefix(POOL)).file
    return holdings.guest(owner).file


def note(holdings: Holdings) -> Path:
    """The file that is there while a change of several files is not at its end."""
    return holdings.primary.mountpoint / ".config" / NOTE
