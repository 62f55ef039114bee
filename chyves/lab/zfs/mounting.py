"""`zfs mount` and `zfs unmount`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from chyves.lab.zfs import datasets, listing, mounts, properties, resuming
from chyves.lab.zfs.choose import Choice
from chyves.lab.zfs.datasets import FILESYSTEM, Dataset
from chyves.lab.zfs.options import Options, argument_missing
from chyves.lab.zfs.refusals import BadUsage, Refused, cannot
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State


def mount(state: State, words: Sequence[str]) -> int:
    """zfs mount."""
    json = properties.at_least(state.lab.release, "15.0")
    options = Options(words, "alvo:Of" + "Rj" * json, argument_missing, listing.JSON if json else None)
    if "a" in options:
        if options.operands:
            raise BadUsage("too many arguments")
        return _mount_all(state)
    if not options.operands:
        _show(state, "j" in options)
        return 0
    if len(options.operands) > 1:
        raise BadUsage("too many arguments")
    with state.changing():
        top = datasets.require(state, options.operands[0], [FILESYSTEM])
        if "R" in options:
            mount_automatic(state, [top, *_systems_below(state, top)])
        else:
            _mount(state, top)
    return 0


def _systems_below(state: State, top: Dataset) -> list[Dataset]:
    return [one for one in datasets.heads_below(state, top.name) if one.kind == FILESYSTEM]


def _show(state: State, as_json: bool) -> None:
    found = sorted(mounts.mounted(state).items(), key=lambda pair: pair[1].name)
    if as_json:
        from chyves.lab.zfs import json_form

        json_form.print_mounts([(one.name, place) for place, one in found])
        return
    for place, one in found:
        print(f"{one.name:<30}  {place}")


def _mount(state: State, one: Dataset) -> None:
    settings = Settings(state, of=one.name)
    value, place = settings.mountpoint(one.name)[0], settings.mounts_at(one.name)
    if value == "legacy":
        raise Refused(f"cannot mount '{one.name}': legacy mountpoint\nuse mount(8) to mount this filesystem")
    if place is None:
        raise cannot("mount", one.name, "no mountpoint set")
    if settings.canmount(one.name) == "off":
        raise cannot("mount", one.name, "'canmount' property is set to 'off'")
    if resuming.is_made(state, one.id):
        partly = 'Contains partially-completed state from "zfs receive -s", which can be resumed with "zfs send -t"'
        raise cannot("mount", one.name, partly)
    if one.place:
        raise cannot("mount", one.name, "filesystem already mounted")
    complaint = mounts.obstacle(state, one, settings, place)
    if complaint:
        raise Refused(complaint)
    mounts.mount(state, one, place)


def _mount_all(state: State) -> int:
    with state.changing():
        mount_automatic(state, Choice(state, [], [FILESYSTEM], None, False).found)
    return 0


def mount_automatic(state: State, systems: Sequence[Dataset]) -> bool:
    """Mount the file systems that `canmount=on` and a mountpoint make mountable, parents first; whether all are."""
    settings, able = Settings(state), True
    waiting = [
        (place, one)
        for one in systems
        if not one.place and settings.canmount(one.name) == "on" and (place := settings.mounts_at(one.name))
    ]
    for place, one in sorted(waiting):
        complaint = mounts.obstacle(state, one, settings, place)
        if complaint:
            print(complaint, file=sys.stderr)
            able = False
        else:
            mounts.mount(state, one, place)
    return able


def unmount(state: State, words: Sequence[str]) -> int:
    """zfs unmount."""
    options = Options(words, "afu")
    force = "f" in options
    if "a" in options:
        if options.operands:
            raise BadUsage("too many arguments")
        with state.changing():
            leave(state, list(mounts.mounted(state).values()), force)
        return 0
    if len(options.operands) != 1:
        raise BadUsage("too many arguments" if options.operands else "missing filesystem argument")
    with state.changing():
        one = _named(state, options.operands[0])
        if Settings(state, of=one.name).mountpoint(one.name)[0] == "legacy":
            raise Refused(f"cannot unmount '{one.name}': legacy mountpoint\nuse umount(8) to unmount this filesystem")
        if not one.place:
            raise cannot("unmount", one.name, "not currently mounted")
        leave(state, [one, *(each for each in _systems_below(state, one) if each.place)], force)
    return 0


def _named(state: State, operand: str) -> Dataset:
    if not operand.startswith("/"):
        return datasets.require(state, operand, [FILESYSTEM])
    place = str(state.lab.inside(operand)).rstrip("/")
    found = mounts.mounted(state).get(place)
    if not found:
        raise cannot("unmount", operand, "not a mountpoint")
    return found


def leave(state: State, systems: Sequence[Dataset], force: bool) -> None:
    """Unmount file systems, deepest first; their mountpoints stay. Raises Refused when one is in use."""
    mounts.refuse_if_used(state, systems, force)
    for one in sorted(systems, key=lambda one: one.place or "", reverse=True):
        mounts.unmount(state, one, keep_directory=True)
