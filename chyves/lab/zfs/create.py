"""`zfs create`, and what clone and rename share with it: a name that is free, below a parent that is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from chyves.lab.zfs import checks, datasets, mounts, names, settings, sizes, volumes
from chyves.lab.zfs.datasets import FILESYSTEM, VOLUME, Dataset
from chyves.lab.zfs.options import Options, assignments
from chyves.lab.zfs.refusals import BadUsage, Refused, cannot
from chyves.lab.zfs.settings import Settings
from chyves.lab.zfs.state import State


def require_pool(state: State, name: str) -> None:
    """Raise Refused unless the pool that a dataset's name begins with is imported."""
    pool = name.split("/", 1)[0]
    wrong = names.pool_fault(pool, making=False)
    if wrong:
        raise cannot("open", pool, wrong)
    if not datasets.find(state, pool):
        raise cannot("open", pool, "no such pool")


def require_free(state: State, name: str, kinds: Sequence[str], action: str) -> None:
    """Raise Refused unless a dataset can be made with this name: spelling, depth, parent (not whether it exists)."""
    wrong = names.fault(name, kinds, changing=True)
    if not wrong and names.nested_too_deep(name):
        wrong = "maximum name nesting depth exceeded"
    if wrong:
        raise Refused(f"{action}: {wrong}")
    require_parent(state, name)


def require_parent(state: State, name: str) -> None:
    """Raise Refused unless a file system is there to hold a dataset of this name."""
    above = names.parent(name)
    if above is None:
        raise cannot("create", name, "missing dataset name")
    if not datasets.find(state, names.pool(name)):
        raise cannot("create", name, f"no such pool '{names.pool(name)}'")
    parent = datasets.find(state, above)
    if not parent:
        raise cannot("create", name, "parent does not exist")
    if parent.kind != FILESYSTEM:
        raise cannot("create", name, "parent is not a filesystem")


def make_ancestors(state: State, name: str) -> None:
    """Create the file systems above a name that are not there, as `-p` does; raises Refused."""
    if names.nested_too_deep(name):
        raise cannot("create", name, "maximum name nesting depth exceeded")
    if not datasets.find(state, names.pool(name)):
        raise cannot("create", name, f"no such pool '{names.pool(name)}'")
    parts = name.split("/")
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth])
        found = datasets.find(state, above)
        if found and found.kind != FILESYSTEM:
            raise cannot("create", name, "parent is not a filesystem")
        if not found:
            made = datasets.add(state, above, FILESYSTEM, FILESYSTEM)
            complaint = mounts.settle(state, made, Settings(state, of=above))
            if complaint:
                raise Refused(f"{complaint}\nfailed to mount ancestor '{above}'")


class Wish:
    """What a command line of `zfs create` asks for: the kind, the name and the properties."""

    def __init__(self, words: Sequence[str]) -> None:
        self.options = Options(words, "PV:b:nso:puv", lambda _: "missing size argument")
        self.kind = VOLUME if "V" in self.options else FILESYSTEM
        self.properties = self._given()
        if ("b" in self.options or "s" in self.options) and self.kind != VOLUME:
            raise BadUsage("'-s' and '-b' can only be used when creating a volume")
        if "u" in self.options and self.kind != FILESYSTEM:
            raise BadUsage("'-u' can only be used when creating a filesystem")
        if not self.options.operands:
            raise BadUsage(f"missing {self.kind} argument")
        if len(self.options.operands) > 1:
            raise BadUsage("too many arguments")
        self.name = self.options.operands[0]
        self.parseable = "P" in self.options
        self.verbose = "v" in self.options or self.parseable
        self.dry = "n" in self.options

    def _given(self) -> dict[str, str]:
        given = assignments(self.options.values("o"))
        for letter, prop, what in (("V", "volsize", "size"), ("b", "volblocksize", "block size")):
            text = self.options.last(letter)
            if text is None:
                continue
            try:
                given[prop] = str(sizes.parse(text))
            except Refused as why:
                raise Refused(f"bad volume {what} '{text}': {why}") from None
        return given

    def complete_volume(self, release: str) -> None:
        """Fill in what follows from a volume's size: whole blocks, and the reservation unless it is sparse."""
        size, block = int(self.properties.get("volsize", 0)), self._block(release)
        self.properties["volsize"] = str(volumes.rounded_up(size, block))
        if "s" not in self.options and "refreservation" not in self.properties:
            copies = int(self.properties.get("copies", "1"))
            self.properties["refreservation"] = str(volumes.reservation(int(self.properties["volsize"]), block, copies))

    def _block(self, release: str) -> int:
        default = volumes.default_block(release)
        asked = self.properties.get("volblocksize")
        block = sizes.parse(asked) if asked else default
        if block < default:
            print(
                f"Warning: volblocksize ({block}) is less than the default minimum block size ({default}).\n"
                f"To reduce wasted space a volblocksize of {default} is recommended.",
                file=sys.stderr,
            )
        return block


def create(state: State, words: Sequence[str]) -> int:
    """zfs create."""
    wish, release = Wish(words), state.lab.release
    if wish.dry or wish.kind == VOLUME:
        require_pool(state, wish.name)
        action = f"cannot {'verify' if wish.dry else 'create'} '{wish.name}'"
        checks.checked(release, wish.kind, wish.properties, action, creating=True)
    if wish.kind == VOLUME:
        wish.complete_volume(release)
    if wish.dry:
        _tell(wish, dry=True)
        return 0
    with state.changing():
        parents = "p" in wish.options and not names.fault(wish.name, [wish.kind])
        if parents:
            found = datasets.find(state, wish.name)
            if found and found.kind == wish.kind:
                return 0
            make_ancestors(state, wish.name)
        _tell(wish, dry=False)
        made = _make(state, wish)
        complaint = mounts.settle(state, made, Settings(state, of=made.name), mounting="u" not in wish.options)
    if complaint:
        print(f"{complaint}\nfilesystem successfully created, but not mounted", file=sys.stderr)
    return 1 if complaint else 0


def _tell(wish: Wish, dry: bool) -> None:
    if not wish.verbose:
        return
    would = "would " if dry else ""
    if "p" in wish.options:
        print(f"create_ancestors\t{wish.name}" if wish.parseable else f"{would}create ancestors of {wish.name}")
    print(f"create\t{wish.name}" if wish.parseable else f"{would}create {wish.name}")
    for name, value in wish.properties.items():
        print(f"property\t{name}\t{value}" if wish.parseable else f"\t{name}={value}")


def _make(state: State, wish: Wish) -> Dataset:
    action = f"cannot create '{wish.name}'"
    require_free(state, wish.name, [wish.kind], action)
    if datasets.find(state, wish.name):
        raise Refused(f"{action}: dataset already exists")
    kept = checks.checked(state.lab.release, wish.kind, wish.properties, action, creating=True)
    if wish.kind == VOLUME:
        return add_volume(state, wish.name, kept, action)
    from chyves.lab.zfs import space

    reserved = max(int(kept.get(name, "0")) for name in ("reservation", "refreservation"))
    space.require_room(state, names.parent(wish.name) or wish.name, reserved, f"{action}: out of space")
    if any(0 < int(kept.get(name, "0")) < space.empty(FILESYSTEM) for name in ("quota", "refquota")):
        raise Refused(f"{action}: out of space")
    made = datasets.add(state, wish.name, FILESYSTEM, FILESYSTEM)
    settings.put(state, made, kept)
    return made


def add_volume(state: State, name: str, kept: dict[str, str], action: str) -> Dataset:
    """Record a new volume with its checked properties; raises Refused for a size that cannot be."""
    from chyves.lab.zfs import space

    block = int(kept.pop("volblocksize", volumes.default_block(state.lab.release)))
    size = int(kept.pop("volsize", "0"))
    if not size:
        raise Refused(f"{action}: volume size cannot be zero")
    if size % block:
        raise Refused(f"{action}: volume size must be a multiple of volume block size")
    if kept.get("refreservation") == checks.AUTO:
        kept["refreservation"] = str(volumes.reservation(size, block, int(kept.get("copies", "1"))))
    reserved = int(kept.get("refreservation", "0"))
    space.require_room(state, names.parent(name) or name, reserved, f"{action}: out of space")
    volumes.require_possible(state.store, size, action)
    made = datasets.add(state, name, VOLUME, VOLUME, volsize=size, volblocksize=block)
    settings.put(state, made, kept)
    return made
