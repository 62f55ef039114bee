"""Pools that are suspended: zfs(8) waits for them where nothing ends it, and chyves says so instead of waiting too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host import suspension
from chyves.host.machine import Host
from chyves.pools import suspended

ADVICE = "is suspended: its disks do not answer; bring them back, and use: zpool clear tank"
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


def test_a_change_that_a_suspended_pool_holds_up_is_told_and_waited_for(
    make: Make, host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    make("zfs", "sleep 5; echo done")
    make("zpool", r"printf 'tank\tSUSPENDED\n'")
    assert host.run.do("zfs", "create", "tank/x") == "done\n"
    assert capfd.readouterr().err == f"chyves: zfs create tank/x: waits: the pool tank {ADVICE}\n"


def test_a_suspended_pool_of_ours_is_refused_and_others_are_not(make: Make, host: Host) -> None:
    make("zpool", r"printf 'tank\t1\t1\t1\tSUSPENDED\n'")
    suspended.refuse(host, ["zroot"])
    with pytest.raises(ChyvesError, match=f"^tank: {ADVICE}$"):
        suspended.refuse(host, ["tank", "zroot"])
