"""Deleting an ISO image or a firmware: out of sight by one rename, then destroyed."""

from __future__ import annotations

from collections.abc import Sequence

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.pools.doomed import refuse_bound
from chyves.pools.holdings import NULL_ISO, RESOURCES, Holdings
from chyves.resources import leftovers


def delete(host: Host, kind: str, name: str, yes: bool = False) -> None:
    """Delete an image (`iso`) or a firmware (`firmware`) after asking; raises ChyvesError where a guest uses it."""
    with leftovers.changing(host, kind, name):
        holdings = Holdings.read(host)
        leftovers.settle(host, holdings)
        if name == NULL_ISO:
            raise ChyvesError(f"{name}: is the empty medium that chyves needs for UEFI guests; leave it")
        _refuse_missing(holdings, kind, name)
        _refuse_used(host, holdings, kind, name)
        pool, _ = holdings.stored(kind)[name]
        _delete(host, kind, f"{pool.dataset}/{RESOURCES[kind]}", name, yes)


def _delete(host: Host, kind: str, parent: str, name: str, yes: bool) -> None:
    dataset, old = f"{parent}/{name}", f"{parent}/{leftovers.OLD}{name}"
    refuse_bound(host, {name: dataset})
    below = host.zfs.below(dataset)
    lines = [f"{each} will be destroyed" for each in below]
    if not (host.dry or host.terminal.confirm(f"{name}: delete it?", yes, lines, named=True)):
        return
    doomed = [each.replace(dataset, old, 1) for each in below]
    host.terminal.say(1, f"{name}: deleting")
    with Undo() as undo:
        undo.do(lambda: host.zfs.rename(dataset, old), lambda: host.zfs.rename(old, dataset), f"bring {name} back")
        undo.do(lambda: _destroy(host, old, doomed))
        host.events.note("image_deleted", kind=kind, image=name)
    if not host.dry:
        host.terminal.say(2, f"{name}: deleted")


def _destroy(host: Host, dataset: str, doomed: Sequence[str]) -> None:
    """Destroy it with what was listed; raises ChyvesError where it is there still: zfs can fail, or be ended, after."""
    try:
        host.zfs.destroy_all(dataset, doomed)
    except ChyvesError:
        if host.zfs.exists(dataset):
            raise


def _refuse_missing(holdings: Holdings, kind: str, name: str) -> None:
    found = holdings.resources(kind)
    if name not in found:
        have = ", ".join(other for other in found if other != NULL_ISO) or "none"
        raise ChyvesError(f"{name}: there is no such {kind} (there are: {have}); see: chyves {kind} list")


def _refuse_used(host: Host, holdings: Holdings, kind: str, name: str) -> None:
    users = _with_firmware(host, holdings, name) if kind == "firmware" else _with_medium(host, holdings, name)
    if users:
        what = "boots with it" if kind == "firmware" else "has it in its drive"
        raise ChyvesError(f"{name}: {', '.join(users)} {what}; see to that first")


def _with_firmware(host: Host, holdings: Holdings, name: str) -> list[str]:
    found = holdings.each_properties(host.terminal.warn)
    users = [guest for guest, properties in found.items() if properties.uefi_firmware == name]
    return users + (["every new guest (defaults)"] if holdings.defaults.uefi_firmware == name else [])


def _with_medium(host: Host, holdings: Holdings, name: str) -> list[str]:
    """The running guests that have an image in their drive, as far as their supervisors wrote it down."""
    file = str(holdings.resource("iso", name))
    states = ((guest, running.read(host, guest)) for guest in running.all_supervised(host))
    return [guest for guest, state in states if state and state.medium in (file, name)]
