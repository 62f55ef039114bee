"""Whatever fails or is killed at any step, the state after is the one before or the finished one, and is told."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator

import pytest

from chyves.lab.place import Lab
from tests.host_commands import break_lab, broken, chyves, done, mend, steps_of, zfs
from tests.lab.faulty_house import NEXT, House, a_house, sentences, state
from tests.lab.trial import Operation, Trial

LIVE = (
    ("network", "bridge0", "attach", "em1"),
    ("network", "bridge1", "attach", "em0"),
    ("network", "bridge1", "join", "tap51"),
    ("lab", "shell", "ifconfig", "tap50", "create", "group", "chyves", "up"),
    ("lab", "shell", "ifconfig", "bridge0", "addm", "tap50"),
)
"""The tap of guest a is on bridge0; that of guest b is on bridge1, which does not exist yet."""

OPERATIONS = {
    "create": Operation(("new", "create", "64M")),
    "delete": Operation(("a", "delete", "--yes")),
    "delete keepnet": Operation(("a", "delete", "keepnet", "--yes")),
    "clone": Operation(("a", "clone", "new", "-cu")),
    "clone exact": Operation(("a", "clone", "new", "-ce")),
    "clone copied": Operation(("a", "clone", "new", "-iu")),
    "promote": Operation(("new", "promote"), (("a", "clone", "new", "-cu"),)),
    "delete a clone": Operation(("new", "delete", "--yes"), (("a", "clone", "new", "-cu"),)),
    "rename": Operation(("a", "rename", "new"), (("a", "clone", "child", "-ce"), ("b", "set", "rcboot_after=a"))),
    "template": Operation(("a", "set", "template=yes", "b", "notes=some")),
    "no template": Operation(("a,b", "set", "template=no"), (("a,b", "set", "template=yes"),)),
    "clone a template": Operation(("a", "clone", "new", "-cu"), (("a", "set", "template=yes"),)),
    "set": Operation(("a,b", "set", "cpu=2", "notes=some")),
    "unset": Operation(("a", "unset", "eject_iso_on_n_reboot"), (("a", "set", "eject_iso_on_n_reboot=2"),)),
    "disk add": Operation(("a", "disk", "add", "64M")),
    "disk delete": Operation(
        ("a", "disk", "delete", "disk1", "--yes"), (("a", "disk", "add", "64M"), ("a", "set", "disk1_notes=old"))
    ),
    "disk resize": Operation(("a", "disk", "resize", "disk0", "128M")),
    "network add": Operation(("network", "a", "add", "tap")),
    "network remove": Operation(("network", "a", "remove", "tap50")),
    "bridge attach": Operation(
        ("network", "bridge0", "attach", "em1"),
        (("network", "bridge0", "attach", "em0"),),
        ("network", "bridge0", "attach", "em1"),
    ),
    "bridge join": Operation(("network", "bridge1", "join", "tap50"), LIVE),
    "bridge unjoin": Operation(("network", "bridge0", "unjoin", "tap50"), LIVE),
    "bridge migrate": Operation(("network", "bridge0", "migrate", "bridge1", "--yes"), LIVE),
    "snapshot": Operation(("a", "snapshot", "@some")),
    "snapshot delete": Operation(
        ("a", "snapshot", "delete", "@one%two", "--yes"), (("a", "snapshot", "@one"), ("a", "snapshot", "@two"))
    ),
    "snapshot rollback": Operation(
        ("a", "snapshot", "rollback", "@one", "--yes"),
        (("a", "snapshot", "@one"), ("a", "set", "cpu=2"), ("a", "snapshot", "@two"), ("a", "set", "cpu=3")),
    ),
    "snapshot rollback to what another guest has": Operation(
        ("a", "snapshot", "rollback", "--yes"),
        (("a", "snapshot", "@one"), ("network", "a", "remove", "tap50"), ("network", "b", "add", "tap50")),
    ),
    "iso rename": Operation(("iso", "rename", "rc.subr", "other"), (("iso", "import", "/etc/rc.subr"),)),
    "firmware rename": Operation(
        ("firmware", "rename", "rc.subr", "other"),
        (
            ("firmware", "import", "/etc/rc.subr"),
            ("a,b", "set", "uefi_firmware=rc.subr"),
            ("defaults", "set", "uefi_firmware=rc.subr"),
        ),
    ),
    "move": Operation(
        ("a", "move", "tank"),
        (
            ("lab", "shell", "zpool", "create", "tank", "/dev/ada1"),
            ("dataset", "tank", "install"),
            ("a", "snapshot", "@kept"),
        ),
    ),
    "reclaim": Operation(("a", "reclaim"), (("a", "start"),), crash=True),
}


Trials = Callable[[str], Trial]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


@pytest.fixture(scope="module")
def trial_of(house: House) -> Trials:
    """The trials of the operations, each prepared once."""
    return functools.cache(lambda name: Trial(house, name, OPERATIONS[name]))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_command_or_file_that_fails_leaves_all_as_it_was(trial_of: Trials, name: str) -> None:
    trial = trial_of(name)
    trial.refuse_each()


NAMES = ["create", "delete", "clone", "promote", "rename", "template", "no template", "disk add", "disk delete", "move"]


@pytest.mark.parametrize("name", NAMES)
def test_what_zfs_does_before_it_fails_is_taken_back_too(trial_of: Trials, name: str) -> None:
    trial = trial_of(name)
    for nth, line in enumerate(trial.commands, 1):
        if not line.startswith("zfs destroy"):
            trial.refuse(nth, 0, "half")


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_signal_at_any_step_takes_all_back_or_comes_after(trial_of: Trials, name: str) -> None:
    trial, numbers = trial_of(name), [signal.SIGTERM, signal.SIGINT]
    for nth in range(1, len(trial.commands) + 1):
        trial.signal(nth, 0, numbers[nth % 2])
    for nth in range(1, trial.writes + 1):
        trial.signal(0, nth, numbers[nth % 2])


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_any_step_the_next_command_finishes_or_takes_back(
    trial_of: Callable[[str], Trial], name: str
) -> None:
    trial = trial_of(name)
    trial.kill_each()


def test_of_several_guests_each_is_whole_and_the_others_are_told(house: House) -> None:
    house.go_back("base")
    done(house.lab, "c,d", "create", "64M")
    per_guest = len(steps_of(house.lab)) // 2
    for what, nth, left, words in (
        ("refuse", per_guest + 2, {"c"}, "the test refuses"),
        ("SIGTERM", per_guest, {"c"}, "stopped by SIGTERM, after all was done\n  not begun: d\n"),
        ("SIGINT", 2, set(), "stopped by SIGINT; what was done has been taken back\n  not begun: d\n"),
        ("after", per_guest + 3, {"c"}, ""),
    ):
        house.go_back("base")
        break_lab(house.lab, nth, what)
        result = broken(house.lab, 0, what, "c,d", "create", "64M")
        mend(house.lab)
        assert words in result.stderr
        done(house.lab, *NEXT)
        assert guests(house.lab) == {"a", "b"} | left, result.stderr
        assert taps(house.lab) == sorted(["tap50", "tap51", *(["tap52"] if left else [])])
    house.go_back("base")
    break_lab(house.lab, 2, "refuse")
    result = broken(house.lab, 0, "refuse", "a,b", "delete", "--yes")
    assert [line.split(":")[1] for line in sentences(result.stderr)] == [" a"]
    assert "a: is deleted, but zroot/chyves/guests/.old/a is not destroyed yet" in result.stderr
    mend(house.lab)
    done(house.lab, *NEXT)
    assert guests(house.lab) == set()
    assert not any("/.old" in name for name in state(house.lab))


def guests(lab: Lab) -> set[str]:
    """The guests that there are."""
    return {line.split("\t")[0] for line in done(lab, "list", "-H").splitlines() if not line.startswith("disk")}


def taps(lab: Lab) -> list[str]:
    """The taps in the list of bridge0."""
    return sorted(filter(None, done(lab, "global", "get", "bridge0_tap_members").strip().strip("-").split(",")))


def test_what_cannot_be_destroyed_keeps_no_command_from_its_work(house: House) -> None:
    lab = house.lab
    house.go_back("base")
    left = f"{lab.pool}/chyves/guests/.new/half"
    zfs(lab, "create", "-p", left)
    zfs(lab, "snapshot", "-r", f"{lab.pool}/chyves@daily")
    zfs(lab, "hold", "backup", f"{left}@daily")
    result = chyves(lab, "new", "create", "64M")
    assert result.returncode == 0
    assert "half: was not made to its end, and cannot be taken back: " in result.stderr
    assert guests(lab) == {"a", "b", "new"}
    zfs(lab, "release", "backup", f"{left}@daily")
    assert "half: was not made to its end; it is taken back" in chyves(lab, *NEXT).stderr
    assert not any("/.new" in name for name in state(lab))
