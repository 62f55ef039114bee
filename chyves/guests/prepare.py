"""Everything that is checked before a guest starts, and the lines that start it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from chyves import names
from chyves.bhyve import arm64, board
from chyves.bhyve.facts import Chassis, Disk, Facts, HostFacts
from chyves.bhyve.identity import written_down
from chyves.bhyve.launch import Launch, launch
from chyves.bhyve.pcidevs import disk_paths
from chyves.bhyve.slots import places
from chyves.errors import ChyvesError
from chyves.guests import bound, hooks, running, seed, tpm, variables, within_reach
from chyves.guests.held import Held
from chyves.host.facts import host_facts
from chyves.host.undo import Undo
from chyves.pools import together
from chyves.pools.holdings import NULL_ISO, GuestHolding, Holdings
from chyves.properties import Guest, of_disk

APPEARS = 10
"""Seconds in which the device of a volume is there."""


def modules(holdings: Holdings) -> None:
    """Load what bhyve needs, unless auto_load_kernel_mods=no; raises ChyvesError with kldload's words."""
    host, settings = holdings.host, holdings.globals
    if settings.auto_load_kernel_mods:
        host.kernel.load(("vmm", "nmdm", "if_tap", "bridgestp", "if_bridge"))
    if (
        settings.tap_up_by_default
        and host.kernel.sysctl("net.link.tap.up_on_open").get("net.link.tap.up_on_open") == "0"
    ):
        host.kernel.set_sysctl("net.link.tap.up_on_open", "1")


def _lacks_netmap(holdings: Holdings, holding: GuestHolding) -> bool:
    """Whether the kernel has no VALE switches yet and the guest is on one; raises ChyvesError where it gets none."""
    host, name = holdings.host, holding.name
    ports = {interface for interface in holding.properties.net_ifaces if not names.is_card(interface)}
    if not ports or host.kernel.loaded("netmap"):
        return False
    if not holdings.globals.auto_load_kernel_mods:
        port = min(ports)
        raise ChyvesError(f"{name}: {port}: this kernel has no netmap(4); load it: kldload netmap, or use a tap")
    return True


def chassis(holdings: Holdings, holding: GuestHolding) -> Chassis:
    """What decides where the guest's devices sit."""
    disks = tuple(Disk(name, str(path)) for name, path in holding.disks())
    return Chassis(
        name=holding.name,
        disks=disks,
        consolidate=holdings.globals.consolidate_bhyve_pci_devices,
        scratch=str(running.directory(holdings.host, holding.name)),
    )


def facts(holdings: Holdings, holding: GuestHolding, of_host: HostFacts | None = None) -> Facts:
    """What the command lines need to know of the host and of the guest's files."""
    host, guest = holdings.host, holding.properties
    null_iso = holdings.resources("iso").get(NULL_ISO)
    return Facts(
        host=of_host or host_facts(host, passthrough=bool(guest.pcidev)),
        name=holding.name,
        disks=chassis(holdings, holding).disks,
        console=str(host.path(f"/dev/{guest.serial}")) if guest.serial else "",
        firmware=_firmware(holdings, guest),
        null_iso=str(null_iso) if null_iso else None,
        directory=str(holding.mountpoint),
        scratch=str(running.directory(host, holding.name)),
        consolidate=holdings.globals.consolidate_bhyve_pci_devices,
        variables=variables.found(holdings, holding),
        dev=str(host.path("/dev")),
    )


def _firmware(holdings: Holdings, guest: Guest) -> str | None:
    if guest.loader == arm64.LOADER and guest.uefi_firmware is None:
        installed = holdings.host.path(arm64.INSTALLED)
        return str(installed) if installed.is_file() else None
    if guest.loader not in ("uefi", arm64.LOADER) or guest.uefi_firmware is None:
        return None
    return _own_file(holdings, "firmware", guest.uefi_firmware)


def _own_file(holdings: Holdings, kind: str, name: str) -> str:
    """The file of a resource; raises ChyvesError for a link, which whoever may write there could lead anywhere."""
    path = holdings.resource(kind, name)
    if path.is_symlink():
        raise ChyvesError(
            f"{name}: {path} is a link, which may lead to what is no image; put the file itself in its place"
        )
    return str(path)


def medium_path(holdings: Holdings, medium: str | None) -> str | None:
    """Where the image that a guest starts with is; raises ChyvesError where there is none of the name."""
    return None if medium is None else _own_file(holdings, "iso", medium)


def lines(holdings: Holdings, holding: GuestHolding, medium: str | None, of_host: HostFacts | None = None) -> Launch:
    """The loader's and bhyve's lines; raises ChyvesError for what cannot start.

    `of_host` is what was asked of the host before; it is asked now where that is None.
    """
    told = seed.looked_at(holding, facts(holdings, holding, of_host))
    return launch(holding.properties, told, medium_path(holdings, medium))


def placed(holdings: Holdings, holding: GuestHolding) -> Guest:
    """A guest's properties with the place of each of its devices, which those keep that have one."""
    guest = holding.properties
    slots = Guest.pci_slots.type.format(places(guest, chassis(holdings, holding)))
    return guest if slots == guest.text.get("pci_slots", "") else guest.with_changes({"pci_slots": slots})


def fixed(holdings: Holdings, holding: GuestHolding) -> Guest:
    """A guest's properties, by which its devices stay what they are when its name or the paths of its disks change."""
    guest = holding.properties
    return guest.with_changes({**written_down(guest, chassis(holdings, holding))})


def fix(undo: Undo, holdings: Holdings, holding: GuestHolding) -> None:
    """Write these properties before such a change: as long as nothing else changes, they change nothing."""
    before, after = holding.properties, fixed(holdings, holding)
    if after.text != before.text:
        undo.do(
            lambda: together.write(holdings, [before], [after]),
            lambda: together.write(holdings, [after], [before]),
            f"restore the properties of {holding.name}",
        )
        holding.properties = after


def without_disk(holdings: Holdings, holding: GuestHolding, disk: str) -> Guest:
    """A guest's properties without those of a volume, which it no longer has."""
    holding.properties = placed(holdings, holding)
    holding.rows.pop(f"{holding.dataset}/{disk}", None)
    holding.properties = holding.properties.with_changes(dict.fromkeys(of_disk(names.disk_number(disk) or 0)))
    return placed(holdings, holding)


def keep(holdings: Holdings, holding: GuestHolding, before: Guest) -> None:
    """Write what a start adds to a guest: where devices sit, so that they always sit there, and what firmware keeps."""
    after = placed(holdings, holding)
    together.write(holdings, [before], [after])
    holding.properties = after
    variables.make(holdings, holding)


def hidden_images(holding: GuestHolding) -> Iterator[str]:
    """A sentence for each dataset below img/, and each directory, whose raw images cannot be seen there."""
    top = f"{holding.dataset}/img"
    for name, row in holding.rows.items():
        if name != top and not name.startswith(f"{top}/"):
            continue
        place = Path(row["mountpoint"])
        if row["type"] == "filesystem" and row.get("mounted") == "no":
            yield f"{holding.name}: {name} is not mounted, so that its images are missing; use: zfs mount {name}"
        elif row["type"] == "filesystem" and not place.is_relative_to(holding.mountpoint / "img"):
            where = f"{name} is mounted at {place}, not below img/, so that its images are missing"
            yield f"{holding.name}: {where}; use: zfs inherit mountpoint {name}"
    unseen: list[OSError] = []
    for _ in os.walk(holding.mountpoint / "img", onerror=unseen.append):
        pass
    for error in unseen:
        if isinstance(error, PermissionError):
            where = f"only root may look into {error.filename}, so that its images are missing"
            yield f"{holding.name}: {where}; do this as root"


def held_disks(holding: GuestHolding) -> list[str]:
    """The files and volumes that no other guest may have while this one runs, also those of its `pcidev_{n}`."""
    return [*(str(path) for _, path in holding.disks()), *disk_paths(holding.properties)]


def named_disks(paths: Sequence[str], guest: Guest) -> tuple[Disk, ...]:
    """The disks of a guest among what `held_disks` has told of it, as `facts` has them."""
    own = len(paths) - len(disk_paths(guest))
    return tuple(Disk(os.path.basename(path), path) for path in paths[:own])


def preflight(holdings: Holdings, holding: GuestHolding, held: Held) -> None:
    """What the pure checks cannot see: what other guests and programs hold now; raises ChyvesError."""
    _await_volumes(holding)
    refuse_taken(holdings, holding, held)
    if _lacks_netmap(holdings, holding):
        holdings.host.kernel.load(("netmap",))


def _await_volumes(holding: GuestHolding) -> None:
    """Wait for the devices of volumes that were just made, received or renamed: they come some time after these."""
    for disk in holding.volumes:
        try:
            holding.host.zfs.wait_for_volume(holding.host.path(f"/dev/zvol/{holding.dataset}/{disk}"), APPEARS)
        except ChyvesError as error:
            raise ChyvesError(f"{holding.name}: {disk}: {error}") from None


def refuse_taken(holdings: Holdings, holding: GuestHolding, held: Held) -> None:
    """Refuse to start a guest of which something is left, or which lacks something now; raises ChyvesError."""
    _lacks_netmap(holdings, holding)
    if running.vmm(holdings.host, holding.name):
        raise ChyvesError(
            f"{holding.name}: /dev/vmm/{names.vm(holding.name)} is left from an earlier run; "
            f"free it with: chyves {holding.name} reclaim"
        )
    tpm.refuse(holdings.host, holding.properties)
    refuse_used(holding, held)


def refuse_used(holding: GuestHolding, held: Held, state: running.Running | None = None) -> None:
    """Refuse disks, serial lines and ports that others hold now, but for the ports of the guest itself that runs."""
    guest, name = holding.properties, holding.name
    for sentence in hidden_images(holding):
        raise ChyvesError(sentence)
    hooks.check(holding)
    bound.refuse_unbound(holding.host, holding)
    held.refuse(name, held_disks(holding), board.pairs(guest))
    for _, path in holding.disks():
        if not path.exists():
            raise ChyvesError(f"{name}: {path} does not exist; see: chyves {name} disk list")
    for number, scsi in guest.disk_ctl.items():
        if not holding.host.path(scsi).exists():
            raise ChyvesError(f"{name}: disk{number}_ctl: {scsi} does not exist; make the port with ctladm(8)")
    within_reach.refuse_used_ports(guest, state)
    within_reach.refuse_missing(holding.host, guest)
