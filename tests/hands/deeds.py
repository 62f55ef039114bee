"""What a hand does: a command line, and what is known once it is done."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.hands.house import Guest, Register, Rollback, Setting, Snapshot, Span

Note = Callable[[Span, str], None]


@dataclass
class Deed:
    """A command line; `note` is called with its span where it was done or broken off, and with the words of stderr."""

    words: list[str]
    note: Note | None = None
    changes: bool = True


class Chooser:
    """Chooses what one hand does next."""

    def __init__(self, register: Register, hand: int, seed: int) -> None:
        self.register, self.hand = register, hand
        self.chance = random.Random(f"{seed} {hand}")

    def next(self) -> Deed:
        kinds = list(DEEDS)
        kind = self.chance.choices(kinds, [DEEDS[kind] for kind in kinds])[0]
        return kind(self)

    def some(self) -> tuple[Guest, str]:
        return self.register.some(self.chance)

    def set_own(self) -> Deed:
        guest, name = self.some()
        value = self.register.number()

        def note(span: Span, _: str) -> None:
            guest.settings.append(Setting(span.begin, span.end, span.sure, self.hand, value))

        return Deed([name, "set", f"hand{self.hand}={value}"], note)

    def set_several(self) -> Deed:
        """The same property of several guests in one line: all of them, or none."""
        found = {guest.names[0]: (guest, name) for guest, name in (self.some() for _ in range(3))}
        value = self.register.number()

        def note(span: Span, _: str) -> None:
            for guest, _name in found.values():
                guest.settings.append(Setting(span.begin, span.end, span.sure, self.hand, value))

        return Deed([",".join(name for _, name in found.values()), "set", f"hand{self.hand}={value}"], note)

    def look(self) -> Deed:
        _, name = self.some()
        lines = (
            ["list"], ["info", "-a"], ["list", "disks"], ["list", "snapshots"], ["list", "bridges"], ["list", "tap"],
            ["all", "get", "uuid"], [name, "get", "all"], [name, "status"], ["list", "clones"],
        )  # fmt: skip
        return Deed(self.chance.choice(lines), changes=False)

    def snapshot(self) -> Deed:
        guest, name = self.some()
        tag = f"@s{self.register.number()}"

        def note(span: Span, _: str) -> None:
            if span.sure:
                guest.snapshots.append(Snapshot(span.begin, span.end, True, tag))

        return Deed([name, "snapshot", tag], note)

    def rollback(self) -> Deed:
        guest, name = self.some()
        if not guest.snapshots:
            return self.snapshot()
        to = self.chance.choice(guest.snapshots[-2:])

        def note(span: Span, _: str) -> None:
            guest.rollbacks.append(Rollback(span.begin, span.end, span.sure, to))

        return Deed([name, "snapshot", "rollback", to.name, "--yes"], note)

    def delete_snapshot(self) -> Deed:
        guest, name = self.some()
        tag = self.chance.choice(guest.snapshots).name if guest.snapshots else "@none"
        return Deed([name, "snapshot", "delete", tag, "--yes"])

    def create(self) -> Deed:
        name = self.register.name()
        return Deed([name, "create", "64M"], partial(self._made, [name], None))

    def clone(self) -> Deed:
        guest, name = self.some()
        new = self.register.name()
        return Deed([name, "clone", new, self.chance.choice(("-cu", "-iu"))], partial(self._made, [new], guest))

    def _made(self, names: list[str], origin: Guest | None, span: Span, _: str) -> None:
        with self.register.lock:
            self.register.guests.append(Guest(names, span, origin))

    def delete(self) -> Deed:
        guest, name = self.some()

        def note(span: Span, _: str) -> None:
            guest.gone = span

        return Deed([name, "delete"], note)

    def rename(self) -> Deed:
        guest, name = self.some()
        new = self.register.name()

        def note(span: Span, _: str) -> None:
            guest.names = [new] if span.sure else [*guest.names, new]

        return Deed([name, "rename", new], note)

    def disk(self) -> Deed:
        _, name = self.some()
        lines = ([name, "disk", "add", "64M"], [name, "disk", "delete", "disk1", "--yes"],
                 [name, "disk", "resize", "disk0", "128M", "--yes"], [name, "disk", "disk0", "notes", "x"])  # fmt: skip
        return Deed(list(self.chance.choice(lines)))

    def network(self) -> Deed:
        _, name = self.some()
        tap = f"tap{self.chance.randrange(50, 90)}"
        lines = (["network", name, "add", "tap"], ["network", name, "remove", tap],
                 ["network", "bridge0", "migrate", "bridge1", "--yes"],
                 ["network", "bridge1", "migrate", "bridge0", "--yes"])  # fmt: skip
        return Deed(self.chance.choice(lines))

    def run(self) -> Deed:
        _, name = self.some()
        lines = ([name, "start"], [name, "start"], [name, "stop", "force"], [name, "stop"], [name, "reclaim"])
        return Deed(list(self.chance.choice(lines)))

    def dataset(self) -> Deed:
        _, name = self.some()
        pool = self.chance.choice(("zroot", "tank"))
        lines = (["dataset", pool, "promote"], ["dataset", pool, "upgrade"], [name, "move", pool],
                 [name, "promote"], [name, "upgrade"], ["global", "set", "stdout_level=2"])  # fmt: skip
        return Deed(self.chance.choice(lines))


DEEDS: dict[Callable[[Chooser], Deed], int] = {
    Chooser.set_own: 24,
    Chooser.set_several: 4,
    Chooser.look: 14,
    Chooser.snapshot: 6,
    Chooser.rollback: 4,
    Chooser.delete_snapshot: 2,
    Chooser.create: 4,
    Chooser.clone: 5,
    Chooser.delete: 4,
    Chooser.rename: 5,
    Chooser.disk: 8,
    Chooser.network: 7,
    Chooser.run: 9,
    Chooser.dataset: 4,
}
"""How often each is done, in a hundred."""
