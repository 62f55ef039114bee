"""Whatever fails, hangs, is killed or finds no room at any step, the state after is the one before or the finished one.

`make torture` tries all faults of tests.torture; here every one is tried with the operations in WHOLE, and of those
with others every twelfth, beginning elsewhere with each operation and kind; none with those that are as another one
(ALIKE there), and one of each kind with those before which a guest is started.
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.host_commands import break_lab, mend, steps_of
from tests.torture.house import BASE, NEXT, TWO, House, a_house, sentences, state
from tests.torture.operations import ALIKE, OPERATIONS
from tests.torture.trial import KINDS, Trial, every

WHOLE = ("create", "delete", "rename", "set on many", "disk add")
EACH = 12
LIVES = ("start", "stop", "stop force", "agent shutdown", "reload")
"""They have tests of their own that look closer: test_faults_of_lives.py, test_agent_shutdown.py, test_reboots.py."""

Trials = Callable[[str], Trial]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


@pytest.fixture(scope="module")
def trial_of(house: House) -> Trials:
    """The trials of the operations, each prepared once."""
    return functools.cache(lambda name: Trial(house, name, OPERATIONS[name]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in (*LIVES, *ALIKE)])
def test_nothing_is_lost(trial_of: Trials, name: str, kind: str) -> None:
    trial = trial_of(name)
    faults = list(KINDS[kind](trial))
    each = 1 if name in WHOLE else max(2, len(faults) - 1) if OPERATIONS[name].live else EACH
    wanted = every(faults, each, f"{name} {kind}") if each > 1 else faults
    count = trial.count(wanted)
    assert not count.lost, "\n".join(count.lost)
    assert count.tried == len(wanted) > 0


def test_of_several_guests_each_is_whole_and_the_others_are_told(house: House) -> None:
    per_guest = len(steps(house, "c,d", "create", "64M")) // 2
    for what, nth, left, words in (
        ("refuse", per_guest + 2, {"c"}, "the test refuses"),
        ("SIGTERM", per_guest, {"c"}, "stopped by SIGTERM, after all was done\n  not begun: d\n"),
        ("SIGINT", 2, set(), "stopped by SIGINT; what was done has been taken back\n  not begun: d\n"),
        ("after", per_guest + 3, {"c"}, ""),
    ):
        house.go_back(BASE)
        break_lab(house.lab, nth, what)
        result = house.forks.chyves(house.lab, "c,d", "create", "64M", faults=True)
        mend(house.lab)
        assert words in result.stderr
        house.done(*NEXT)
        assert guests(house) == {"a", "b"} | left, result.stderr
        assert taps(house) == sorted(["tap50", "tap51", *(["tap52"] if left else [])])
    destroys = [step.startswith("zfs destroy") for step in steps(house, "a,b", "delete", "--yes")]
    house.go_back(BASE)
    break_lab(house.lab, destroys.index(True) + 1, "refuse")
    result = house.forks.chyves(house.lab, "a,b", "delete", "--yes", faults=True)
    assert [line.split(":")[1] for line in sentences(result.stderr)] == [" a"]
    assert "a: is deleted, but zroot/chyves/guests/.old/a is not destroyed yet" in result.stderr
    mend(house.lab)
    house.done(*NEXT)
    assert guests(house) == set()
    assert not any("/.old" in name for name in state(house))


def test_snapshots_of_guests_on_several_pools_are_all_taken_or_none(house: House) -> None:
    house.go_back(TWO)
    first, second = f"{house.lab.pool}/chyves/guests/a@some", "tank/chyves/guests/c@some"
    break_lab(house.lab, 1, "after", programs=("zfs",))
    words = ("a,c", "snapshot", "@some", "--freeze")
    assert house.forks.chyves(house.lab, *words, faults=True, files=False).returncode == -signal.SIGKILL
    assert steps_of(house.lab) == [f"zfs snapshot -r {first}"]
    mend(house.lab)
    house.zfs("hold", "backup", first)
    for command in (NEXT, words):
        told = house.chyves(*command).stderr
        assert "a set of snapshots was not taken to its end, and cannot be taken back: " in told
    assert "there is such a snapshot already" in told
    house.zfs("release", "backup", first)
    assert f"{first}, {second}: were not taken to their end; they are taken back\n" in house.chyves(*NEXT).stderr
    assert "@some" not in house.zfs("list", "-H", "-t", "snapshot", "-o", "name")
    house.done(*words)


def steps(house: House, *words: str) -> list[str]:
    """The steps of a command in which nothing fails."""
    house.go_back(BASE)
    break_lab(house.lab, 0, "refuse")
    house.forks.chyves(house.lab, *words, faults=True)
    return steps_of(house.lab)


def guests(house: House) -> set[str]:
    """The guests that there are."""
    return {line.split("\t")[0] for line in house.done("list", "-H").splitlines() if not line.startswith("disk")}


def taps(house: House) -> list[str]:
    """The taps in the list of bridge0."""
    return sorted(filter(None, house.done("global", "get", "bridge0_tap_members").strip().strip("-").split(",")))


def test_what_cannot_be_destroyed_keeps_no_command_from_its_work(house: House) -> None:
    lab = house.lab
    house.go_back(BASE)
    left = f"{lab.pool}/chyves/guests/.new/half"
    house.zfs("create", "-p", left)
    house.zfs("snapshot", "-r", f"{lab.pool}/chyves@daily")
    house.zfs("hold", "backup", f"{left}@daily")
    result = house.chyves("new", "create", "64M")
    assert result.returncode == 0
    assert "half: was not made to its end, and cannot be taken back: " in result.stderr
    assert guests(house) == {"a", "b", "new"}
    house.zfs("release", "backup", f"{left}@daily")
    assert "half: was not made to its end; it is taken back" in house.chyves(*NEXT).stderr
    assert not any("/.new" in name for name in state(house))
