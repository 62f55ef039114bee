"""`zpool create`, `destroy`, `set`, `export` and `import`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from chyves.lab.zfs import (
    busy,
    checks,
    datasets,
    journal,
    mounting,
    mounts,
    names,
    pool_properties,
    settings,
)
from chyves.lab.zfs import (
    destroy as destroying,
)
from chyves.lab.zfs.datasets import FILESYSTEM, VOLUME, Dataset
from chyves.lab.zfs.options import Options, argument_missing
from chyves.lab.zfs.refusals import BadUsage, Refused, cannot
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State

# A disk that is only a name has this many bytes: enough that a lab is not too small before the machine under it is.
_DISK = 16 << 40
_LEAST = 64 << 20
_DISKS = re.compile(r"(?:/dev/)?((?:ada|da|nda|nvd|nvme|vtbd|md|mmcsd)\d+(?:[ps]\d+[a-h]?)?|(?:gpt|label)/[\w.-]+)")
_GROUP = re.compile(r"mirror|raidz[123]?|draid[123]?|log|cache|spare|special|dedup")


class _Wish:
    """What a command line of `zpool create` asks for."""

    def __init__(self, state: State, words: Sequence[str]) -> None:
        self.options = options = Options(words, "fndR:m:o:O:t:", argument_missing)
        self.pool_properties = _assigned(options.values("o"), "o")
        systems = _assigned(options.values("O"), "O")
        mountpoint = options.last("m") or systems.pop("mountpoint", None)
        self.altroot = options.last("R") or self.pool_properties.pop("altroot", None)
        if not options.operands:
            raise BadUsage("missing pool name argument")
        if len(options.operands) < 2:
            raise BadUsage("missing vdev specification")
        self.name, *self.vdevs = options.operands
        if "/" in self.name:
            raise Refused(
                f"cannot create '{self.name}': invalid character '/' in pool name\nuse 'zfs create' to create a dataset"
            )
        if self.altroot is not None and not self.altroot.startswith("/"):
            raise Refused(f"invalid alternate root '{self.altroot}': must be an absolute path")
        if mountpoint is not None:
            if mountpoint not in ("legacy", "none") and not mountpoint.startswith("/"):
                raise Refused(f"invalid mountpoint '{mountpoint}': must be an absolute path, 'legacy', or 'none'")
            systems["mountpoint"] = mountpoint
        self.systems = systems


def _assigned(words: Sequence[str], letter: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refused(f"missing '=' for -{letter} option")
        if name in found and name != "mountpoint":
            raise Refused(f"property '{name}' specified multiple times")
        found[name] = value
    return found


def create(state: State, words: Sequence[str]) -> int:
    """zpool create: the pool's file systems are below the lab's tree, whatever its mountpoints are."""
    wish = _Wish(state, words)
    size = _size(state, wish)
    action = f"cannot create '{wish.name}'"
    wrong = names.pool_fault(wish.name, making=True)
    if wrong:
        raise Refused(f"{action}: {wrong}\npool name may have been omitted")
    kept = checks.checked(state.lab.release, FILESYSTEM, wish.systems, action, creating=True)
    pool_values = pool_properties.checked(wish.pool_properties, action, creating=True)
    if "n" in wish.options:
        print(f"would create '{wish.name}' with the following layout:\n\n\t{wish.name}")
        print("\n".join(f"\t  {vdev}" for vdev in wish.vdevs))
        return 0
    with state.changing():
        if datasets.find(state, wish.name):
            raise Refused(f"{action}: pool already exists")
        _refuse_used_devices(state, wish)
        complaint = _create(state, wish, size, kept, pool_values)
    if complaint:
        print(complaint, file=sys.stderr)
    return 1 if complaint else 0


def _create(state: State, wish: _Wish, size: int, kept: dict[str, str], pool_values: dict[str, str]) -> str | None:
    guid = int.from_bytes(os.urandom(8), "big") >> 1
    state.db.execute(
        "INSERT INTO pool (name, guid, size, devices, altroot) VALUES (?, ?, ?, ?, ?)",
        (wish.name, guid, size, "\n".join(wish.vdevs), altroot(state, wish.altroot)),
    )
    state.db.executemany(
        "INSERT INTO pool_property VALUES (?, ?, ?)", [(wish.name, *pair) for pair in pool_values.items()]
    )
    root = datasets.add(state, wish.name, FILESYSTEM, FILESYSTEM, txg=1)
    settings.put(state, root, kept)
    now = Settings(state)
    place = now.mounts_at(wish.name) if now.canmount(wish.name) != "off" else None
    if place and os.path.isdir(place) and os.listdir(place):
        raise Refused(f"mountpoint '{place}' exists and is not empty\nuse '-m' option to provide a different default")
    return mounts.settle(state, root, now)


def altroot(state: State, asked: str | None) -> str:
    """The directory that a pool's mountpoints are below: in the lab's tree, always."""
    if asked is None or asked == "/":
        return state.root
    inside = asked == state.root or asked.startswith(f"{state.root}/")
    return asked.rstrip("/") if inside else f"{state.root}{asked}".rstrip("/")


def _size(state: State, wish: _Wish) -> int:
    total, group, members = 0, "", list[int]()
    for word in [*wish.vdevs, "end"]:
        if word != "end" and not _GROUP.fullmatch(word):
            members.append(_device_size(state, word))
            continue
        if members and group in ("", "special", "dedup"):
            total += sum(members)
        elif members and not group.startswith(("log", "cache", "spare")):
            spare = int(group[-1]) if group[-1].isdigit() else 1
            total += min(members) if group == "mirror" else min(members) * (len(members) - spare)
        group, members = word, []
    if not total:
        raise Refused("invalid vdev specification: at least one toplevel vdev must be specified")
    if total < _LEAST:
        raise Refused(f"cannot create '{wish.name}': one or more devices is less than the minimum size (64M)")
    return total


def _device_size(state: State, word: str) -> int:
    if _DISKS.fullmatch(word):
        return _DISK
    path = state.lab.inside(word)
    if not word.startswith("/"):
        raise Refused(f"cannot open '{word}': no such device in /dev\nmust be a full path or shorthand device name")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise Refused(f"cannot use '{word}': must be a GEOM provider or regular file")
        return size
    except OSError as error:
        raise Refused(f"cannot open '{word}': {error.strerror}") from None


def _refuse_used_devices(state: State, wish: _Wish) -> None:
    for name, devices in state.db.execute("SELECT name, devices FROM pool WHERE NOT exported"):
        shared = [one for one in devices.split("\n") if one in wish.vdevs and not _GROUP.fullmatch(one)]
        if shared:
            shown = "\n".join(f"{one} is part of active pool '{name}'" for one in shared)
            hint = (
                "the following errors must be manually repaired:"
                if "f" in wish.options
                else ("use '-f' to override the following errors:")
            )
            raise Refused(f"invalid vdev specification\n{hint}\n{shown}")


def is_group(word: str) -> bool:
    """Whether a word of a pool's layout groups the devices after it."""
    return bool(_GROUP.fullmatch(word))


def require_pool(state: State, name: str) -> None:
    """Raise Refused unless a pool of this name is imported."""
    wrong = names.pool_fault(name, making=False)
    if wrong:
        hint = "\nuse 'zfs destroy' to destroy a dataset" if "/" in name else ""
        raise Refused(f"cannot open '{name}': {wrong}{hint}")
    if not state.db.execute("SELECT 1 FROM pool WHERE name = ? AND NOT exported", (name,)).fetchone():
        raise cannot("open", name, "no such pool")


def destroy(state: State, words: Sequence[str]) -> int:
    """zpool destroy."""
    options = Options(words, "f")
    if len(options.operands) != 1:
        raise BadUsage("too many arguments" if options.operands else "missing pool argument")
    name = options.operands[0]
    with state.changing():
        require_pool(state, name)
        _refuse_used(state, name, "f" in options, "destroy")
        doomed = [*datasets.below(state, name), *datasets.select(state, "WHERE name = ?", (name,))]
        state.db.executemany("DELETE FROM hold WHERE snapshot = ?", [(one.id,) for one in doomed])
        order = sorted(doomed, key=lambda one: (one.kind in datasets.HEADS, -len(one.place or ""), one.name))
        destroying.all_of(state, order, force=True)
        state.db.execute("DELETE FROM pool WHERE name = ?", (name,))
        state.db.execute("DELETE FROM pool_property WHERE pool = ?", (name,))
    return 0


def _refuse_used(state: State, name: str, force: bool, verb: str) -> None:
    inside = [*datasets.select(state, "WHERE name = ?", (name,)), *datasets.heads_below(state, name)]
    try:
        mounts.refuse_if_used(state, inside, force)
    except Refused as why:
        text = f"\ncould not destroy '{name}': could not unmount datasets" if verb == "destroy" else ""
        raise Refused(f"{why}{text}") from None
    if busy.in_use([one.place for one in inside if one.kind == VOLUME and one.place], ()):
        raise cannot(verb, name, "pool is busy")


def set_(state: State, words: Sequence[str]) -> int:
    """zpool set."""
    options = Options(words, "")
    if len(options.operands) < 2:
        raise BadUsage("missing pool name" if options.operands else "missing property=value argument")
    if len(options.operands) > 2:
        raise BadUsage("too many arguments")
    name, equals, value = options.operands[0].partition("=")
    if not equals or not name or (not value and name != "comment"):
        raise BadUsage("missing value in property=value argument")
    pool = options.operands[1]
    with state.changing():
        require_pool(state, pool)
        kept = pool_properties.checked({name: value}, f"cannot set property for '{pool}'", creating=False)
        state.db.executemany(
            "INSERT OR REPLACE INTO pool_property VALUES (?, ?, ?)", [(pool, *pair) for pair in kept.items()]
        )
    return 0


def export(state: State, words: Sequence[str]) -> int:
    """zpool export: the pool's data stay in the store; its datasets keep a name that nobody can ask for."""
    options = Options(words, "afF")
    if "a" in options and options.operands:
        raise BadUsage("too many arguments")
    if "a" not in options and not options.operands:
        raise BadUsage("missing pool argument")
    pools = options.operands or [row[0] for row in state.db.execute("SELECT name FROM pool WHERE NOT exported")]
    for name in pools:
        with state.changing():
            require_pool(state, name)
            _refuse_used(state, name, "f" in options, "export")
            _leave(state, name)
    return 0


def _leave(state: State, name: str) -> None:
    inside = [*datasets.select(state, "WHERE name = ?", (name,)), *datasets.below(state, name)]
    systems = [one for one in inside if one.kind == FILESYSTEM and one.place]
    for one in sorted(systems, key=lambda one: one.place or "", reverse=True):
        mounts.unmount(state, one, keep_directory=True)
    for one in inside:
        if one.kind == VOLUME and one.place:
            state.then("move", one.place, state.stored(one.id), journal.inode(one.place))
            state.then("prune", os.path.dirname(one.place), state.volumes)
            mounts.record(state, one, None)
    guid = state.db.execute("SELECT guid FROM pool WHERE name = ?", (name,)).fetchone()[0]
    _rename_all(state, inside, name, f"!{guid}")
    state.db.execute("UPDATE pool SET exported = 1, name = ? WHERE name = ?", (f"!{guid}!{name}", name))
    state.db.execute("UPDATE pool_property SET pool = ? WHERE pool = ?", (f"!{guid}!{name}", name))


def _rename_all(state: State, inside: Sequence[Dataset], old: str, new: str) -> None:
    state.db.executemany(
        "UPDATE dataset SET name = ? WHERE id = ?", [(new + one.name[len(old) :], one.id) for one in inside]
    )


def import_(state: State, words: Sequence[str]) -> int:
    """zpool import: without a pool's name, tells what could be imported."""
    options = Options(words, "aCc:d:DEfFmnNo:R:s:tT:VX", argument_missing)
    found = {
        row[0].split("!")[2]: (row[0], row[1]) for row in state.db.execute("SELECT name, guid FROM pool WHERE exported")
    }
    if "a" in options:
        for name in found:
            _import(state, options, found[name][0], name)
        return 0
    if not options.operands:
        return _tell_importable(state, found)
    if len(options.operands) > 2:
        raise BadUsage("too many arguments")
    asked = options.operands[0]
    old = next((kept for name, (kept, guid) in found.items() if asked in (name, str(guid))), None)
    if old is None:
        raise cannot("import", asked, "no such pool available")
    _import(state, options, old, options.operands[1] if len(options.operands) == 2 else old.split("!")[2])
    return 0


def _tell_importable(state: State, found: dict[str, tuple[str, int]]) -> int:
    if not found:
        print("no pools available to import", file=sys.stderr)
        return 1
    for name, (_, guid) in found.items():
        print(f"   pool: {name}\n     id: {guid}\n  state: ONLINE")
        print(f" action: The pool can be imported using its name or numeric identifier.\n config:\n\n\t{name}\tONLINE")
    return 0


def _import(state: State, options: Options, kept: str, name: str) -> None:
    with state.changing():
        wrong = names.pool_fault(name, making=True)
        if wrong:
            raise cannot("import", name, wrong)
        if datasets.find(state, name):
            raise cannot(
                "import",
                name,
                "a pool with that name already exists\nuse the form 'zpool import "
                "<pool | id> <newpool>' to give it a new name",
            )
        guid = kept.split("!")[1]
        inside = [*datasets.select(state, "WHERE name = ?", (f"!{guid}",)), *datasets.below(state, f"!{guid}")]
        _rename_all(state, inside, f"!{guid}", name)
        state.db.execute("UPDATE pool SET exported = 0, name = ? WHERE name = ?", (name, kept))
        if "R" in options:
            state.db.execute("UPDATE pool SET altroot = ? WHERE name = ?", (altroot(state, options.last("R")), name))
        state.db.execute("UPDATE pool_property SET pool = ? WHERE pool = ?", (name, kept))
        now = Settings(state, ["volmode"])
        heads = [*datasets.select(state, "WHERE name = ?", (name,)), *datasets.heads_below(state, name)]
        mounts.relocate(state, {one.id: mounts.node(state, now, one.name) for one in heads if one.kind == VOLUME})
        if "N" not in options:
            mounting.mount_automatic(state, [one for one in heads if one.kind == FILESYSTEM])
