"""Random steps, each drawn from what there is at that moment: most could be done, and wrong ones are among them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from tests.zfs.differential.steps import Pipe, Resume, Rise, Run, Sit, Step, Write
from tests.zfs.differential.words import (
    COLUMNS,
    MEASURED,
    NAMED,
    PARTS,
    POOL,
    PROPERTIES,
    RECEIVED,
    TAGS,
    VERBS,
    WRONG,
)  # fmt: skip

T = TypeVar("T")


class Author:
    """Draws steps with a source of random numbers; `look` tells it of the datasets that are there."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.look([])

    def look(self, rows: Sequence[tuple[str, str]]) -> None:
        """Take note of the names and kinds of all datasets."""
        self._heads = [name for name, kind in rows if kind in ("filesystem", "volume")]
        self._systems = [name for name, kind in rows if kind == "filesystem"]
        self._snapshots = [name for name, kind in rows if kind == "snapshot"]
        self._bookmarks = [name for name, kind in rows if kind == "bookmark"]

    def next(self) -> Step:
        """A step."""
        step: Step = getattr(self, self.pick(_ACTS))()
        return step

    # Words.

    def pick(self, values: Sequence[T]) -> T:
        """One of several."""
        return self._random.choice(values)

    def _chance(self, of: int) -> bool:
        return self._random.randrange(of) == 0

    def _some(self, values: Sequence[str], least: int, most: int) -> list[str]:
        return [self.pick(values) for _ in range(self._random.randint(least, most))]

    def _weigh(self, *weighted: tuple[int, Sequence[str]]) -> str:
        """A word out of several sources, by their weights; an empty one does not count."""
        sources = [one for weight, one in weighted for _ in range(weight) if one]
        return self.pick(self.pick(sources))

    def _head(self) -> str:
        inner = [one for one in self._heads if one != "tank"]
        return self._weigh((24, inner), (1, self._snapshots), (1, WRONG), (1, ["tank"]))

    def _snapshot(self) -> str:
        return self._weigh((24, self._snapshots), (1, self._heads), (1, WRONG), (1, self._unused_snapshots()))

    def _unused_snapshots(self) -> list[str]:
        return [f"{head}@{tag}" for head in self._heads for tag in TAGS if f"{head}@{tag}" not in self._snapshots]

    def _fresh(self) -> str:
        """A name that is (mostly) free, below what is (mostly) there."""
        free = [f"{above}/{part}" for above in self._systems for part in PARTS if above.count("/") < 3]
        free = [name for name in free if name not in self._heads]
        missing = [f"{name}/{part}" for name in free for part in PARTS if name.count("/") < 3]
        return self._weigh((20, free), (2, missing), (2, self._heads), (1, WRONG), (1, self._snapshots))

    def _any(self) -> str:
        return self._weigh((10, self._heads), (8, self._snapshots), (1, self._bookmarks), (1, WRONG))

    def _flags(self, letters: str) -> list[str]:
        """Some of the one-letter options, apart or in one word."""
        chosen = [letter for letter in letters if self._chance(4)]
        if len(chosen) > 1 and self._chance(2):
            return [f"-{''.join(chosen)}"]
        return [f"-{letter}" for letter in chosen]

    def _options(self, most: int = 2) -> list[str]:
        return [word for one in self._some(PROPERTIES, 0, most) for word in ("-o", one)]

    # Steps.

    def create(self) -> Step:
        return _zfs("create", *self._flags("pu"), *self._options(), self._fresh())

    def create_plain(self) -> Step:
        return _zfs("create", *(["-o", "chyves:name=web1"] if self._chance(2) else []), self._fresh())

    def create_dry(self) -> Step:
        volume = ["-V", "8M"] if self._chance(2) else []
        return _zfs("create", "-n", *self._flags("vPp"), *volume, *self._options(1), self._fresh())

    def create_volume(self) -> Step:
        size = self.pick(["8M", "8M", "8388608", "16777216", "5M", "1M", "3000000", "0", "2G", "8Q", "", "8192P"])
        block = self.pick([[], [], [], ["-b", "4K"], ["-b", "16K"], ["-b", "5K"], ["-o", "volblocksize=8K"]])
        some = self._options(1) if self._chance(2) else []
        return _zfs("create", *self._flags("ps"), *block, "-V", size, *some, self._fresh())

    def set(self) -> Step:
        some = self._some(PROPERTIES, 1, 2)
        return _zfs("set", *some, *[self._head() for _ in range(self.pick([1, 1, 1, 2]))])

    def set_of_any(self) -> Step:
        return _zfs("set", self.pick(PROPERTIES), self._any())

    def inherit(self) -> Step:
        return _zfs("inherit", *self._flags("rS"), self.pick(NAMED), self._any())

    def get(self) -> Step:
        some = ",".join(self._some(NAMED, 1, 3))
        source: list[str] = self.pick([[], [], [], ["-s", "local,received"], ["-s", "inherited"], ["-s", "nosuch"]])
        kinds: list[str] = self.pick([[], [], [], ["-t", "snapshot"], ["-t", "filesystem"], ["-t", "volume,nosuch"]])
        deep: list[str] = self.pick([[], [], [], ["-d", "1"], ["-d", "x"]])
        form: list[str] = self.pick([[], [], ["-o", "name,value"], ["-o", "value"], ["-o", "all"], ["-o", "nosuch"]])
        words = [*self._flags("Hpr"), *form, *source, *kinds, *deep, some]
        names = [self._any() for _ in range(self.pick([1, 1, 1, 2]))]
        return _zfs("get", *words, *names, shown=True, measured="used" in some)

    def get_own(self) -> Step:
        words = ("-Hp", "-s", "local,received", "-o", "name,property,value", "all")
        return _zfs("get", *words, *[self._head() for _ in range(self.pick([1, 2]))], shown=True)

    def list(self) -> Step:
        measured = self._chance(4)
        columns = self.pick(MEASURED if measured else COLUMNS)
        kinds = self.pick(["", "", "all", "snapshot", "filesystem,volume", "volume", "bookmark", "nosuch"])
        deep: list[str] = self.pick([[], [], [], ["-d", "1"], ["-d", "0"], ["-d", "-1"]])
        order: list[str] = self.pick([[], [], [], ["-s", "name"], ["-S", "name"], ["-s", "type"], ["-s", "nosuch"]])
        names = [self._any() for _ in range(self.pick([0, 0, 1, 1, 2]))]
        words = [*self._flags("Hpr"), *deep, *order, "-o", columns, *(["-t", kinds] if kinds else []), *names]
        return _zfs("list", *words, shown=True, measured=measured)

    def list_as_chyves(self) -> Step:
        columns = self.pick(["name,type,volsize,chyves:uuid", "name,origin,mountpoint,mounted,readonly", "name"])
        reach: list[str] = self.pick([[], ["-r"], ["-d", "1"], ["-d", "2"]])
        kinds = self.pick(["filesystem,volume", "snapshot", "filesystem", "filesystem,volume,snapshot"])
        return _zfs("list", "-Hp", "-o", columns, "-t", kinds, *reach, self._head(), shown=True)

    def take_snapshot(self) -> Step:
        tag = self.pick(TAGS)
        names = [f"{self._head()}@{tag}" for _ in range(self.pick([1, 1, 1, 2]))]
        return _zfs("snapshot", *self._flags("r"), *(self._options(1) if self._chance(4) else []), *names)

    def take_snapshots(self) -> Step:
        return _zfs("snapshot", "-r", f"{self._head()}@{self.pick(TAGS)}")

    def clone(self) -> Step:
        some = self._options(1) if self._chance(2) else []
        return _zfs("clone", *self._flags("p"), *some, self._snapshot(), self._fresh())

    def promote(self) -> Step:
        return _zfs("promote", self._head())

    def rename(self) -> Step:
        return _zfs("rename", *self._flags("puf"), self._head(), self._fresh())

    def rename_plain(self) -> Step:
        return _zfs("rename", *(["-p"] if self._chance(3) else []), self._head(), self._fresh())

    def rename_snapshot(self) -> Step:
        old, tag = self._snapshot(), self.pick([*TAGS, *TAGS, "s/1", "", "%"])
        head = self._head() if self._chance(6) else old.partition("@")[0]
        return _zfs("rename", *self._flags("r"), old, self.pick([f"{head}@{tag}", f"{head}@{tag}", tag, f"@{tag}"]))

    def rollback(self) -> Step:
        return _zfs("rollback", *self._flags("rRf"), self._snapshot())

    def destroy(self) -> Step:
        flags = self.pick(["", "", "r", "r", "R", "n", "rn", "nv", "rnpv", "Rnv", "f", "d", "rv", "Rf"])
        name = self._weigh((8, self._heads), (2, self._snapshots), (1, WRONG))
        return _zfs("destroy", *_word(flags), name, shown=True)

    def destroy_snapshots(self) -> Step:
        head, _, tag = self._snapshot().partition("@")
        other = self.pick(TAGS)
        spec = self.pick([tag, tag, f"{tag},{other}", f"{tag}%{other}", f"%{tag}", f"{tag}%", "%", ",", f"{tag},no"])
        flags = self.pick(["", "", "r", "r", "R", "d", "nv", "rnpv", "rnpv", "rd", "Rnv", "npv", "dn", "v"])
        return _zfs("destroy", *_word(flags), f"{head}@{spec}", shown=True, measured=True)

    def bookmark(self) -> Step:
        old = self._weigh((6, self._snapshots), (1, self._bookmarks), (1, WRONG))
        head = old.replace("#", "@").partition("@")[0]
        target = self.pick([f"{head}#m1", f"{head}#m2", "#m3", "tank/a#m1", "m1", f"{head}#m/1"])
        return _zfs("bookmark", old, target)

    def destroy_bookmark(self) -> Step:
        return _zfs("destroy", *self._flags("rnv"), self._weigh((4, self._bookmarks), (1, ["tank#no", "tank/a#no"])))

    def hold(self) -> Step:
        names = [self._snapshot() for _ in range(self.pick([1, 1, 2]))]
        return _zfs("hold", *self._flags("r"), self.pick(["keep", "keep", "keep", "mine", ".bad"]), *names)

    def release(self) -> Step:
        names = [self._snapshot() for _ in range(self.pick([1, 1, 2]))]
        return _zfs("release", *self._flags("r"), self.pick(["keep", "keep", "keep", "mine", "no"]), *names)

    def holds(self) -> Step:
        return _zfs("holds", *self._flags("rHp"), self._snapshot(), shown=True, measured=True)

    def send_dry(self) -> Step:
        return _zfs("send", "-n", *self._flags("RpvP"), *self._base(), self._any(), shown=True, measured=True)

    def _base(self) -> Sequence[str]:
        short = [f"@{tag}" for tag in TAGS]
        base = self._weigh((3, self._snapshots), (3, short), (1, ["s1", "#m1"]), (1, self._bookmarks))
        return self.pick([[], [], ["-i", base], ["-I", base]])

    def send(self) -> Step:
        of = self._any() if self._chance(8) else self._snapshot()
        base = self._base()
        target = self._weigh((8, [self._fresh()]), (3, [self._head()]), (1, [self._snapshot()]))
        into: list[str] = self.pick([[], [], [], [], ["-d"], ["-e"]])
        receive = ("zfs", "receive", *self._flags("Fuv"), *into, *self.pick(RECEIVED), target)
        flags = self._flags("p" if base else "Rp")
        return Pipe(("zfs", "send", *flags, *base, of), receive)

    def send_plain(self) -> Step:
        replica: list[str] = self.pick([[], ["-R"]])
        some = self.pick(["", "-x mountpoint", "-x mountpoint -o chyves:name=new", "-o chyves:x=1"]).split()
        return Pipe(("zfs", "send", *replica, self._snapshot()), ("zfs", "receive", *some, self._fresh()))

    def send_again(self) -> Step:
        """Bring a copy up to date."""
        since = f"@{self.pick(TAGS)}"
        how = self.pick([["-i", since], ["-I", since], ["-R", "-I", since], ["-R", "-i", since]])
        source, target = self._snapshot(), self._head()
        if f"{source}/".startswith((f"{target}/", f"{target}@")):
            how = ["-i", since]  # a package into what it came from, or above that, renames what is there
        return Pipe(("zfs", "send", *how, source), ("zfs", "receive", *self._flags("Fu"), target))

    def send_part(self) -> Step:
        some = self.pick([["-s"], ["-s"], [], ["-F", "-s"]])
        receive = ("zfs", "receive", *some, self._fresh())
        return Pipe(("zfs", "send", self._snapshot()), receive, self.pick([0.5, 0.8]))

    def send_rest(self) -> Step:
        name = self._head()
        return Resume(name, ("zfs", "receive", *self.pick([["-s"], []]), name))

    def receive_no_more(self) -> Step:
        return _zfs("receive", "-A", self._head())

    def mount(self) -> Step:
        return _zfs("mount", self._head())

    def unmount(self) -> Step:
        return _zfs("unmount", *self._flags("f"), self._head())

    def pool(self) -> Step:
        words = self.pick(POOL).split()
        return Run(("zpool", *words), words[0] in ("list", "get"), measured=True)

    def write(self) -> Step:
        size = self.pick([1000, 60000, 300000])
        return Write(self._weigh((1, self._heads)), self.pick(["f", "g"]), self._random.randrange(100), size)

    def sit(self) -> Step:
        return Sit(self._weigh((1, self._heads)))

    def rise(self) -> Step:
        return Rise()

    def misuse(self) -> Step:
        some = self._some(["-Z", "-o", "-o x", "tank", "tank/a", "tank/b", "x=y", "-r", "-t", "-d"], 0, 4)
        return _zfs(self.pick(VERBS), *some)


def _zfs(*words: str, shown: bool = False, measured: bool = False) -> Run:
    return Run(("zfs", *words), shown, measured)


def _word(flags: str) -> Sequence[str]:
    return [f"-{flags}"] if flags else []


_WEIGHTS = {
    "create": 3, "create_plain": 4, "create_dry": 1, "create_volume": 4, "set": 8, "set_of_any": 2, "inherit": 5,
    "get": 5, "get_own": 2, "list": 6, "list_as_chyves": 3, "take_snapshot": 7, "take_snapshots": 5, "clone": 8,
    "promote": 5, "rename": 5, "rename_plain": 4, "rename_snapshot": 5, "rollback": 7, "destroy": 7,
    "destroy_snapshots": 9, "bookmark": 2, "destroy_bookmark": 1, "hold": 4, "release": 3, "holds": 2, "send_dry": 3,
    "send": 8, "send_plain": 4, "send_again": 6, "send_part": 2, "send_rest": 2, "receive_no_more": 1, "mount": 3,
    "unmount": 3, "pool": 2, "write": 7, "sit": 1, "rise": 1, "misuse": 2,
}  # fmt: skip
_ACTS = [name for name, weight in _WEIGHTS.items() for _ in range(weight)]
