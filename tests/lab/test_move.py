"""Guests go to another pool: at every moment there is one guest of the name, wherever its move is killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host_commands import break_lab, mend, steps_of
from tests.torture.house import NEXT, TWO, House, a_house, same, state


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


def pool_of(house: House, guest: str) -> str:
    """The pool of a guest that must be there once, and usable."""
    rows = [line.split("\t") for line in house.done("info", "-pk", "-H").splitlines()]
    (found,) = (row for row in rows if row[0] == guest)
    assert house.done(guest, "get", "cpu").split()[-1] == "1"
    return next(word for word in found if word in ("zroot", "tank"))


def test_wherever_a_move_is_killed_there_is_one_guest_of_the_name(house: House) -> None:
    lab = house.lab
    house.go_back(TWO)
    before = state(house)
    house.done("a", "move", "tank")
    after, count = state(house), len(steps_of(lab))
    assert count > 7
    pools = []
    for nth in range(1, count + 1):
        house.go_back(TWO)
        break_lab(lab, nth, "after")
        house.forks.chyves(lab, "a", "move", "tank", faults=True)
        mend(lab)
        pools.append(pool_of(house, "a"))
        house.done(*NEXT)
        now = state(house)
        same(now, after if now == after else before)
    assert pools == sorted(pools, reverse=True) and {"zroot", "tank"} == set(pools)


def test_what_has_come_from_elsewhere_takes_nothing_away(house: House) -> None:
    house.go_back(TWO)
    house.done("a", "move", "tank")
    house.zfs("set", "chyves:moving=123", "tank/chyves/guests/a")
    house.zfs("create", "-p", "zroot/chyves/guests/a/.config")
    (house.lab.root / "chyves/zroot/guests/a/.config/.cfg").write_text("cpu=1\n")
    assert (
        "tank/chyves/guests/a: was moved from elsewhere than zroot/chyves/guests/a; rename one of them"
        in house.chyves(*NEXT).stderr
    )
    names = house.zfs("list", "-H", "-o", "name").split()
    assert {"zroot/chyves/guests/a", "tank/chyves/guests/a/disk0"} <= set(names)
