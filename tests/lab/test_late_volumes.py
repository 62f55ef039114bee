"""Devices of volumes that come some time after the volumes, as FreeBSD makes them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.guests import prepare
from chyves.guests.held import Held
from chyves.host.machine import Host
from chyves.lab.place import Lab
from chyves.pools.holdings import Holdings
from tests.host_commands import done


@pytest.fixture
def late(lab: Lab) -> Path:
    """Where the disk of guest a is to appear; it is beside that."""
    done(lab, "dataset", lab.pool, "install")
    done(lab, "a", "create", "64M")
    device = lab.root / f"dev/zvol/{lab.pool}/chyves/guests/a/disk0"
    device.rename(device.with_name("elsewhere"))
    return device


def test_a_start_waits_for_the_device_of_a_volume(lab: Lab, late: Path) -> None:
    threading.Timer(0.3, lambda: late.with_name("elsewhere").rename(late)).start()
    _preflight(lab)
    assert late.exists()


def test_one_that_does_not_come_is_told(lab: Lab, late: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "APPEARS", 0)
    with pytest.raises(ChyvesError) as caught:
        _preflight(lab)
    assert str(caught.value) == f"a: disk0: {late}: did not appear within 0 seconds; look at the volume's volmode"


def _preflight(lab: Lab) -> None:
    host = Host.open({"CHYVES_LAB": str(lab.top)})
    holdings = Holdings.read(host)
    prepare.preflight(holdings, holdings.guest("a"), Held(host))
