"""Which adapter of ZFS is used, and when libzfs is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from chyves.host.machine import SYSTEM, Host
from chyves.host.run import PLACES, Runner
from chyves.host.zfs import libzfs
from chyves.host.zfs.libzfs import PATIENCE, Libzfs
from chyves.host.zfs.zfs8 import Zfs8


class Sought:
    """Notes how often libzfs is looked for, and finds none."""

    times = 0

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == "libzfs":
            self.times += 1
            raise ModuleNotFoundError("No module named 'libzfs'", name=name)
        return None


@pytest.fixture
def sought(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sought]:
    monkeypatch.delitem(sys.modules, "libzfs", raising=False)
    finder = Sought()
    sys.meta_path.insert(0, finder)
    yield finder
    sys.meta_path.remove(finder)


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A directory whose zfs says that there is `p`."""
    program = tmp_path / "zfs"
    program.write_text("#!/bin/sh\necho p\n")
    program.chmod(0o755)
    return f"{tmp_path}:{PLACES}"


def test_libzfs_is_asked_of_this_machine_s_pools_in_short_commands(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text("{}")
    lab = Host.open({"CHYVES_LAB": str(tmp_path)})
    inside = Host(SYSTEM, Runner({}, f"/lab/bin:{PLACES}"))
    assert [type(host.zfs) for host in (lab, inside)] == [Zfs8, Zfs8]
    assert type(Host(SYSTEM, Runner({}, PLACES)).zfs) is Libzfs
    assert type(Host(SYSTEM, Runner({}, PLACES), lasting=True).zfs) is Zfs8


def test_libzfs_is_looked_for_once_and_not_for_what_a_listing_asks(sought: Sought, place: str) -> None:
    zfs = Libzfs(Runner({}, place))
    for _ in range(PATIENCE):
        assert zfs.list("p") == [{"name": "p"}]
    assert sought.times == 0
    assert zfs.exists("p")
    assert sought.times == 1
    assert zfs.exists("p")
    assert sought.times == 1


def test_libzfs_is_left_alone_where_zfs_has_no_device(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("libzfs")
    made = []

    class Handle:
        def __init__(self, **how: object) -> None:
            made.append(how)

    module.ZFS = Handle  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "libzfs", module)
    monkeypatch.setattr(libzfs, "DEVICE", f"{place.partition(':')[0]}/none")
    zfs = Libzfs(Runner({}, place), patience=0)
    assert zfs.exists("p")
    assert made == []
    monkeypatch.setattr(libzfs, "DEVICE", place.partition(":")[0])
    assert zfs.exists("p")
    assert made == [{"history": False}]
