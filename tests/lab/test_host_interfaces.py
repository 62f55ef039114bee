"""chyves's hands on the network's interfaces, tried in a lab."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.interfaces import Interfaces
from chyves.host.machine import Host
from chyves.lab.place import Lab


@pytest.fixture(params=["11.0", "14.3", "15.0"])
def interfaces(request: pytest.FixtureRequest, new_lab: Callable[..., Lab]) -> Interfaces:
    host = Host.open({"CHYVES_LAB": str(new_lab(request.param).top)})
    host.kernel.load(["if_bridge", "if_tuntap"])
    return host.interfaces


def test_a_tap_and_a_bridge_live_and_go(interfaces: Interfaces) -> None:
    before = interfaces.all()
    interfaces.create("tap51", "chyves web1 net0")
    interfaces.create("bridge0", "chyves private", "chyves")
    interfaces.join("bridge0", "tap51")
    interfaces.up("bridge0")
    interfaces.up("tap51")
    now = interfaces.all()
    assert set(now) - set(before) == {"tap51", "bridge0"}
    assert (now["tap51"].description, now["tap51"].groups) == ("chyves web1 net0", ("tap", "chyves"))
    assert (now["bridge0"].members, now["bridge0"].up, now["tap51"].up) == (("tap51",), True, True)
    assert now["tap51"].opened_by is None
    interfaces.leave("bridge0", "tap51")
    assert interfaces.all()["bridge0"].members == ()
    interfaces.destroy("tap51")
    interfaces.destroy("bridge0")
    assert interfaces.all() == before


def test_an_interface_that_exists_is_left_as_it_is(interfaces: Interfaces) -> None:
    interfaces.create("tap51", "the first")
    with pytest.raises(ProgramFailed, match="exists"):
        interfaces.create("tap51", "the second")
    assert interfaces.all()["tap51"].description == "the first"


def test_what_could_not_be_made_whole_is_not_left(interfaces: Interfaces) -> None:
    before = interfaces.all()
    with pytest.raises(ProgramFailed):
        interfaces.create("tap51", "chyves web1 net0", group="endsin1")
    assert interfaces.all() == before


def test_what_cannot_be_made_at_all_is_told_once(interfaces: Interfaces) -> None:
    before = interfaces.all()
    with pytest.raises(ProgramFailed, match="SIOCIFCREATE2") as caught:
        interfaces.create("nonesuch5", "x")
    assert not hasattr(caught.value, "__notes__")
    assert interfaces.all() == before


def test_the_largest_packet_is_read_back(interfaces: Interfaces) -> None:
    interfaces.create("tap51", "x")
    interfaces.set_mtu("tap51", 9000)
    assert interfaces.all()["tap51"].mtu == 9000
    with pytest.raises(ChyvesError):
        interfaces.set_mtu("tap51", 10_000_000)
    assert interfaces.all()["tap51"].mtu == 9000


def test_a_missing_interface_is_told(interfaces: Interfaces) -> None:
    for act in (interfaces.up, interfaces.destroy):
        with pytest.raises(ProgramFailed, match="interface tap7 does not exist"):
            act("tap7")
    with pytest.raises(ProgramFailed, match="BRDGADD tap7: No such file or directory"):
        interfaces.create("bridge0", "x")
        interfaces.join("bridge0", "tap7")
