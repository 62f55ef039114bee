"""Eight processes at once change one house: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import pytest

from chyves.lab.place import Lab
from tests.hands.run import BUSY, DONE, told, worked


@pytest.mark.timeout(1800)
def test_120_commands_of_eight_hands_leave_a_house_in_which_doctor_finds_nothing(lab: Lab) -> None:
    hands = worked(lab, 120, seed=20, kill=False)
    assert not hands.told.faults, told(hands)
    assert sum(hands.told.statuses.values()) == 120
    # Who is told to wait is told so by a status of its own, and that is rare: there is a queue.
    assert hands.told.statuses[DONE] > 84 and hands.told.statuses[BUSY] < 10, told(hands)


@pytest.mark.timeout(1800)
def test_what_was_acknowledged_is_there_also_where_hands_are_killed(lab: Lab) -> None:
    hands = worked(lab, 110, seed=21, kill=True)
    assert not hands.told.faults, told(hands)
    assert hands.told.statuses[-9] > 3, told(hands)
