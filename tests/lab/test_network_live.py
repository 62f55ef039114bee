"""Interfaces of guests that run change their bridges in Linux too; what is not of chyves is not destroyed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from chyves.host.interfaces import Interfaces
from chyves.host.machine import Host
from chyves.lab.network import namespace
from chyves.lab.place import Lab
from chyves.network import bridges
from tests.host_commands import chyves, done, environment, sentence
from tests.lab.test_guests_life import wait_for


@pytest.fixture
def house(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab with two hollow guests, each with a tap on a bridge of its own."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    done(lab, "dataset", lab.pool, "install")
    done(lab, "web1,web2", "create", "64M")
    done(lab, "network", "bridge1", "join", "tap51")
    yield lab
    chyves(lab, "all", "stop", "force")


def ifconfig(lab: Lab, *words: str) -> str:
    return subprocess.run([lab.bin / "ifconfig", *words], capture_output=True, text=True, check=True).stdout


def masters(lab: Lab) -> dict[str, str]:
    """The bridge of each member, as Linux has it."""
    words = ["nsenter", f"--net={namespace.place(lab)}", "ip", "-j", "link", "show"]
    links = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    return {link["ifname"]: link["master"] for link in links if "master" in link}


def test_fault_10_a_running_guest_changes_its_bridge_in_linux_too(house: Lab) -> None:
    if not namespace.wanted(house):
        pytest.skip("real taps need root and /dev/net/tun")
    done(house, "web1,web2", "start")
    assert masters(house) == {"tap50": "bridge0", "tap51": "bridge1"}
    done(house, "network", "bridge1", "join", "tap50")
    assert masters(house) == {"tap50": "bridge1", "tap51": "bridge1"}
    done(house, "network", "bridge1", "unjoin", "tap51")
    assert masters(house) == {"tap50": "bridge1"}
    done(house, "network", "bridge7", "join", "tap51")
    done(house, "network", "bridge7", "attach", "em1")
    done(house, "network", "bridge1", "migrate", "bridge7", "--yes")
    assert masters(house) == {"tap50": "bridge7", "tap51": "bridge7", "em1": "bridge7"}
    assert "bridge1" not in ifconfig(house, "-l").split()
    done(house, "web1,web2", "stop", "force")
    assert masters(house) == {"em1": "bridge7"}


def test_complaint_10_the_bridge_of_the_user_is_used_and_outlives_all(house: Lab) -> None:
    ifconfig(house, "bridge0", "create", "addm", "em0", "up")
    ifconfig(house, "em0", "mtu", "9000")
    ifconfig(house, "bridge0", "mtu", "9000")
    done(house, "network", "import", "--yes")
    done(house, "web1", "start")
    assert "mtu 9000" in ifconfig(house, "tap50")
    assert ifconfig(house, "-g", "bridge").split() == ["bridge0"]
    assert ifconfig(house, "-g", "chyves").split() == ["tap50"]
    done(house, "web1", "stop", "force")
    done(house, "network", "bridge0", "migrate", "bridge5", "--yes")
    assert ifconfig(house, "-g", "bridge").split() == ["bridge0"]
    assert "em0" in done(house, "list", "bridges", "-H").split()


def test_a_tap_of_the_user_in_the_place_of_one_of_ours_is_not_destroyed(house: Lab) -> None:
    done(house, "web1", "start")
    ifconfig(house, "tap50", "-group", "chyves")
    done(house, "web1", "stop", "force")
    assert "tap50" in ifconfig(house, "-l").split()


def test_a_tap_that_goes_with_its_guest_while_the_bridge_moves_is_no_failure(
    house: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest ends without waiting for the lock of all: its tap may go at any moment."""
    done(house, "network", "bridge0", "join", "tap51")
    done(house, "web1,web2", "start")
    bhyve = json.loads((house.root / "var/run/chyves/web1.json").read_text())["bhyve"]
    leave = Interfaces.leave

    def late(interfaces: Interfaces, bridge: str, member: str) -> None:
        if member == "tap50":
            os.kill(bhyve, signal.SIGKILL)
            wait_for(lambda: "tap50" not in interfaces.all())
        leave(interfaces, bridge, member)

    monkeypatch.setattr(Interfaces, "leave", late)
    monkeypatch.setenv("CHYVES_LAB", str(house.top))
    bridges.migrate(Host.open(environment(house)), "bridge0", "bridge1", yes=True)
    assert [line for line in ifconfig(house, "bridge1").split() if line.startswith("tap")] == ["tap51"]


def test_a_vale_port_needs_netmap(house: Lab) -> None:
    done(house, "network", "web1", "add", "vale0")
    kldstat = house.bin / "kldstat"
    original = kldstat.read_text()
    kldstat.write_text('#!/bin/sh\n[ "$3" = netmap ] && exit 1\nexit 0\n')
    done(house, "global", "set", "auto_load_kernel_mods=no")
    told = sentence(house, "web1", "start")
    assert told == "web1: vale0: this kernel has no netmap(4); load it: kldload netmap, or use a tap"
    kldstat.write_text(original)
    done(house, "global", "set", "auto_load_kernel_mods=yes")
    done(house, "network", "web1", "remove", "vale0")
    done(house, "web1", "start")


def test_two_guests_on_one_vale_switch_run_and_no_port_is_theirs_twice(house: Lab) -> None:
    done(house, "network", "web1,web2", "add", "vale0")
    done(house, "network", "web1", "add", "vale0:1")
    told = sentence(house, "network", "web2", "add", "vale0:1")
    assert told == "vale0:1: belongs to web1; take it away first: chyves network web1 remove vale0:1"
    done(house, "web1,web2", "start")
    assert ifconfig(house, "-g", "chyves").split() == ["bridge0", "tap50", "bridge1", "tap51"]
    done(house, "web1,web2", "stop", "force")
