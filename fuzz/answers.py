"""Targets: what the programs of the host answer."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from itertools import cycle

from chyves.errors import ChyvesError
from chyves.host.facts import options
from chyves.host.interfaces import parse
from chyves.host.kernel import Kernel
from chyves.host.processes import Processes
from chyves.host.run import Runner
from chyves.host.zfs.zfs8 import Zfs8
from fuzz.cases import spoken

ZFS_WORDS = (
    *("\t", "\n", "\f", "destroy\t", "reclaim\t", "@clean", "#", "/", "-"),
    *"zroot zroot/chyves zroot/chyves/guests/web1 on off filesystem volume".split(),
    *"1024 name type mountpoint mounted yes no none legacy /zroot/chyves ONLINE".split(),
)
IFCONFIG_WORDS = (
    "\n\t",
    "\n",
    "em0: flags=8843<UP,BROADCAST,RUNNING> metric 0 mtu 1500",
    "tap50: flags=8902<BROADCAST> mtu 1500",
    *"member: groups: description: ether Opened\tby\tPID flags=1<> mtu < > : 58:9c:fc:00:00:01 99999999999".split(),
)
PS_WORDS = ("\n", " ", "1234", "0:01.25", "4:", "root", "bhyve: chy-web1", "S+", "hw.ncpu: ", "kern.osreldate: ", "%")


class Answers(Runner):
    """A host whose programs answer one after the other what stands between form feeds, and then all over again."""

    def __init__(self, answers: str) -> None:
        super().__init__({}, "")
        self.answers = cycle(answers.split("\f"))

    def ask(self, *argv: str, accept: Collection[int] = (0,), timeout: float = 60) -> str:
        """The next answer."""
        return next(self.answers)

    def probe(self, *argv: str, timeout: float = 10) -> tuple[int, str]:
        """The next answer."""
        return 0, next(self.answers)


def zfs(case: bytes) -> None:
    """What zfs answers is rows of what was asked for, or a ChyvesError."""
    answers = Zfs8(Answers(spoken(case, ZFS_WORDS)))
    columns = ("name", "type", "mountpoint", "chyves:moving")
    with suppress(ChyvesError):
        for row in answers.list("zroot/chyves", properties=columns, recursive=True):
            assert tuple(row) == columns and row["name"].startswith("zroot/chyves")
    with suppress(ChyvesError):
        answers.get("zroot", "available")
    with suppress(ChyvesError):
        assert "zroot" in answers.below("zroot")
    with suppress(ChyvesError):
        assert answers.reclaimed("zroot", ("@clean",))[1] >= 0
    with suppress(ChyvesError):
        assert answers.local("zroot").keys() == {"zroot"}
    with suppress(ChyvesError):
        answers.pools()


def ifconfig(case: bytes) -> None:
    """What ifconfig prints is interfaces by name, or a ChyvesError."""
    with suppress(ChyvesError):
        for name, interface in parse(spoken(case, IFCONFIG_WORDS)).items():
            assert name == interface.name and interface.mtu >= 0


def processes(case: bytes) -> None:
    """What ps, pgrep, sysctl and bhyve -h print is read, or is a ChyvesError."""
    text = spoken(case, PS_WORDS)
    host = Processes(Answers(text))
    with suppress(ChyvesError):
        assert all(usage.seconds >= 0 and usage.memory >= 0 for usage in host.usage((1,)).values())
    with suppress(ChyvesError):
        assert all(pid >= 0 for pid in host.find("bhyve: chy-web1"))
    with suppress(ChyvesError):
        host.title(1)
    with suppress(ChyvesError):
        assert Kernel(Answers(text)).sysctl("hw.ncpu").keys() <= {"hw.ncpu"}
    with suppress(ChyvesError):
        assert Kernel(Answers(text)).release() >= 0
    assert all(len(letter) == 1 for letter in options(text))
