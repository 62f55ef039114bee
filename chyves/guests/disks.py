"""The disks of guests: volumes `disk{n}`, and raw images below img/."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from chyves import names
from chyves.cli.sizes import rounded
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError
from chyves.guests import history, leftovers, prepare, running
from chyves.guests.copy import refuse_full
from chyves.guests.create import volume_properties
from chyves.guests.template import refuse_template
from chyves.guests.unique import disk_serial
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.names import shown
from chyves.network.plan import free_number
from chyves.pools import together
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.pools.writing import save
from chyves.properties import Defaults, Guest
from chyves.values import NONE, Size

SIZES = Size("")
VOLUME = ("used", "volblocksize")
ROOM = ("available", "refreservation")
SMALLER = "choose a smaller size"
COLUMNS = (
    Column("guest", "Guest"),
    Column("disk", "Disk"),
    Column("size", "Size", right=True),
    Column("used", "Used", right=True),
    Column("path", "Path"),
    Column("description", "Description"),
    Column("notes", "Notes"),
)


def show(host: Host, guest: str) -> Table:
    """The disks of one guest."""
    holding = Holdings.read(host, VOLUME).guest(guest)
    _warn_of_hidden(holding)
    return Table("disks", COLUMNS[1:], tuple(_rows(holding)))


def show_all(host: Host) -> Table:
    """The disks of every guest."""
    holdings = Holdings.read(host, VOLUME)
    rows = []
    for holding in holdings.guests.values():
        try:
            rows += list(_rows(holding))
            _warn_of_hidden(holding)
        except ChyvesError as error:
            host.terminal.warn(str(error))
    return Table("disks", COLUMNS, tuple(rows))


def _warn_of_hidden(holding: GuestHolding) -> None:
    for sentence in prepare.hidden_images(holding):
        holding.host.terminal.warn(sentence)


def _rows(holding: GuestHolding) -> Iterator[Row]:
    guest = holding.properties
    for name, path in holding.disks():
        number = names.disk_number(name)
        row = holding.volumes.get(name)
        size = int(row["volsize"]) if row else path.stat().st_size
        used = int(row["used"]) if row else path.stat().st_blocks * 512
        values: dict[str, Value] = {
            "guest": holding.name,
            "disk": name if row else str(path.relative_to(holding.mountpoint)),
            "size": size,
            "used": used,
            "path": str(path),
            "description": _line(guest.disk_description, number),
            "notes": _line(guest.disk_notes, number),
        }
        yield Row(values, {"size": rounded(size), "used": rounded(used)})


def _line(lines: Mapping[int, str], number: int | None) -> str | None:
    """What is kept of a disk of this number; None for nothing, and for a raw image, which has none."""
    text = "" if number is None else lines.get(number, "")
    return None if text in NONE else text


def add(host: Host, guest: str, size: str | None = None) -> None:
    """Give a guest a further volume, the next free `disk{n}`; it is seen at the next start."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host, ROOM)
        holding = holdings.guest(guest)
        refuse_template(holding)
        bytes_ = Defaults.size.parse(guest, size or holdings.defaults.get("size"), "size")
        disk = f"disk{free_number(0, _taken(holding))}"
        refuse_full(f"{guest}: {disk}", holding.pool, bytes_, _free(holding), SMALLER)
        dataset = f"{holding.dataset}/{disk}"
        new = f"{holding.pool.guests_dataset}/{leftovers.NEW.name}/{guest}:{disk}"
        before, after = holding.properties, _with_disk(holdings, holding, disk, bytes_)
        with Undo():
            with Undo() as undo:
                leftovers.within(undo, host, holding.pool, new)
                undo.do(
                    lambda: host.zfs.create_volume(new, bytes_, volume_properties(holdings.defaults), parents=True),
                    lambda: leftovers.discard(host, holding.pool, new, (new,)),
                    f"destroy {new}",
                )
                undo.do(
                    lambda: together.write(holdings, [before], [after]),
                    lambda: save(host, before, holding.file),
                    f"restore the properties of {guest}",
                )
                undo.do(lambda: host.zfs.rename(new, dataset))
                host.events.note("disk_added", guest, disk=disk, size=bytes_)
            leftovers.tidy(host, holding.pool, new)
        host.terminal.say(1, f"{guest}: {disk} of {SIZES.format(bytes_)} added" + _later(host, guest))


def _free(holding: GuestHolding) -> int:
    """The bytes that a guest's datasets may grow by, as `ROOM` was asked for."""
    return int(holding.rows[holding.dataset]["available"])


def _taken(holding: GuestHolding) -> Iterator[int]:
    """The numbers of `disk{n}` that datasets of a guest have, also such as are no volumes."""
    for dataset in holding.rows:
        number = names.disk_number(dataset.removeprefix(f"{holding.dataset}/"))
        if number is not None:
            yield number


def _with_disk(holdings: Holdings, holding: GuestHolding, disk: str, size: int) -> Guest:
    """A guest's properties with a further volume, of which nothing is kept from an earlier one of the same number."""
    holding.properties = prepare.without_disk(holdings, holding, disk)
    dataset = f"{holding.dataset}/{disk}"
    holding.rows[dataset] = {"name": dataset, "type": "volume", "volsize": str(size)}
    holding.properties = holding.properties.with_changes({f"{disk}_serial": disk_serial()})
    return prepare.placed(holdings, holding)


def _later(host: Host, guest: str) -> str:
    return "; the guest sees it at its next start" if running.supervisor(host, guest) is not None else ""


def _volume(holding: GuestHolding, disk: str) -> dict[str, str]:
    volumes = holding.volumes
    if disk not in volumes:
        have = ", ".join(volumes) or "none"
        raise ChyvesError(f"{holding.name}: {disk}: there is no such disk (there are: {have})")
    return volumes[disk]


def _image(holding: GuestHolding, disk: str) -> Path | None:
    """The raw image of a path from the guest's directory, None for a volume's name; raises ChyvesError."""
    if names.disk_number(disk) is not None:
        return None
    images = {str(path.relative_to(holding.mountpoint)): path for path in holding.images()}
    if disk not in images:
        have = ", ".join(images) or "none"
        raise ChyvesError(f"{holding.name}: {shown(disk)}: there is no such raw image (there are: {have})")
    return images[disk]


def _delete_image(host: Host, guest: str, image: Path, disk: str, yes: bool) -> None:
    """Remove a raw image, which is one step; its place on the PCI bus is free at the next start."""
    _refuse_running(host, guest, "deleted")
    lines = [f"{guest}: {image} will be removed; snapshots that have it keep it"]
    if not host.dry and not host.terminal.confirm(f"{guest}: delete {disk}?", yes, lines, scripts=True, named=True):
        return
    with Undo() as undo:
        undo.do(lambda: host.files.remove(image))
        host.events.note("disk_deleted", guest, disk=disk)
    host.terminal.say(1, f"{guest}: {disk} deleted")


def describe(host: Host, guest: str, disk: str, what: str, text: Sequence[str]) -> None:
    """Keep a description of a volume, or notes on it; `-` or nothing takes the line out. Raises ChyvesError."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        _volume(holding, disk)
        name, line = f"{disk}_{what}", " ".join(text)
        row = Guest.disk_description if what == "description" else Guest.disk_notes
        value = None if line in NONE else row.parse(guest, line, name)
        before, after = holding.properties, holding.properties.with_changes({name: value})
        with Undo():
            together.write(holdings, [before], [after])
            host.events.note("set", guest, properties=[name])
        host.terminal.say(1, f"{guest}: {disk}: {what}: {'none' if value is None else value}")


def _refuse_running(host: Host, guest: str, what: str) -> None:
    if running.supervisor(host, guest) is not None:
        raise ChyvesError(f"{guest}: runs, so that a disk cannot be {what}; stop it first")


def delete(host: Host, guest: str, disk: str, yes: bool = False) -> None:
    """Delete a volume with its snapshots, or a raw image, of a guest that does not run, after asking on a terminal."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host)
        holding = holdings.guest(guest)
        refuse_template(holding)
        if (image := _image(holding, disk)) is not None:
            _delete_image(host, guest, image, disk, yes)
            return
        _volume(holding, disk)
        _refuse_running(host, guest, "deleted")
        dataset = f"{holding.dataset}/{disk}"
        past = history.read(host, [holding], [dataset])[guest]
        history.refuse_bound(past, past.snapshots)
        below = host.zfs.below(dataset)
        lines = [f"{guest}: {name} will be destroyed" for name in below]
        if not host.dry and not host.terminal.confirm(f"{guest}: delete {disk}?", yes, lines, scripts=True, named=True):
            return
        old = f"{holding.pool.guests_dataset}/{leftovers.OLD.name}/{guest}:{disk}"
        before, after = holding.properties, prepare.without_disk(holdings, holding, disk)
        with Undo():
            with Undo() as undo:
                leftovers.within(undo, host, holding.pool, old)
                undo.do(
                    lambda: host.zfs.rename(dataset, old, parents=True),
                    lambda: host.zfs.rename(old, dataset),
                    f"bring {dataset} back",
                )
                undo.do(lambda: together.write(holdings, [before], [after]))
                host.events.note("disk_deleted", guest, disk=disk)
            gone = [name.replace(dataset, old, 1) for name in below]
            leftovers.finish(host, holding.pool, old, gone, f"{guest}: {disk} is deleted")
        host.terminal.say(1, f"{guest}: {disk} deleted")


def _resize_back(host: Host, volume: str, size: int) -> None:
    if host.zfs.get(volume, "volsize") != str(size):
        host.zfs.set(volume, {"volsize": str(size)})


def resize(host: Host, guest: str, disk: str, size: str, yes: bool = False) -> None:
    """Change the size of a volume or a raw image; to a smaller one, losing data, only of a guest that is off; asks."""
    with host.locks.hold("all", f"guest.{guest}"):
        holdings = leftovers.settled(host, (*VOLUME, *ROOM))
        holding = holdings.guest(guest)
        refuse_template(holding)
        image = _image(holding, disk)
        row = {"volblocksize": "512", "volsize": str(image.stat().st_size)} if image else _volume(holding, disk)
        block, now = int(row["volblocksize"]), int(row["volsize"])
        new = -(-Defaults.size.parse(guest, size, "size") // block) * block
        if new == now:
            raise ChyvesError(f"{guest}: {disk}: has {SIZES.format(now)} already")
        if new < now:
            _refuse_running(host, guest, "made smaller")
            change = f"{guest}: {disk}: from {SIZES.format(now)} to {SIZES.format(new)}"
            if not host.dry and not host.terminal.confirm(f"{change}, and lose what is behind that?", yes, named=True):
                return
        elif not image and row["refreservation"] != "0":  # where nothing is reserved, as much is promised as one likes
            refuse_full(f"{guest}: {disk}", holding.pool, new - now, _free(holding), SMALLER)
        with Undo() as undo:
            if image:
                undo.do(lambda: host.files.resize(image, new))
            else:
                volume = f"{holding.dataset}/{disk}"
                # First, for zfs can fail when the volume has its new size.
                undo.do(lambda: None, lambda: _resize_back(host, volume, now), f"give {volume} its old size")
                undo.do(lambda: host.zfs.set(volume, {"volsize": str(new)}))
            host.events.note("disk_resized", guest, disk=disk, size=new)
        host.terminal.say(1, f"{guest}: {disk} has {SIZES.format(new)}" + _later(host, guest))
