"""Pools that are suspended: zfs(8) waits for them where nothing ends it, and chyves says so instead of waiting too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host import suspension
from chyves.host.machine import Host
from chyves.pools import suspended
from chyves.pools.holdings import Holdings

ADVICE = "is suspended: its disks do not answer; bring them back, and use: zpool clear tank"
ELSEWHERE = f"cannot be looked for everywhere: the pool tank {ADVICE}"
Make = Callable[[str, str], None]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a program of the host from lines for sh."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lab.json").write_text("{}")

    def program(name: str, lines: str) -> None:
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{lines}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    return program


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(suspension, "PATIENCE", 1.0)
    return Host.open({"CHYVES_LAB": str(tmp_path)})


def test_a_question_that_a_suspended_pool_holds_up_says_so(make: Make, host: Host) -> None:
    make("zfs", "sleep 1000")
    make("zpool", r"printf 'zroot\tONLINE\ntank\tSUSPENDED\n'")
    with pytest.raises(ProgramFailed, match=f"^zfs list: the pool tank {ADVICE}$"):
        host.run.ask("zfs", "list")


def test_a_slow_answer_is_waited_for_where_no_pool_is_suspended(make: Make, host: Host) -> None:
    make("zfs", "sleep 3; echo tank")
    make("zpool", r"printf 'tank\tDEGRADED\n'")
    assert host.run.ask("zfs", "list") == "tank\n"
    make("zpool", "exit 1")
    assert host.run.ask("zfs", "list") == "tank\n"


def test_what_a_suspended_pool_holds_up_is_told_once_and_waited_for(
    make: Make, host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    make("zfs", "sleep 5; echo done")
    make("zpool", r"printf 'tank\tSUSPENDED\n'")
    with suspension.told(host.run):
        assert host.run.do("zfs", "create", "tank/x") == "done\n"
    assert capfd.readouterr().err == f"chyves: waits: the pool tank {ADVICE}\n"


def test_what_takes_long_for_another_reason_is_not_explained(
    make: Make, host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    for zpool in ("exit 1", r"printf 'tank\tONLINE\n'"):
        make("zpool", zpool)
        make("zfs", "sleep 3")
        with suspension.told(host.run):
            host.run.do("zfs", "create", "tank/x")
    assert capfd.readouterr().err == ""


def test_a_suspended_pool_of_ours_is_refused_and_others_are_not(make: Make, host: Host) -> None:
    make("zpool", r"printf 'tank\t1\t1\t1\tSUSPENDED\n'")
    suspended.refuse(host, ["zroot"])
    with pytest.raises(ChyvesError, match=f"^tank: {ADVICE}$"):
        suspended.refuse(host, ["tank", "zroot"])


def test_what_a_suspended_pool_may_have_is_not_said_to_be_missing(make: Make, host: Host) -> None:
    make("zfs", "exit 0")
    for health, guest, primary, pool in (
        ("SUSPENDED", f"web: {ELSEWHERE}", f"chyves datasets: {ELSEWHERE}", f"tank: {ADVICE}"),
        ("ONLINE", "web: there is no such guest", "no pool has chyves datasets", "tank: has no chyves datasets"),
    ):
        make("zpool", rf"printf 'tank\t1\t1\t1\t{health}\n'")
        holdings = Holdings.read(host)
        with pytest.raises(ChyvesError, match=f"^{guest}"):
            holdings.guest("web")
        with pytest.raises(ChyvesError, match=f"^{primary}"):
            holdings.pool(None)
        with pytest.raises(ChyvesError, match=f"^{pool}"):
            holdings.pool("tank")
