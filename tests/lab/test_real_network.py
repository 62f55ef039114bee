"""What ifconfig keeps is carried out with Linux's own taps and bridges, where the machine allows them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import sqlite3
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chyves.lab import destroy, network
from chyves.lab.network import namespace
from chyves.lab.network.interface import Interface
from chyves.lab.network.namespace import steps
from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def made(name: str, number: int, **facts: Any) -> Interface:
    family = re.sub(r"[0-9.]+[ab]?$", "", name)
    return Interface(name, name, facts.pop("family", family), number, **facts)


class TestSteps:
    """The pure part: what ip(8) is told."""

    def test_nothing_changed(self) -> None:
        tap = made("tap0", 4, up=True)
        assert list(steps([tap], [tap])) == []

    def test_a_tap_and_its_bridge(self) -> None:
        after = [made("bridge0", 4, up=True, ether="58:9c:fc:00:00:01"), made("tap0", 5, bridge="bridge0", up=True)]
        assert list(steps([], after)) == [
            "link add bridge0 type bridge forward_delay 0 mcast_snooping 0",
            "tuntap add tap0 mode tap",
            "link set bridge0 address 58:9c:fc:00:00:01",
            "link set bridge0 up",
            "link set tap0 master bridge0",
            "link set tap0 up",
        ]

    def test_an_end(self) -> None:
        assert list(steps([made("tap0", 4), made("lo0", 3, family="loop")], [])) == ["link delete tap0"]
        pair = [made("epair0a", 4, family="epair", peer="epair0b"), made("epair0b", 5, family="epair", peer="epair0a")]
        assert list(steps(pair, [])) == ["link delete epair0a"]

    def test_a_new_name_keeps_it_up(self) -> None:
        before, after = made("tap0", 4, up=True), made("vm1", 4, family="tap", up=True)
        assert list(steps([before], [after])) == ["link set tap0 down", "link set tap0 name vm1", "link set vm1 up"]

    def test_a_vlan_where_linux_has_none_is_a_tap(self) -> None:
        after = [made("vlan0", 4, vlan=9, parent="em0")]
        assert list(steps([], after)) == ["link add link em0 name vlan0 type vlan id 9"]
        assert list(steps([], after, vlans=False)) == ["tuntap add vlan0 mode tap"]

    def test_a_private_member_is_isolated(self) -> None:
        before, after = made("tap0", 4, bridge="bridge0"), made("tap0", 4, bridge="bridge0", member_flags=["PRIVATE"])
        assert list(steps([before], [after])) == ["link set tap0 type bridge_slave isolated on"]
        assert list(steps([after], [before])) == ["link set tap0 type bridge_slave isolated off"]

    def test_addresses_come_back_with_the_link(self) -> None:
        down = made("bridge0", 4, addresses=["inet 10.0.0.1/24", "inet6 fd00::1/64"])
        up = made("bridge0", 4, addresses=["inet 10.0.0.1/24", "inet6 fd00::1/64"], up=True)
        assert list(steps([down], [up])) == ["link set bridge0 up", "address replace fd00::1/64 dev bridge0 nodad"]


@pytest.fixture
def real(lab: Lab) -> Lab:
    """A lab with a network namespace."""
    if not namespace.wanted(lab):
        pytest.skip("real taps need root and /dev/net/tun")
    return lab


@pytest.fixture
def links(real: Lab) -> Callable[[], dict[str, dict[str, Any]]]:
    """The links in the namespace, by name, as Linux sees them."""

    def look() -> dict[str, dict[str, Any]]:
        words = ["nsenter", f"--net={namespace.place(real)}", "ip", "-j", "-d", "address", "show"]
        return {
            link["ifname"]: link for link in json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        }

    return look


Links = Callable[[], dict[str, dict[str, Any]]]


def test_the_machine_s_own_network_is_not_touched(real: Lab, program: Program) -> None:
    before = os.listdir("/sys/class/net")
    program("ifconfig", "bridge", "create", "up")
    program("ifconfig", "tap", "create", "up")
    assert os.listdir("/sys/class/net") == before


def test_interfaces_are_there(program: Program, links: Links) -> None:
    program("ifconfig", "tap0", "create", "ether", "58:9c:fc:00:00:01", "mtu", "9000", "up")
    program("ifconfig", "bridge0", "create", "addm", "tap0", "addm", "em0", "inet", "10.7.0.1/24", "up")
    program("ifconfig", "epair", "create")
    program("ifconfig", "tap", "create", "name", "vm1")
    there = links()
    assert {"em0", "em1", "lo", "tap0", "bridge0", "epair0a", "epair0b", "vm1"} == set(there)
    assert (there["tap0"]["address"], there["tap0"]["mtu"], there["tap0"]["master"]) == (
        "58:9c:fc:00:00:01",
        9000,
        "bridge0",
    )
    assert there["bridge0"]["linkinfo"]["info_kind"] == "bridge"
    assert [address["local"] for address in there["bridge0"]["addr_info"] if address["family"] == "inet"] == [
        "10.7.0.1"
    ]
    assert "UP" in there["tap0"]["flags"]
    for name in ("tap0", "bridge0", "epair0b", "vm1"):
        assert program("ifconfig", name, "destroy").stderr == ""
    assert set(links()) == {"em0", "em1", "lo"}


def test_a_closed_tap_goes_down_with_the_next_change(real: Lab, program: Program, links: Links) -> None:
    program("ifconfig", "tap0", "create", "up")
    network.attach(real, "tap0", 0, os.getpid())
    assert "UP" in links()["tap0"]["flags"]
    network.release(real, "tap0", os.getpid())
    assert "UP" not in links()["tap0"]["flags"]


def test_the_namespace_is_made_anew_when_it_was_lost(real: Lab, program: Program, links: Links) -> None:
    program("ifconfig", "tap0", "create")
    subprocess.run(["umount", namespace.place(real)], check=True)
    with sqlite3.connect(real.state / "kernel.db") as database:
        database.execute("update boot set id = 'the start before'")
    database.close()
    assert program("ifconfig", "tap1", "create").stderr == ""
    assert set(links()) == {"em0", "em1", "lo", "tap1"}


def test_nothing_is_left_when_the_lab_is_gone(real: Lab) -> None:
    assert str(namespace.place(real)) in Path("/proc/self/mountinfo").read_text()
    destroy.destroy(str(real.top), yes=True)
    assert str(namespace.place(real)) not in Path("/proc/self/mountinfo").read_text()


def test_a_lab_without_it_keeps_the_same_state(lab: Lab, program: Program) -> None:
    namespace.remove(lab)
    namespace.place(lab).unlink(missing_ok=True)
    program("ifconfig", "tap0", "create")
    assert program("ifconfig", "bridge0", "create", "addm", "tap0", "up").stderr == ""
    assert "member: tap0" in program("ifconfig", "bridge0").stdout
    assert network.attach(lab, "tap0", 0, os.getpid())[0] == "-netdev"
    network.release(lab, "tap0", os.getpid())


@pytest.fixture
def frames(real: Lab) -> Iterator[Callable[[str], int]]:
    """Opens a tap as QEMU does, from inside the namespace, and returns its descriptor."""
    opened: list[int] = []

    def open_tap(name: str) -> int:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            namespace.join(real)
            tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        finally:
            _return_to(home)
        opened.append(tap)
        return tap

    yield open_tap
    for descriptor in opened:
        os.close(descriptor)


def _return_to(home: int) -> None:
    import ctypes

    assert ctypes.CDLL(None).setns(home, 0) == 0
    os.close(home)


def crosses(sender: int, receiver: int) -> bool:
    """Whether a broadcast frame that is sent again and again for up to 5 s comes through."""
    frame = b"\xff" * 6 + bytes.fromhex("020000000001") + b"\x88\xb5" + os.urandom(46)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        os.write(sender, frame)
        while select.select([receiver], [], [], 0.2)[0]:
            if os.read(receiver, 65536) == frame:
                return True
    return False


def test_frames_cross_a_bridge_but_not_between_private_members(program: Program, frames: Callable[[str], int]) -> None:
    for name in ("tap0", "tap1", "tap2"):
        program("ifconfig", name, "create", "up")
    program("ifconfig", "bridge0", "create", "addm", "tap0", "addm", "tap1", "up")
    first, second, outside = (frames(name) for name in ("tap0", "tap1", "tap2"))
    assert crosses(first, second)
    assert crosses(second, first)
    assert not crosses(first, outside)
    program("ifconfig", "bridge0", "private", "tap0", "private", "tap1")
    assert not crosses(first, second)
