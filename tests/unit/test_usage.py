"""What is read of the usage of guests, and how it is told: rates, memory beside the host's, metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chyves.bhyve.memory import HostMemory, short
from chyves.errors import ChyvesError
from chyves.guests.metrics import _family
from chyves.guests.top import table
from chyves.guests.usage import Sample, Usage
from chyves.host.interfaces import parse_traffic
from chyves.host.kernel import Counters, parse_counters

G = 1 << 30
LITTLE = "g: ram: 2048M is more than is to be had now (4096M free, 1024M of ZFS's cache"


def link(name: str, received: int, sent: int, network: str = "<Link#7>") -> dict[str, object]:
    return {"name": name, "mtu": 1500, "network": network, "received-bytes": received, "sent-bytes": sent}


def test_an_interface_is_counted_once_however_many_addresses_it_has() -> None:
    lines = [link("tap50", 5, 6), link("em0", 1, 2), link("em0", 9, 9, "192.0.2.0/24"), link("em0", 9, 9, "fe80::/64")]
    text = json.dumps({"__version": "1", "statistics": {"interface": lines}})
    assert parse_traffic(text) == {"tap50": (5, 6), "em0": (1, 2)}
    for bad in ("", "[]", "{}", '{"statistics": {"interface": [{"network": "<Link#1>"}]}}'):
        with pytest.raises(ChyvesError, match="netstat: answered"):
            parse_traffic(bad)


def test_datasets_are_known_by_their_names() -> None:
    text = """\
kstat.zfs.zroot.dataset.objset-0x84a1.nunlinks: 3
kstat.zfs.zroot.dataset.objset-0x84a1.nread: 10
kstat.zfs.zroot.dataset.objset-0x84a1.reads: 1
kstat.zfs.zroot.dataset.objset-0x84a1.nwritten: 20
kstat.zfs.zroot.dataset.objset-0x84a1.writes: 2
kstat.zfs.zroot.dataset.objset-0x84a1.dataset_name: zroot/chyves/guests/web 1/disk0
kstat.zfs.tank.dataset.objset-0x84a1.dataset_name: tank
kstat.zfs.tank.dataset.objset-0x1.nread: 7
"""
    assert parse_counters(text) == {
        "zroot/chyves/guests/web 1/disk0": Counters(10, 20, 1, 2),
        "tank": Counters(0, 0, 0, 0),
    }
    assert parse_counters("") == {}


def test_the_metrics_of_a_host_are_openmetrics() -> None:
    """As the dialogue has them, which is what a command printed."""
    parsers: Any = pytest.importorskip("prometheus_client.openmetrics.parser", reason="prometheus_client is missing")
    session = (Path(__file__).parents[1] / "lab/dialogues/54-usage.txt").read_text()
    told = session.partition("$ chyves metrics ")[2].partition("\n$ ")[0]
    text = "".join(f"{line[2:]}\n" for line in told.splitlines()[1:])
    names = {family.name for family in parsers.text_string_to_metric_families(text)}
    assert len(names) > 15 and all(name.startswith("chyves_") for name in names)


def used(name: str, pid: int, seconds: float, sent: int | None, disks: Counters | None) -> Usage:
    return Usage(name, pid, 2, G, seconds, G // 2, sent, sent, disks, 0)


def test_rates_are_of_the_time_between_two_looks_and_of_the_same_process() -> None:
    before = Sample(
        10.0,
        {
            "a": used("a", 1, 5.0, 1000, Counters(100, 100, 1, 1)),
            "b": used("b", 2, 5.0, 10, None),
            "gone": used("gone", 3, 1.0, None, None),
        },
    )
    now = Sample(
        14.0,
        {
            "a": used("a", 1, 6.0, 5000, Counters(500, 60, 1, 1)),
            "b": used("b", 9, 7.0, 20, None),
            "c": used("c", 4, 1.0, None, None),
        },
    )
    rows = {str(row.values["guest"]): row.values for row in table(before, now).rows}
    assert list(rows) == ["a", "b", "c"]
    assert rows["a"] == {
        "guest": "a",
        "pid": 1,
        "cpu_percent": 25.0,
        "cpus": 2,
        "memory": G // 2,
        "ram": G,
        "cpu_seconds": 6.0,
        "disk_read": 100,
        "disk_written": 15,
        "net_received": 1000,
        "net_sent": 1000,
    }
    for name in "bc":
        assert {rows[name][key] for key in ("cpu_percent", "disk_read", "net_sent")} == {None}
    assert {row.values["cpu_percent"] for row in table(None, now).rows} == {None}


@pytest.mark.parametrize(
    ("ram", "others", "promised", "told"),
    [
        (2, 5, 0, ""),
        (4, 4, 0, ""),
        (4, 5, 0, "g: ram: with the 5120M of guests that run it is 9216M, more than this host has (8192M)"),
        (6, 0, 0, "g: ram: 6144M is more than is to be had now (4096M free, 1024M of ZFS's cache)"),
        (2, 4, 4, f"{LITTLE}, less 4096M of guests just started)"),
    ],
)  # fmt: skip
def test_memory_is_added_up(ram: int, others: int, promised: int, told: str) -> None:
    host = HostMemory(physical=8 * G, free=4 * G, cache=G)
    assert short("g", ram * G, others * G, promised * G, host) == told


def test_metrics_are_openmetrics_and_what_older_parsers_read() -> None:
    parsers: Any = pytest.importorskip("prometheus_client.openmetrics.parser", reason="prometheus_client is missing")
    from prometheus_client.parser import text_string_to_metric_families

    odd = 'a"b\\c'
    lines = [
        *_family("guest_cpu_seconds", "counter", "seconds", "Time.", [({"guest": odd}, 1.5), ({"guest": "b"}, None)]),
        *_family("guest_running", "gauge", "", "Whether.", [({"guest": "b"}, 0)]),
        *_family("guest_disk_reads", "counter", "", "None is known.", [({"guest": "b"}, None)]),
        "# EOF",
    ]
    text = "\n".join(lines) + "\n"
    families = {family.name: family for family in parsers.text_string_to_metric_families(text)}
    assert set(families) == {"chyves_guest_cpu_seconds", "chyves_guest_running"}
    cpu = families["chyves_guest_cpu_seconds"]
    assert (cpu.type, cpu.unit) == ("counter", "seconds")
    assert [(one.name, one.labels, one.value) for one in cpu.samples] == [
        ("chyves_guest_cpu_seconds_total", {"guest": odd}, 1.5)
    ]
    older = {one.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}
    assert older == {"chyves_guest_cpu_seconds_total": 1.5, "chyves_guest_running": 0}
