"""Create guests: built below `guests/.new`, and there at once by one rename."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from chyves import __version__, names, presets
from chyves.bhyve.facts import Chassis, Disk
from chyves.bhyve.slots import places
from chyves.errors import ChyvesError
from chyves.guests import leftovers
from chyves.guests.copy import free, refuse_full
from chyves.guests.each import begun
from chyves.guests.leftovers import NEW
from chyves.guests.unique import Unique, disk_serial
from chyves.host.facts import machine
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import is_system, with_member
from chyves.pools.holdings import GUEST_FILE, Holdings, PoolHolding
from chyves.pools.writing import save
from chyves.properties import Defaults, Guest


def create(
    host: Host, guest: Sequence[str], size: str | None = None, pool: str | None = None, preset: str | None = None
) -> None:
    """Make guests, each whole or not at all; a name that cannot be had is refused before anything is made."""
    if size is not None and pool is None and not size[:1].isdigit():
        pool, size = names.pool(size), None
    if preset is not None:
        presets.preset(preset)
    with host.locks.hold("all"):
        holdings = leftovers.settled(host, ("available",))
        where = holdings.pool(pool)
        for name in guest:
            refuse_taken(holdings, name)
        volume_size = Defaults.size.parse(guest[0], size or holdings.defaults.get("size"), "size")
        # ZFS reserves all of a volume, and a little more.
        refuse_full(",".join(guest), where, len(guest) * volume_size, free(where), "choose another size or pool")
        unique = Unique.read(holdings)
        for number, name in enumerate(guest):
            with begun(guest[number + 1 :]):
                _create(host, holdings, where, name, volume_size, unique, preset)


def refuse_taken(holdings: Holdings, name: str) -> None:
    """Refuse the name of a new guest that a guest or another dataset has; raises ChyvesError."""
    if name in holdings.guests:
        raise ChyvesError(
            f"{name}: there is such a guest already, on pool {holdings.guests[name].pool.name}; choose another name"
        )
    for pool in holdings.pools.values():
        if f"{pool.guests_dataset}/{name}" in pool.rows:
            raise ChyvesError(
                f"{name}: the dataset {pool.guests_dataset}/{name} exists and is no guest; rename or destroy it"
            )


def _create(
    host: Host, holdings: Holdings, pool: PoolHolding, name: str, size: int, unique: Unique, preset: str | None
) -> None:
    defaults, settings = holdings.defaults, holdings.globals
    guest = _properties(holdings, name, unique, preset)
    new, final = f"{pool.guests_dataset}/{NEW.name}/{name}", f"{pool.guests_dataset}/{name}"
    directory = pool.place(pool.guests_dataset) / NEW.name / name
    host.terminal.say(1, f"{name}: creating on {pool.name}")
    with Undo():
        with Undo() as undo:
            leftovers.within(undo, host, pool, new)
            undo.do(
                lambda: host.zfs.create(new, parents=True),
                lambda: leftovers.discard(host, pool, new, host.zfs.below(new)),
                f"destroy {new}",
            )
            undo.do(lambda: host.zfs.create(f"{new}/.config", {"snapdir": "visible"}))
            undo.do(lambda: host.zfs.create(f"{new}/logs", {"compression": "on"}))
            undo.do(lambda: host.zfs.create(f"{new}/img"))
            undo.do(lambda: host.zfs.create_volume(f"{new}/disk0", size, volume_properties(defaults)))
            undo.do(lambda: save(host, guest, directory / ".config" / GUEST_FILE))
            changed = with_member(settings, defaults.bridge, *guest.net_ifaces)
            undo.do(
                lambda: save(host, changed, holdings.globals_file) if changed.text != settings.text else None,
                lambda: save(host, settings, holdings.globals_file),
                f"take the tap of {name} off {defaults.bridge}",
            )
            undo.do(lambda: host.zfs.rename(new, final))
            host.events.note("created", name, pool=pool.name)
        leftovers.tidy(host, pool, new)
    holdings.globals = changed
    network = "".join(f"{tap} on {defaults.bridge} and " for tap in guest.net_ifaces)
    host.terminal.say(2, f"{name}: created, with {network}{guest.serial}")


def _properties(holdings: Holdings, name: str, unique: Unique, preset: str | None) -> Guest:
    """What a new guest begins with: the defaults, and what no other guest has.

    In the network mode `system` it has no tap: the administrator makes one and sets net_ifaces.
    """
    own = {
        "chyves_guest_version": Guest.chyves_guest_version.default,
        "creation": f"Created on {time.strftime('%Y%m%d-%H%M')} by chyves {__version__}",
        "description": "-",
        "disk0_serial": disk_serial(),
        "net_ifaces": "-",
        "notes": "-",
        "serial": unique.serial(),
        "template": "no",
        "uuid": unique.uuid(),
    }
    if not is_system(holdings.globals):
        tap = unique.tap()
        own |= {"net_ifaces": tap, f"{tap}_mac": unique.mac()}
    guest = Guest(name, inherited(holdings.defaults) | own)
    if preset is not None:
        available, default = holdings.resources("firmware"), holdings.defaults.uefi_firmware
        guest = guest.with_changes(presets.expanded(preset, guest, available, default, machine(holdings.host)))
    if guest.loader == "uefi":
        guest = guest.with_changes(uefi_additions(guest, holdings.defaults, unique))
    disk = Disk("disk0", f"/dev/zvol/{name}/disk0")
    chassis = Chassis(name=name, disks=(disk,), consolidate=holdings.globals.consolidate_bhyve_pci_devices)
    slots = places(guest, chassis)
    return guest.with_changes({"pci_slots": Guest.pci_slots.type.format(slots)})


def inherited(defaults: Defaults) -> dict[str, str]:
    """What a new guest takes from the defaults; what only UEFI guests need comes when one becomes that."""
    rows = (row for row in Guest.table.values() if row.inherited and not row.name.startswith("uefi_"))
    return {row.name: defaults.get(row.name) for row in rows}


def uefi_additions(guest: Guest, defaults: Defaults, unique: Unique) -> dict[str, str | None]:
    """What a guest gets from the defaults when it first becomes a UEFI guest, or first shows its console by VNC."""
    wanted = ["uefi_console_output", "uefi_firmware", *(["uefi_vars"] if defaults.uefi_vars else [])]
    screen = "vnc" in (guest.text.get("uefi_console_output"), defaults.uefi_console_output)
    if screen:
        wanted += [row.name for row in Guest.table.values() if row.inherited and row.name.startswith("uefi_vnc_")]
    added: dict[str, str | None] = {name: defaults.get(name) for name in wanted if name not in guest.text}
    if screen and guest.uefi_vnc_port is None:
        added["uefi_vnc_port"] = unique.vnc_port()
    return added


def volume_properties(defaults: Defaults) -> Mapping[str, str]:
    """The ZFS properties of a new volume; `inherit` leaves one as the pool has it."""
    wanted = {
        "volblocksize": str(defaults.disk_volblocksize),
        "volmode": defaults.disk_volmode,
        "dedup": defaults.disk_dedup,
        "compression": defaults.disk_compression,
        "primarycache": defaults.disk_primarycache,
        "secondarycache": defaults.disk_secondarycache,
    }
    return {name: value for name, value in wanted.items() if value != "inherit"}
