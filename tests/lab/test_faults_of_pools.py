"""Changes of whole pools with a fault at each step: there are never two primary pools, nor none, nor half of one."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator

import pytest

from chyves.lab.place import Lab
from tests.host_commands import broken, done, second_pool, zfs
from tests.lab.faulty_house import NEXT, House, a_house
from tests.lab.trial import Operation, Trial

OLD_GUEST = "chyves_guest_version=0100\nbargs=-A -H -P\nserial=nmdm50\nnet_ifaces=tap50\n"


def age_pool(lab: Lab) -> None:
    """Have the primary pool be one that an older chyves made."""
    place = lab.root / "chyves" / lab.pool
    (place / ".config/pool.cfg").write_text("dataset_role=primary\ndataset_version=0001\n")
    (place / "guests/.defaults").write_text("bargs=-A -H -P\ndisk_volblocksize=512\n")


def age_guest(lab: Lab) -> None:
    """Have guest a be one that an older chyves made."""
    (lab.root / "chyves" / lab.pool / "guests/a/.config/.cfg").write_text(OLD_GUEST)
    zfs(lab, "set", "snapdir=hidden", f"{lab.pool}/chyves/guests/a/.config")


TO_TANK = ("dataset", "tank", "promote")
OPERATIONS = {
    "promote": Operation(TO_TANK),
    "promote back": Operation(("dataset", "zroot", "promote"), (TO_TANK, ("global", "set", "tap_start_offset=80"))),
    "offline": Operation(("dataset", "tank", "offline")),
    "online": Operation(("dataset", "tank", "online"), (("dataset", "tank", "offline"),)),
    "online of what was primary": Operation(
        ("dataset", "zroot", "online"),
        (
            ("c", "delete", "--yes"),
            ("dataset", "tank", "uninstall", "--yes"),
            ("dataset", "zroot", "offline"),
            ("dataset", "tank", "install"),
            NEXT,
        ),
    ),
    "dataset upgrade": Operation(("dataset", "zroot", "upgrade"), prepare=age_pool),
    "guest upgrade": Operation(("a", "upgrade"), prepare=age_guest),
    "uninstall": Operation(("dataset", "tank", "uninstall", "--yes"), (("c", "delete", "--yes"),)),
}
Trials = Callable[[str], Trial]


@pytest.fixture(scope="module")
def trial_of() -> Iterator[Trials]:
    """The trials of the operations, each prepared once, in a house with two pools."""
    with a_house() as house:
        _add_pool(house)
        yield functools.cache(lambda name: Trial(house, name, OPERATIONS[name]))


def _add_pool(house: House) -> None:
    done(house.lab, "dataset", second_pool(house.lab), "install")
    done(house.lab, "c", "create", "64M", "tank")
    house.keep("base")


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_command_or_file_that_fails_leaves_all_as_it_was(trial_of: Trials, name: str) -> None:
    trial = trial_of(name)
    trial.refuse_each()


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_signal_at_any_step_takes_all_back_or_comes_after(trial_of: Trials, name: str) -> None:
    trial = trial_of(name)
    for nth in range(1, len(trial.commands) + 1):
        trial.signal(nth, 0, signal.SIGTERM)
    for nth in range(1, trial.writes + 1):
        trial.signal(0, nth, signal.SIGINT)


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_any_step_the_next_command_finishes_or_takes_back(trial_of: Trials, name: str) -> None:
    trial = trial_of(name)
    trial.kill_each()


def test_an_upgrade_that_fails_hides_snapshots_again(trial_of: Trials) -> None:
    trial = trial_of("guest upgrade")
    trial.house.go_back("guest upgrade")
    assert "No space left" in broken(trial.lab, 1, "refuse", *trial.words).stderr
    shown = zfs(trial.lab, "get", "-H", "-o", "value", "snapdir", f"{trial.lab.pool}/chyves/guests/a/.config")
    assert shown == "hidden\n"
