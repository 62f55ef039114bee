"""What a guest of another manager will be as a guest of chyves; nothing is changed here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from chyves import __version__, names
from chyves.addresses import Address
from chyves.adopt.foreign import CD, Card, Foreign
from chyves.adopt.lying import Lying
from chyves.bhyve.facts import Chassis, Disk
from chyves.bhyve.identity import mac, written_down
from chyves.bhyve.slots import FIRST, LAST, places
from chyves.errors import ChyvesError
from chyves.guests import screen
from chyves.guests.create import inherited, uefi_additions
from chyves.guests.unique import Owners, Unique
from chyves.masking import masked
from chyves.network.plan import is_system
from chyves.pools.holdings import Holdings
from chyves.properties import Guest

NEEDED = frozenset(("bargs", "cpu", "loader", "ram", "uuid"))
"""Properties without whose value the guest would be another one; of others is told where chyves has no such value."""


class Plan:
    """One guest to be: its properties, the bridges of its taps, and where its disks come from.

    Raises ChyvesError for what it cannot have.
    """

    def __init__(self, holdings: Holdings, foreign: Foreign, found: Lying, unique: Unique, owners: Owners) -> None:
        self.holdings, self.host, self.foreign, self.found = holdings, holdings.host, foreign, found
        self.dataset = f"{found.pool.guests_dataset}/{foreign.name}"
        self.volumes = {f"disk{number}": dataset for number, (dataset, _) in enumerate(found.volumes)}
        self.images = dict(zip(_labels(found.files), found.files, strict=True))
        self.variables = self._variables()
        self.guest, self.bridges = self._properties(unique)
        owners.refuse_shared(foreign.name, Guest(foreign.name, {}), self.guest)

    def _properties(self, unique: Unique) -> tuple[Guest, dict[str, str]]:
        """The properties, with an identity of its own where it had none, and the bridge of each new tap."""
        foreign, defaults = self.foreign, self.holdings.defaults
        told = dict(foreign.properties)
        own = {
            "chyves_guest_version": Guest.chyves_guest_version.default,
            "creation": f"Adopted on {time.strftime('%Y%m%d-%H%M')} by chyves {__version__}",
            "net_ifaces": "-",
            "serial": unique.serial(),
            "uuid": unique.uuid(),
        }
        own |= self._disk_types()
        told |= self._disk_settings()
        bridges: dict[str, str] = {}
        if is_system(self.holdings.globals):
            foreign.left += ["the network cards (network_design_mode=system)"] if foreign.cards else []
        else:
            for card in foreign.cards:
                tap = unique.tap()
                bridges[tap] = self._bridge(card, tap)
                made = mac(foreign.vmm, Address(*map(int, card.place.split(":")))) if card.place else unique.mac()
                own[f"{tap}_mac"] = card.mac or made
                told |= {
                    f"{tap}_{what}": text for what, text in card.settings if text not in ("", defaults.bhyve_net_type)
                }
        own["net_ifaces"] = ",".join(bridges) or "-"
        guest = Guest(foreign.name, {**inherited(defaults), "description": "-", "notes": "-", **own})
        guest = guest.with_changes(dict(self._fitting(told)))
        if guest.loader == "uefi":
            guest = guest.with_changes(uefi_additions(guest, defaults, unique))
        if self.variables is not None:
            guest = guest.with_changes({"uefi_vars": "yes"})
        return self._placed(screen.guarded(self.host, guest)), bridges

    def _bridge(self, card: Card, tap: str) -> str:
        """The bridge that a card is on here."""
        if names.bridge_number(card.bridge) is not None:
            return card.bridge
        bridge = self.holdings.defaults.bridge
        self.foreign.left += [f"the switch {card.bridge} ({tap} is on {bridge})"] if card.bridge else []
        return bridge

    def _fitting(self, told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The settings that chyves has, and of the values those that it can have; of the others is told."""
        for name, text in told.items():
            row = Guest.row(name)
            try:
                if row is not None and name not in NEEDED:
                    row.parse(self.foreign.name, text, name)
            except ChyvesError:
                row = None
            if row is not None:
                yield name, text
            else:
                self.foreign.left.append(masked(f"{name}={text}"))

    def _disk_settings(self) -> dict[str, str]:
        """What was set of single disks, for volumes; image files have nothing of their own."""
        named = {dataset: disk for disk, dataset in self.volumes.items()}
        volumes = {disk: named[dataset] for dataset, disk in self.found.volumes}
        self.foreign.left += [
            f"{'='.join(setting)} of {disk.path}"
            for disk in self.foreign.disks if disk not in volumes for setting in disk.settings
        ]  # fmt: skip
        return {f"{volumes[disk]}_{what}": text for disk in volumes for what, text in disk.settings}

    def _disk_types(self) -> dict[str, str]:
        """The kind of most disks, and those of the volumes that are otherwise; images have the kind of most."""
        kinds = [disk.emulation for disk in self.foreign.disks if disk.emulation != CD] or [
            Guest.bhyve_disk_type.default
        ]
        most = max(kinds, key=kinds.count)
        found = {"bhyve_disk_type": most}
        named = {dataset: disk for disk, dataset in self.volumes.items()}
        for dataset, disk in self.found.volumes:
            if disk.emulation != most:
                found[f"{named[dataset]}_type"] = disk.emulation
        own = [disk for _, disk in self.found.volumes]
        odd = [disk.path for disk in self.foreign.disks if disk not in own and disk.emulation != most]
        self.foreign.left += [f"the type of {', '.join(odd)} (it is {most})"] if odd else []
        return found

    def _variables(self) -> Path | None:
        """The file of the UEFI variables that the guest had, where there is one."""
        file = Path(self.foreign.variables)
        return file if self.foreign.variables and file.is_file() and not file.is_symlink() else None

    def _placed(self, guest: Guest) -> Guest:
        """The properties with the place of each device; raises ChyvesError for a value or a name that cannot be."""
        guest.check()
        images = [Disk(os.path.basename(file), file) for files in self.found.files.values() for file in files]
        volumes = [Disk(disk, f"/dev/zvol/{self.dataset}/{disk}") for disk in self.volumes]
        consolidate = self.holdings.globals.consolidate_bhyve_pci_devices
        chassis = Chassis(name=guest.owner, disks=(*images, *volumes), consolidate=consolidate)
        kept = guest.with_changes({"pci_slots": ",".join(self._kept_places(guest)) or None})
        placed = kept.with_changes({"pci_slots": Guest.pci_slots.type.format(places(kept, chassis))})
        return placed.with_changes(self._serials(placed, consolidate))

    def _serials(self, guest: Guest, consolidate: bool) -> dict[str, str]:
        """What bhyve has made of the disks' paths and the guest's name so far, by which the guest knows its disks."""
        named = {dataset: disk for disk, dataset in self.volumes.items()}
        volumes = [Disk(named[dataset], disk.path) for dataset, disk in self.found.volumes]
        own = {disk.path for _, disk in self.found.volumes}
        images = [Disk(os.path.basename(disk.path), disk.path) for disk in self.foreign.disks if disk.path not in own]
        before = Chassis(name=guest.owner, disks=(*images, *volumes), consolidate=consolidate)
        found = written_down(guest, before, self.foreign.vmm)
        return {name: text for name, text in found.items() if "serial" in name or "eui64" in name}

    def _kept_places(self, guest: Guest) -> Iterator[str]:
        """The places that devices had, as far as chyves has them to give."""
        named = {dataset: disk for disk, dataset in self.volumes.items()}
        own = {disk: named[dataset] for dataset, disk in self.found.volumes}
        devices = [(own.get(disk, os.path.basename(disk.path)), disk.place) for disk in self.foreign.disks]
        devices += zip(guest.net_ifaces, (card.place for card in self.foreign.cards), strict=False)
        for device, place in devices:
            if place and FIRST <= int(place.partition(":")[0]) <= LAST:
                yield f"{device}={place}"


def _labels(files: Sequence[str] | Mapping[str, list[str]]) -> list[str]:
    """What the clones of file systems are called below img/, each by another name."""
    return [f"{number}-{dataset.rpartition('/')[2]}" for number, dataset in enumerate(files)]
