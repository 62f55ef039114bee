"""Turn guests of other managers into guests of chyves: built below `guests/.new`, and there at once by one rename.

Volumes come as clones, or with `--rename` as they are; image files come with a clone of their file system, from which
all else is taken out. Nothing is copied, and what stays with the other manager is as it was.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from chyves import names
from chyves.adopt import cbsd, iohyve, libvirt, lying, unfinished, vm_bhyve
from chyves.adopt.foreign import Foreign
from chyves.adopt.plan import Plan
from chyves.errors import ChyvesError
from chyves.guests import leftovers, running, variables
from chyves.guests.create import refuse_taken
from chyves.guests.each import begun
from chyves.guests.leftovers import NEW
from chyves.guests.process_snapshots import drop_process_snapshots
from chyves.guests.unique import Owners, Unique
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import with_member
from chyves.pools.holdings import ADOPTING, GUEST_FILE, Holdings
from chyves.pools.writing import save
from chyves.properties import Global

READERS: Mapping[str, Callable[[Host, str], dict[str, Foreign]]] = {
    "vm-bhyve": vm_bhyve.guests,
    "iohyve": iohyve.guests,
    "cbsd": cbsd.guests,
    "libvirt": libvirt.guests,
}


def adopt(
    host: Host,
    manager: str,
    where: str,
    guest: Sequence[str] | None = None,
    rename: bool = False,
    name: str | None = None,
) -> None:
    """Make guests of chyves of those of another manager, each whole or not at all; all are looked at first.

    `name` is what one guest is called from then on.
    """
    with host.locks.hold("all"):
        holdings = leftovers.settled(host)
        there = READERS[manager](host, where)
        if missing := [old for old in guest or () if old not in there]:
            raise ChyvesError(f"{missing[0]}: {manager} has no such guest there (it has: {', '.join(there)})")
        wanted = [there[old] for old in guest or there]
        if name is not None:
            wanted = [_called(wanted, name)]
        datasets = lying.rows(host)
        found = {}
        for foreign in wanted:
            _refuse(holdings, foreign)
            found[foreign.name] = lying.find(holdings, foreign, datasets)
        lying.refuse_shared(found, list(found), rename)
        unique, owners = Unique.read(holdings), Owners(holdings.each_properties(host.terminal.warn).values())
        plans = [Plan(holdings, foreign, found[foreign.name], unique, owners) for foreign in wanted]
        for number, plan in enumerate(plans):
            with begun([other.guest.owner for other in plans[number + 1 :]]):
                _Adoption(holdings, plan, rename).carry_out()


def _called(wanted: Sequence[Foreign], name: str) -> Foreign:
    """The guest by its name here; raises ChyvesError for several."""
    if len(wanted) != 1:
        raise ChyvesError(f"{name}: is a name for one guest; say which: {', '.join(other.name for other in wanted)}")
    return replace(wanted[0], name=name)


def _refuse(holdings: Holdings, foreign: Foreign) -> None:
    """Refuse a guest that runs, or whose name chyves cannot have or has; raises ChyvesError."""
    if foreign.refusal:
        raise ChyvesError(f"{foreign.name}: {foreign.refusal}")
    try:
        refuse_taken(holdings, names.new_guest(foreign.name))
    except ChyvesError as error:
        raise ChyvesError(f"{error} (for one guest: --name NAME)") from None
    if foreign.vmm in running.vmms(holdings.host):
        raise ChyvesError(f"{foreign.name}: runs (/dev/vmm/{foreign.vmm}); stop it first: {foreign.stop}")


class _Adoption:
    """One guest on its way from the other manager to chyves."""

    def __init__(self, holdings: Holdings, plan: Plan, rename: bool) -> None:
        self.holdings, self.host, self.plan, self.rename = holdings, holdings.host, plan, rename
        self.final = plan.dataset
        top, _, name = self.final.rpartition("/")
        self.new = f"{top}/{NEW.name}/{name}"
        self.directory = plan.found.pool.place(top) / NEW.name / name
        self.tag = f"{names.PROCESS}{uuid.uuid4()}"

    def carry_out(self) -> None:
        """Make the guest, or take back what was made of it."""
        host, pool = self.host, self.plan.found.pool
        host.terminal.say(1, f"{self.plan.foreign.name}: adopting on {pool.name}")
        settings = self.holdings.globals
        with Undo():
            with Undo() as undo:
                leftovers.within(undo, host, pool, self.new)
                self._build(undo)
                self._join(undo, settings)
                undo.do(
                    lambda: host.zfs.rename(self.new, self.final),
                    lambda: host.zfs.rename(self.final, self.new),
                    f"hide {self.final}",
                )
                undo.do(self._let_go)
                undo.do(lambda: host.zfs.inherit(self.final, ADOPTING))
                host.events.note("adopted", self.plan.guest.owner, pool=pool.name)
            leftovers.tidy(host, pool, self.new)
        self._tell()

    def _build(self, undo: Undo) -> None:
        host, pool, new = self.host, self.plan.found.pool, self.new
        own = [new, *(f"{new}/{name}" for name in (".config", "logs", "img", *self.plan.images))]
        own += [f"{new}/img/{label}" for label in self.plan.images]
        own += [] if self.rename else [f"{new}/{disk}" for disk in self.plan.volumes]
        undo.do(lambda: host.zfs.create(new.rpartition("/")[0], parents=True))
        undo.do(
            lambda: host.zfs.create(new),
            lambda: leftovers.discard(host, pool, new, own),
            f"destroy {new}",
        )
        sources = self.plan.volumes | {f"img/{label}": dataset for label, dataset in self.plan.images.items()}
        undo.do(lambda: host.zfs.set(new, unfinished.mark(sources)))
        undo.do(lambda: host.zfs.create(f"{new}/.config", {"snapdir": "visible"}))
        undo.do(lambda: host.zfs.create(f"{new}/logs", {"compression": "on"}))
        undo.do(lambda: host.zfs.create(f"{new}/img"))
        self._snapshot(undo)
        for label, dataset in self.plan.images.items():
            undo.do(partial(host.zfs.clone, f"{dataset}@{self.tag}", f"{new}/img/{label}"))
            undo.do(partial(self._keep_images, label, dataset))
        undo.do(lambda: save(host, self.plan.guest, self.directory / ".config" / GUEST_FILE))
        if (file := self.plan.variables) is not None:
            undo.do(lambda: host.files.copy(file, self.directory / variables.FILE, variables.MODE))
        for disk, dataset in self.plan.volumes.items():
            if self.rename:
                there = f"{new}/{disk}"
                undo.do(
                    partial(host.zfs.rename, dataset, there), partial(host.zfs.rename, there, dataset),
                    f"give {dataset} back",
                )  # fmt: skip
            else:
                undo.do(partial(host.zfs.clone, f"{dataset}@{self.tag}", f"{new}/{disk}"))

    @property
    def _cloned(self) -> list[str]:
        """The datasets that are cloned, but for those below another: a snapshot is of all below too."""
        cloned = [*self.plan.images.values(), *(() if self.rename else self.plan.volumes.values())]
        return [name for name in cloned if not any(name.startswith(f"{other}/") for other in cloned)]

    def _snapshot(self, undo: Undo) -> None:
        """Take snapshots of all that is cloned, at one moment; they go with the last clone of each."""
        host, tops = self.host, self._cloned
        if tops:
            undo.do(lambda: None, lambda: drop_process_snapshots(host, *tops), f"destroy the snapshots @{self.tag}")
            undo.do(lambda: host.zfs.snapshot(*(f"{top}@{self.tag}" for top in tops)))

    def _keep_images(self, label: str, dataset: str) -> None:
        """Take all out of a clone that is no disk of the guest: every file below img/ is one to chyves."""
        place = self.directory / "img" / label
        kept = [word for file in self.plan.found.files[dataset] for word in ("!", "-path", str(place / file))]
        self.host.run.do("find", str(place), "-xdev", "!", "-type", "d", *kept, "-delete")

    def _join(self, undo: Undo, settings: Global) -> None:
        """Put the new taps into the bridges' lists."""
        changed = settings
        for tap, bridge in self.plan.bridges.items():
            changed = with_member(changed, bridge, tap)
        if changed.text != settings.text:
            undo.do(
                lambda: save(self.host, changed, self.holdings.globals_file),
                lambda: save(self.host, settings, self.holdings.globals_file),
                f"take the taps of {self.plan.guest.owner} off their bridges",
            )
        self.holdings.globals = changed

    def _let_go(self) -> None:
        for dataset in self._cloned:
            self.host.zfs.let_go(f"{dataset}@{self.tag}", recursive=True)

    def _tell(self) -> None:
        name, terminal = self.plan.guest.owner, self.host.terminal
        own = ", ".join(filter(None, (*self.plan.guest.net_ifaces, self.plan.guest.serial)))
        terminal.say(1, f"{name}: is a guest of chyves now, with {own}; see: chyves {name} get all")
        if self.plan.foreign.left:
            terminal.warn(f"{name}: not taken over: {'; '.join(self.plan.foreign.left)}")
        firmware = self.plan.guest.uefi_firmware
        if self.plan.guest.loader == "uefi" and firmware and firmware not in self.holdings.resources("firmware"):
            terminal.warn(f"{name}: boots with {firmware}, which is to be brought: chyves firmware import FILE")
        if self._cloned:
            terminal.say(1, f"{name}: its disks are clones; to be free of the old ones: chyves {name} promote")
