"""Guests on one bridge reach each other also in a lab without privilege."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from chyves.errors import Busy
from chyves.lab import network
from chyves.lab.network import namespace, switch
from chyves.lab.network.interfaces import looked_at
from chyves.lab.place import Lab
from chyves.lab.processes import at_work
from tests.host_commands import done

Program = Callable[..., subprocess.CompletedProcess[str]]
EVERYONE = b"\xff" * 6
TEN, TWENTY, KIND = b"\x81\x00\x00\x0a", b"\x81\x00\x00\x14", b"\x88\xb5"
"""Tags of two VLANs, and the kind of the frames here."""


class Nic:
    """A guest's end of a tap: what QEMU does with its words."""

    def __init__(self, words: list[str], number: int) -> None:
        told = dict(word.partition("=")[::2] for word in words[1].split(","))
        assert (words[0], told["id"]) == ("-netdev", "net0")
        self.address = bytes([0x58, 0x9C, 0xFC, 0, 0, number])
        self.remote = told["remote.path"]
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(told["local.path"])
        self.socket.settimeout(0.2)

    def send(self, target: bytes, text: bytes, tag: bytes = b"") -> None:
        try:
            self.socket.sendto(target + self.address + tag + KIND + text, self.remote)
        except OSError:
            return

    def hears(self, text: bytes) -> bool:
        try:
            while True:
                if self.socket.recv(65536).endswith(text):
                    return True
        except TimeoutError:
            return False

    def heard(self) -> list[bytes]:
        """All frames that have come."""
        found = []
        with contextlib.suppress(TimeoutError):
            while True:
                found.append(self.socket.recv(65536))
        return found


def heard_until(sender: Nic, receiver: Nic, text: bytes, tag: bytes = b"") -> list[bytes]:
    """What a card has heard once it hears a frame that is sent again and again; what was sent before has come then."""
    found: list[bytes] = []
    until = time.monotonic() + 60
    while time.monotonic() < until and not any(frame.endswith(text) for frame in found):
        sender.send(EVERYONE, text, tag)
        found += receiver.heard()
    return found


def reaches(sender: Nic, receiver: Nic, target: bytes = EVERYONE) -> bool:
    """Whether a frame that is sent again and again for up to 5 s comes through."""
    text = os.urandom(16)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        sender.send(target, text)
        if receiver.hears(text):
            return True
    return False


def gets_cut_off(sender: Nic, receiver: Nic) -> bool:
    """Whether frames stop coming through, once the change has been seen."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if not reaches(sender, receiver):
            return True
    return False


def without_namespace(lab: Lab) -> Lab:
    namespace.remove(lab)
    namespace.place(lab).unlink(missing_ok=True)
    return lab


@pytest.fixture
def plain(lab: Lab) -> Lab:
    """A lab without a network namespace."""
    return without_namespace(lab)


@pytest.fixture
def plain_15(new_lab: Callable[..., Lab]) -> Lab:
    """One whose bridges can filter VLANs."""
    return without_namespace(new_lab("15.0"))


@pytest.fixture
def plug(plain: Lab, program: Program) -> Iterator[Callable[..., Nic]]:
    """Makes a tap and plugs a guest into it."""
    taps: list[str] = []
    nics: list[Nic] = []

    def begin(*words: str) -> Nic:
        name = f"tap{len(taps)}"
        program("ifconfig", name, "create", *words)
        taps.append(name)
        nics.append(Nic(network.attach(plain, name, 0, os.getpid()), len(taps)))
        return nics[-1]

    yield begin
    for name, nic in zip(taps, nics, strict=True):
        network.release(plain, name, os.getpid())
        nic.socket.close()


def test_members_of_a_bridge_reach_each_other(program: Program, plug: Callable[..., Nic]) -> None:
    first, second, third, outside = plug("up"), plug("up"), plug("up"), plug("up")
    program("ifconfig", "bridge0", "create", "addm", "tap0", "addm", "tap1", "addm", "tap2", "up")
    program("ifconfig", "bridge1", "create", "addm", "tap3", "up")
    assert reaches(first, second)
    assert reaches(second, third)
    assert reaches(second, first, first.address)
    assert not reaches(first, outside)


def test_a_frame_for_one_goes_only_there(program: Program, plug: Callable[..., Nic]) -> None:
    first, second, third = plug("up"), plug("up"), plug("up")
    program("ifconfig", "bridge0", "create", "addm", "tap0", "addm", "tap1", "addm", "tap2", "up")
    assert reaches(second, first)
    assert reaches(first, second, second.address)
    third.hears(b"")
    first.send(second.address, b"for the second only")
    assert second.hears(b"for the second only")
    assert not third.hears(b"for the second only")


def test_what_is_down_or_private_is_apart(program: Program, plug: Callable[..., Nic]) -> None:
    first, second = plug("up"), plug("up")
    program("ifconfig", "bridge0", "create", "addm", "tap0", "addm", "tap1", "up")
    assert reaches(first, second)
    program("ifconfig", "tap1", "down")
    assert gets_cut_off(first, second)
    program("ifconfig", "tap1", "up")
    assert reaches(first, second)
    program("ifconfig", "bridge0", "private", "tap0", "private", "tap1")
    assert gets_cut_off(first, second)


def test_who_is_in_other_vlans_hears_nothing(plain_15: Lab, program_in: Program) -> None:
    nics = []
    for number in range(4):
        program_in(plain_15, "ifconfig", f"tap{number}", "create", "up")
        nics.append(Nic(network.attach(plain_15, f"tap{number}", 0, os.getpid()), number))
    first, second, other, trunk = nics
    members = "addm tap0 untagged 10 addm tap1 untagged 10 addm tap2 untagged 20 addm tap3 tagged 10,30"
    program_in(plain_15, "ifconfig", "bridge0", "create", "vlanfilter", *members.split(), "up")
    # What is for all is heard in its own VLAN alone, with the tag where that VLAN is a tagged one.
    assert heard_until(first, second, b"of ten")
    first.send(other.address, b"for the other")
    assert heard_until(first, trunk, b"to the trunk")[-1] == EVERYONE + first.address + TEN + KIND + b"to the trunk"
    assert other.heard() == []
    # With a tag one is heard where the tag says, if one may use it; without, who is in no such VLAN, nowhere.
    trunk.send(EVERYONE, b"in twenty", TWENTY)
    trunk.send(EVERYONE, b"in none")
    for receiver in (first, second):
        heard = heard_until(trunk, receiver, b"in ten", TEN)
        assert heard[-1] == EVERYONE + trunk.address + KIND + b"in ten"
        assert not any(frame.endswith((b"in twenty", b"in none")) for frame in heard)
    assert other.heard() == []
    # A bridge that filters no more carries all.
    program_in(plain_15, "ifconfig", "bridge0", "-vlanfilter")
    assert heard_until(first, other, b"for all")
    for number, nic in enumerate(nics):
        network.release(plain_15, f"tap{number}", os.getpid())
        nic.socket.close()


def test_complaint_9_guests_in_other_vlans_of_one_bridge_hear_nothing_of_each_other(
    plain_15: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    done(plain_15, "dataset", plain_15.pool, "install")
    done(plain_15, "web,db,mail", "create", "64M")
    for guest, settings in (("web", ["tap50_vlan=10"]), ("db", ["tap51_vlan=20"]), ("mail", ["tap52_vlans=10,20"])):
        done(plain_15, guest, "set", *settings)
    done(plain_15, "web,db,mail", "start")
    # A hollow guest sends nothing: its card is this test's.
    taps = filter(None, map(looked_at(plain_15).get, ("tap50", "tap51", "tap52")))
    web, db, mail = (Nic(switch.words(plain_15, tap, 0), number) for number, tap in enumerate(taps))
    web.send(db.address, b"for db")
    assert heard_until(web, mail, b"of web")[-1] == EVERYONE + web.address + TEN + KIND + b"of web"
    assert db.heard() == []
    assert heard_until(mail, db, b"of mail", TWENTY)[-1] == EVERYONE + mail.address + KIND + b"of mail"
    assert not any(frame.endswith(b"of mail") for frame in web.heard())
    done(plain_15, "web,db,mail", "stop", "force")
    for nic in (web, db, mail):
        nic.socket.close()


def test_there_is_one_process_and_it_ends_when_no_tap_is_open(
    plain: Lab, program: Program, plug: Callable[..., Nic]
) -> None:
    first, second = plug("up"), plug("up")
    program("ifconfig", "bridge0", "create", "addm", "tap0", "addm", "tap1", "up")
    assert reaches(first, second)
    assert len(at_work(plain)) == 1
    assert program("pgrep", "-f", str(switch.launcher(plain))).returncode == 1
    for tap in ("tap0", "tap1"):
        network.release(plain, tap, os.getpid())
    until = time.monotonic() + 120
    while at_work(plain) and time.monotonic() < until:
        time.sleep(0.2)
    assert at_work(plain) == []
    assert os.listdir(switch.place(plain)) == ["lock"]


@pytest.mark.parametrize("real", [False, True])
def test_ports_of_one_vale_switch_reach_each_other_and_no_other(lab: Lab, program: Program, real: bool) -> None:
    if not real:
        namespace.remove(lab)
        namespace.place(lab).unlink(missing_ok=True)
    elif not namespace.wanted(lab):
        pytest.skip("real taps need root and /dev/net/tun")
    ports = ("vale0:1", "vale0:b", "vale1:1")
    nics = [Nic(network.connect(lab, port, 0, os.getpid()), number) for number, port in enumerate(ports)]
    one, other, outside = nics
    assert reaches(one, other)
    assert reaches(other, one, one.address)
    assert not reaches(one, outside)
    assert "vale" not in program("ifconfig", "-l").stdout
    assert program("ifconfig", "vale0:1").returncode == 1
    with pytest.raises(Busy, match=f"vale0:1: is opened by process {os.getpid()}"):
        network.connect(lab, "vale0:1", 0, os.getppid())
    for port, nic in zip(ports, nics, strict=True):
        network.release(lab, port, os.getpid())
        nic.socket.close()
    network.connect(lab, "vale0:1", 0, os.getppid())
