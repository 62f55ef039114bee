"""What running guests use, live on a terminal, and what it costs to look."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from unittest.mock import Mock

import pexpect
import pytest

from chyves.guests import crashes
from chyves.guests.live_screen import LEAVE
from chyves.guests.metrics import metrics
from chyves.host.machine import Host
from chyves.lab.place import Lab
from tests.host_commands import done, environment
from tests.lab.conftest import run_program
from tests.lab.test_scale import cost
from tests.torture.house import House, a_house

PATIENCE = 60


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


@pytest.fixture
def lab(house: House) -> Iterator[Lab]:
    house.go_back("base")
    done(house.lab, "a", "start")
    yield house.lab
    done(house.lab, "all", "stop", "force")


def live(lab: Lab, *words: str) -> pexpect.spawn[str]:
    """top on a terminal of its own, with something on it."""
    here = {**environment(lab), "TERM": "xterm"}
    argv = ["-m", "chyves", "top", *words]
    child = pexpect.spawn(
        sys.executable, argv, env=here, timeout=PATIENCE, encoding="utf-8", dimensions=(20, 100), echo=True
    )
    child.expect_exact("1 guest runs")
    child.expect_exact("Written/s")
    return child


def ended(child: pexpect.spawn[str]) -> None:
    child.expect_exact(LEAVE)
    child.expect(pexpect.EOF)
    assert "Traceback" not in child.before and "interrupted" not in child.before
    child.wait()
    assert child.exitstatus == 0


def test_a_screen_is_drawn_anew_when_the_window_changes_and_ends_with_q(lab: Lab) -> None:
    child = live(lab, "--every", "1000")
    child.expect_exact("Written/s")  # the second look is soon, so that there is something to compare with
    child.setwinsize(20, 50)
    # What was on its way for the wide window may come first.
    child.expect(r"Guest(?![^\r\n]*Written/s)[^\r\n]*CPU[^\r\n]*\r?\n")
    child.send(" ")
    child.expect_exact("1 guest runs")
    child.send("q")
    ended(child)


def test_an_interrupt_is_an_end_like_another(lab: Lab) -> None:
    child = live(lab, "a")
    child.sendintr()
    ended(child)


def test_complaint_26_what_a_guest_takes_is_seen_from_as_many_programs_however_many_run(lab: Lab) -> None:
    one = cost(lab, "top -b --every 1")
    told = cost(lab, "metrics")
    done(lab, "b", "start")
    assert len(json.loads(done(lab, "top", "-b", "--every", "1", "--json"))["usage"]) == 2
    assert cost(lab, "top -b --every 1")["programs"] == one["programs"]
    assert one["programs"] == {"zfs": 2, "ps": 2, "netstat": 2, "sysctl": 2}
    assert cost(lab, "metrics")["programs"] == told["programs"] == {"zfs": 2, "ps": 1, "netstat": 1, "sysctl": 1}


def test_what_is_told_of_crashes_is_read_once_however_many_guests_are_off(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Mock(side_effect=crashes.noted)
    monkeypatch.setattr(crashes, "noted", looks)
    assert 'chyves_guests{state="off"} 1\n' in (metrics(Host.open({"CHYVES_LAB": str(lab.top)})) or "")
    looks.assert_called_once()


def test_netstat_counts_every_interface_alike_in_text_and_json(lab: Lab) -> None:
    told = json.loads(run_program(lab, "netstat", "--libxo", "json", "-ibn").stdout)["statistics"]["interface"]
    heads, *lines = run_program(lab, "netstat", "-ibn").stdout.splitlines()
    assert heads.split()[-8:] == "Ipkts Ierrs Idrop Ibytes Opkts Oerrs Obytes Coll".split()
    assert [line.split()[0].rstrip("*") for line in lines] == [facts["name"] for facts in told]
    assert {"tap50", "bridge0", "lo0"} <= {facts["name"] for facts in told}
    assert all(facts["network"].startswith("<Link#") for facts in told)
    assert run_program(lab, "netstat", "-r").returncode == 1
