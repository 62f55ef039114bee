"""Clones of guests: as dependent ZFS clones, or as copies; with the same properties, or with unique ones of their own.

Built below `guests/.new`, and there at once by one rename, as a new guest is.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from chyves import __version__, names, nics
from chyves.bhyve import board
from chyves.board import SMBIOS
from chyves.errors import ChyvesError
from chyves.guests import leftovers, prepare, rollback, running, template
from chyves.guests.copy import Size, copy, measured, require_room
from chyves.guests.create import refuse_taken
from chyves.guests.each import begun
from chyves.guests.leftovers import NEW
from chyves.guests.process_snapshots import take_process_snapshots
from chyves.guests.unique import Unique, disk_serial
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.network.plan import bridge_of, is_system, taps, with_member
from chyves.pools.holdings import GUEST_FILE, GuestHolding, Holdings, PoolHolding
from chyves.pools.writing import save
from chyves.properties import Global, Guest

MADE_ANEW = {".config": {"snapdir": "visible"}, "logs": {"compression": "on"}}
"""Datasets of a clone that are its own from the beginning, with their ZFS properties."""

OF_ONE_MACHINE = tuple(name for name in SMBIOS if name.endswith(("_serial_number", "_asset_tag")))
"""By these a machine is told from all others, so that a clone that is to be one of its own is without them."""

KEPT = (
    "atime",
    "checksum",
    "compression",
    "copies",
    "dedup",
    "logbias",
    "primarycache",
    "recordsize",
    "redundant_metadata",
    "secondarycache",
    "snapdev",
    "sync",
    "volmode",
)
"""ZFS properties set on a dataset that a clone of it has too: zfs-clone(8) leaves them behind."""


@dataclass(frozen=True)
class Original:
    """What is cloned: a guest as it is now, or as it was in a snapshot; `datasets` are its own names for them."""

    holding: GuestHolding
    snapshot: str | None
    guest: Guest
    datasets: tuple[str, ...]

    @cached_property
    def local(self) -> dict[str, dict[str, str]]:
        """The ZFS properties that were set on its datasets, asked once for all its clones."""
        return self.holding.host.zfs.local(*self.datasets)

    @cached_property
    def sizes(self) -> dict[str, Size]:
        """The sizes of its datasets, asked once for all its copies."""
        return measured(self.holding.host, self.datasets)

    def fixed(self, holdings: Holdings) -> Guest:
        """Its properties, by which the devices of an exact clone are what they are here."""
        rows = {
            name: row for name, row in self.holding.rows.items() if name in self.datasets or row["type"] != "volume"
        }
        then = replace(self.holding, rows=rows)
        then.properties = self.guest
        return prepare.fixed(holdings, then)

    @property
    def shown(self) -> str:
        return f"{self.holding.name}@{self.snapshot}" if self.snapshot else self.holding.name


def clone(host: Host, guest: str, name: Sequence[str], pool: str | None = None, flag: str | None = None) -> None:
    """Make clones of a guest, or of `guest@snapshot`, each whole or not at all; all names are checked first."""
    original_name, _, snapshot = guest.partition("@")
    with host.locks.hold("all", f"guest.{original_name}"):
        holdings = leftovers.settled(host)
        rollback.refuse_unfinished(holdings, original_name)
        original = _original(holdings, holdings.guest(original_name), snapshot or None)
        how = flag or holdings.globals.default_clone_flag
        where = original.holding.pool if pool is None else holdings.pool(pool)
        for new in name:
            refuse_taken(holdings, new)
        _refuse_other_pool(original, where, how, name[0])
        unique = Unique.read(holdings)
        _tell_of_running(host, original)
        if not dependent(how):
            require_room(host, name, where, original.sizes.values())
        for number, new in enumerate(name):
            with begun(name[number + 1 :]):
                _clone(holdings, original, new, where, how, unique)


def _original(holdings: Holdings, holding: GuestHolding, snapshot: str | None) -> Original:
    if snapshot is None:
        return Original(holding, None, holding.properties, tuple(_cloned(holding, holding.rows)))
    datasets = tuple(_snapshotted(holdings.host, holding, snapshot))
    file = holding.file.parent / ".zfs" / "snapshot" / snapshot / ".cfg"
    return Original(holding, snapshot, Guest(holding.name, holdings.host.files.read_properties(file)), datasets)


def _cloned(holding: GuestHolding, datasets: Iterable[str]) -> list[str]:
    """Those datasets of a guest that are cloned, parents first: all but its properties and logs."""
    anew = tuple(f"{holding.dataset}/{name}" for name in MADE_ANEW)
    return sorted(name for name in datasets if name not in anew and not name.startswith(tuple(f"{a}/" for a in anew)))


def _snapshotted(host: Host, holding: GuestHolding, snapshot: str) -> list[str]:
    """The datasets that a guest had when a snapshot was taken; raises ChyvesError where the snapshot is not of all."""
    columns = ("name", "createtxg")
    rows = host.zfs.list(holding.dataset, properties=columns, types="filesystem,volume,snapshot", recursive=True)
    born = {row["name"]: int(row["createtxg"]) for row in rows}
    taken = born.get(f"{holding.dataset}@{snapshot}")
    have = [name for name in holding.rows if f"{name}@{snapshot}" in born]
    if taken is None and not have:
        raise ChyvesError(f"{holding.name}@{snapshot}: there is no such snapshot of {holding.name}")
    needed = [*_cloned(holding, holding.rows), f"{holding.dataset}/.config"]
    missing = [name for name in needed if name not in have and (taken is None or born[name] <= taken)]
    if missing:
        names = ", ".join(missing)
        raise ChyvesError(f"{holding.name}@{snapshot}: is no snapshot of {names}; choose one of the whole guest")
    return _cloned(holding, have)


def dependent(how: str) -> bool:
    """Whether a flag of clone, such as -cu, asks for a ZFS clone; else for a copy."""
    return how[1] == "c"


def _refuse_other_pool(original: Original, where: PoolHolding, how: str, name: str) -> None:
    here = original.holding.pool.name
    if dependent(how) and where.name != here:
        raise ChyvesError(
            f"{name}: a ZFS clone is on the pool of its parent, {here}; leave {where.name} out, or copy with -i{how[2]}"
        )


def _tell_of_running(host: Host, original: Original) -> None:
    name = original.holding.name
    if original.snapshot is None and running.supervisor(host, name) is not None:
        host.terminal.say(1, f"{name}: runs; what is cloned is as after a power cut at this moment")


def _clone(holdings: Holdings, original: Original, name: str, where: PoolHolding, how: str, unique: Unique) -> None:
    """Make one clone."""
    host, kind = holdings.host, "clone" if dependent(how) else "copy"
    host.terminal.say(1, f"{name}: {'cloning' if dependent(how) else 'copying'} {original.shown}")
    guest, changed = Guest(name, original.guest.text), holdings.globals
    if how[2] == "u":
        guest, changed = _renewed(holdings, original, guest, unique)
    else:
        guest = Guest(name, original.fixed(holdings).text)
    _build(holdings, original, guest, where, how, changed)
    holdings.globals = changed
    own = ", ".join(filter(None, (*guest.net_ifaces, guest.serial)))
    host.terminal.say(2, f"{name}: is a {kind} of {original.shown}, with {own}")
    if guest.template:
        host.terminal.say(1, f"{name}: is a template, as {original.holding.name} is; "
                             f"to start it: chyves {name} set template=no")  # fmt: skip


def _build(holdings: Holdings, original: Original, guest: Guest, pool: PoolHolding, how: str, changed: Global) -> None:
    host, settings = holdings.host, holdings.globals
    parent = f"{pool.guests_dataset}/{NEW.name}"
    new, final = f"{parent}/{guest.owner}", f"{pool.guests_dataset}/{guest.owner}"
    with Undo():
        with Undo() as undo:
            leftovers.within(undo, host, pool, new)
            undo.do(lambda: host.zfs.create(parent, parents=True))
            _make_from(undo, host, original, pool, new, how)
            _make_anew(undo, host, guest, new, pool.place(pool.guests_dataset) / NEW.name / guest.owner)
            if changed.text != settings.text:
                undo.do(
                    lambda: save(host, changed, holdings.globals_file),
                    lambda: save(host, settings, holdings.globals_file),
                    f"take the taps of {guest.owner} off their bridges",
                )
            undo.do(lambda: host.zfs.rename(new, final))
            host.events.note("cloned", guest.owner, of=original.shown, pool=pool.name)
        leftovers.tidy(host, pool, new)


def _make_from(undo: Undo, host: Host, original: Original, pool: PoolHolding, new: str, how: str) -> None:
    """Make each dataset out of the original's, with what was set on that."""
    old, local = original.holding.dataset, original.local
    kept = {
        dataset: {key: value for key, value in local[dataset].items() if key in KEPT or _of_users(key)}
        for dataset in original.datasets
    }
    places = {dataset: dataset.replace(old, new, 1) for dataset in original.datasets}
    tag = original.snapshot or take_process_snapshots(undo, host, old)
    leftovers.arriving(undo, host, pool, new)
    if dependent(how):
        for dataset, place in places.items():
            undo.do(partial(host.zfs.clone, f"{dataset}@{tag}", place, kept[dataset]))
    else:
        copy(undo, host, pool, places, tag, kept, original.sizes)
    if original.snapshot is None:
        undo.do(lambda: host.zfs.let_go(f"{old}@{tag}", recursive=True))


def _of_users(property: str) -> bool:
    """Whether a ZFS property is one that somebody else than ZFS and chyves has a use for."""
    return ":" in property and not property.startswith("chyves:")


def _make_anew(undo: Undo, host: Host, guest: Guest, new: str, directory: Path) -> None:
    """Make the datasets that are not cloned, and write the properties; those of a template are closed last."""
    writable = template.OPEN if guest.template else {}
    for name, properties in MADE_ANEW.items():
        undo.do(partial(host.zfs.create, f"{new}/{name}", {**properties, **writable}))
    undo.do(lambda: save(host, guest, directory / ".config" / GUEST_FILE))
    if guest.template:
        undo.do(lambda: host.zfs.set(new, template.CLOSED))


def _renewed(holdings: Holdings, original: Original, guest: Guest, unique: Unique) -> tuple[Guest, Global]:
    """Properties of which no other guest has the same, and the bridges' lists with the new taps."""
    settings = holdings.globals
    # Where the administrator makes the interfaces, which of them the clone gets is theirs to say.
    renamed = {} if is_system(settings) else interfaces(guest.net_ifaces, unique)
    for old, new in renamed.items():
        bridge = bridge_of(settings, old)
        if bridge is None and taps((old,)) and old not in original.holding.properties.net_ifaces:
            bridge = holdings.defaults.bridge  # of a guest as it was: the tap is no longer anywhere
        if bridge is not None:
            settings = with_member(settings, bridge, new)
    stamp = f"Cloned from {original.shown} on {time.strftime('%Y%m%d-%H%M')} by chyves {__version__}"
    return renewed(guest, renamed, unique).with_changes({"creation": stamp}), settings


def interfaces(old: Iterable[str], unique: Unique) -> dict[str, str]:
    """New interfaces for old ones: a tap for each tap, and for the port of a VALE switch the switch without a port.

    slirp{n} and netgraph{n} count in their guest alone, and keep their names.
    Of a second port on one switch the clone gets a numbered one: a guest's interfaces have different names.
    """
    renamed: dict[str, str] = {}
    for interface in old:
        switch = interface.partition(":")[0]
        if taps((interface,)):
            renamed[interface] = unique.tap()
        elif names.is_card(interface):
            renamed[interface] = interface  # each guest has its own
        else:
            renamed[interface] = unique.switch_port(switch) if switch in renamed.values() else switch
    return renamed


def renewed(guest: Guest, renamed: dict[str, str], unique: Unique) -> Guest:
    """A guest's properties with a uuid, serial line, VNC port, interfaces and MACs of its own, the cards in place."""
    changes: dict[str, str | None] = dict.fromkeys(nics.addresses(guest))
    changes |= nics.renamed(guest.text, renamed)
    changes |= {f"{card}_mac": unique.mac() for card in filter(names.is_card, renamed.values())}
    changes |= nics.ports(guest, renamed, {renamed[port]: unique.mac() for port in guest.vale_mac if port in renamed})
    for number, forwards in guest.slirp_forward.items():
        changes[f"slirp{number}_forward"] = Guest.slirp_forward.type.format(unique.forwards(forwards))
    changes |= {"uuid": unique.uuid(), "net_ifaces": ",".join(renamed.values()) or "-"}
    changes |= {f"disk{number}_serial": disk_serial() for number in guest.disk_serial}
    changes |= dict.fromkeys(["image_serials", "vale_macs", *(f"disk{number}_eui64" for number in guest.disk_eui64)])
    if guest.serial is not None:
        changes["serial"] = unique.serial()
    if guest.uefi_vnc_port is not None:
        changes["uefi_vnc_port"] = unique.vnc_port()
    changes |= unique.of_board(guest, board.alone(guest))
    changes |= {f"pcidev_{number}": _own_device(text, unique) for number, text in guest.pcidev.items()}
    changes |= {name: None for name in guest.text if name in OF_ONE_MACHINE}
    # A hook of a netgraph(4) node has one peer: which is for the clone's card is told by whoever made the node.
    changes |= {f"netgraph{number}_peerhook": None for number in guest.netgraph_peerhook}
    changes |= {f"netgraph{number}_socket": None for number in guest.netgraph_socket}
    if guest.pci_slots:
        places = {renamed.get(device, device): place for device, place in guest.pci_slots.items()}
        changes["pci_slots"] = Guest.pci_slots.type.format(places)
    return guest.with_changes(changes)


def _own_device(text: str, unique: Unique) -> str:
    """A `pcidev_{n}` with an Ethernet address of its own where it has one, and without what bhyve makes of the name."""
    kept = [word for word in text.split(",") if not word.startswith("eui64=")]
    return ",".join(f"mac={unique.mac()}" if word.startswith("mac=") else word for word in kept)
