"""The power is cut at steps of an operation on a real pool; `make torture` does it at every step of every operation."""

from __future__ import annotations

import pytest

from tests.torture.power import results
from tests.zfs.conftest import MachineOf

SAMPLE = ("set on many",)
"""What brings nothing to the disk but by fsync(2), as no command of zfs does it; a cut costs some ten seconds."""

EACH = 6


@pytest.mark.timeout(3000)
def test_nothing_is_lost_when_the_power_is_cut(machine_of: MachineOf) -> None:
    found = list(results(machine_of("2.3"), SAMPLE, EACH))
    assert not [lost for result in found for lost in result.lost]
    assert [result.name for result in found] == list(SAMPLE)
    assert all(result.cuts >= result.copies > 1 and result.done for result in found)
