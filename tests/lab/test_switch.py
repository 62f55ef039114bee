"""Guests on one bridge reach each other also in a lab without privilege."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from chyves.errors import Busy
from chyves.lab import network
from chyves.lab.network import namespace, switch
from chyves.lab.place import Lab
from chyves.lab.processes import at_work

Program = Callable[..., subprocess.CompletedProcess[str]]
EVERYONE = b"\xff" * 6


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

    def send(self, target: bytes, text: bytes) -> None:
        try:
            self.socket.sendto(target + self.address + b"\x88\xb5" + text, self.remote)
        except OSError:
            return

    def hears(self, text: bytes) -> bool:
        try:
            while True:
                if self.socket.recv(65536).endswith(text):
                    return True
        except TimeoutError:
            return False


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


@pytest.fixture
def plain(lab: Lab) -> Lab:
    """A lab without a network namespace."""
    namespace.remove(lab)
    namespace.place(lab).unlink(missing_ok=True)
    return lab


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
