"""Guests go to another pool: at every moment there is one guest of the name, wherever its move is killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chyves.lab.place import Lab
from tests.host_commands import break_lab, broken, chyves, done, mend, second_pool, steps_of, zfs
from tests.lab.faulty_house import NEXT, House, a_house, same, state


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        second_pool(made.lab)
        done(made.lab, "dataset", "tank", "install")
        zfs(made.lab, "snapshot", "-r", "zroot/chyves/guests/a@kept")
        made.keep("two pools")
        yield made


def pool_of(lab: Lab, guest: str) -> str:
    """The pool of a guest that must be there once, and usable."""
    rows = [line.split("\t") for line in done(lab, "info", "-pk", "-H").splitlines()]
    (found,) = (row for row in rows if row[0] == guest)
    assert done(lab, guest, "get", "cpu").split()[-1] == "1"
    return next(word for word in found if word in ("zroot", "tank"))


def test_wherever_a_move_is_killed_there_is_one_guest_of_the_name(house: House) -> None:
    lab = house.lab
    house.go_back("two pools")
    before = state(lab)
    done(lab, "a", "move", "tank")
    after, count = state(lab), len(steps_of(lab))
    assert count > 7
    pools = []
    for nth in range(1, count + 1):
        house.go_back("two pools")
        break_lab(lab, nth, "after")
        broken(lab, 0, "after", "a", "move", "tank")
        mend(lab)
        pools.append(pool_of(lab, "a"))
        told = chyves(lab, *NEXT)
        assert told.returncode == 0, told.stderr
        now = state(lab)
        same(now, after if now == after else before)
    assert pools == sorted(pools, reverse=True) and {"zroot", "tank"} == set(pools)


def test_what_has_come_from_elsewhere_takes_nothing_away(house: House) -> None:
    lab = house.lab
    house.go_back("two pools")
    done(lab, "a", "move", "tank")
    zfs(lab, "set", "chyves:moving=123", "tank/chyves/guests/a")
    zfs(lab, "create", "-p", "zroot/chyves/guests/a/.config")
    (lab.root / "chyves/zroot/guests/a/.config/.cfg").write_text("cpu=1\n")
    told = chyves(lab, *NEXT)
    assert (
        "tank/chyves/guests/a: was moved from elsewhere than zroot/chyves/guests/a; rename one of them" in told.stderr
    )
    assert {"zroot/chyves/guests/a", "tank/chyves/guests/a/disk0"} <= set(zfs(lab, "list", "-H", "-o", "name").split())


def test_a_receiver_that_fails_or_a_sender_tells_its_words_and_leaves_nothing(house: House) -> None:
    lab = house.lab
    house.go_back("two pools")
    before = state(lab)
    done(lab, "a", "move", "tank")
    lines = [line.split()[1] for line in steps_of(lab)]
    for verb in ("send", "receive"):
        for what, words in (("refuse", f"cannot {verb}: the test refuses"), ("SIGTERM", "stopped by SIGTERM")):
            house.go_back("two pools")
            break_lab(lab, lines.index(verb) + 1, what)
            told = broken(lab, 0, what, "a", "move", "tank")
            assert told.returncode in (1, 143)
            assert words in told.stderr or ("test refuses" in told.stderr and what == "refuse")
            mend(lab)
            same(state(lab), before)
