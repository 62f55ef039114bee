"""A lab on the machine's own ZFS: what its zpool makes of the lab's words. What is done with it is in tests/zfs."""

from __future__ import annotations

import os

import pytest

from chyves.errors import ChyvesError
from chyves.lab import create, real_zfs
from chyves.lab.place import Lab


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("create tank /dev/ada1", "create -R @ tank @/dev/ada1"),
        (
            "create -f -o ashift=12 -O atime=off tank mirror da0 da1p2",
            "create -R @ -f -o ashift=12 -O atime=off tank mirror @/dev/da0 @/dev/da1p2",
        ),
        ("create -R /mnt -m /data tank /dev/tank0", "create -R @/mnt -m /data tank @/dev/tank0"),
        ("create -R / tank ada1", "create -R @ tank @/dev/ada1"),
        ("create tank /home/me/disk", "create -R @ tank /home/me/disk"),
        ("import tank", "import -R @ -d @/dev tank"),
        ("import -d /dev -o readonly=on tank", "import -R @ -d @/dev -o readonly=on tank"),
        ("add -o ashift=9 tank ada2", "add -o ashift=9 tank @/dev/ada2"),
    ],
)
def test_devices_and_places_are_the_labs(lab: Lab, line: str, expected: str) -> None:
    words = real_zfs.translated(lab, line.split())
    assert " ".join(words).replace(str(lab.root), "@") == expected
    disks = [
        word for word in words if word.startswith(f"{lab.root}/dev/") and word[-1].isdigit() and "tank" not in word
    ]
    if not line.startswith("import"):
        assert all(os.path.getsize(disk) == real_zfs.DISK_SIZE for disk in disks)


def test_who_has_no_zfs_or_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    with pytest.raises(ChyvesError, match="needs root"):
        create.create("/nowhere", zfs="real")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(real_zfs, "PLACES", "/nowhere")
    with pytest.raises(ChyvesError, match=r"no zfs\(8\).*without --zfs real"):
        create.create("/nowhere", zfs="real")
    assert not os.path.exists("/nowhere")
