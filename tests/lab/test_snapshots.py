"""Snapshots where ZFS says no, what hangs on them, and how many processes they cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.host_commands import break_lab, chyves, datasets, done, mend, refused, second_pool, sentence, steps_of, zfs
from tests.torture.house import NEXT, House, a_house

GUEST = "zroot/chyves/guests/a"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


@pytest.fixture
def lab(house: House) -> Lab:
    house.go_back("base")
    return house.lab


def snapshots(lab: Lab, guest: str = "a") -> list[str]:
    rows = json.loads(done(lab, "list", "snapshots", guest, "--json"))["snapshots"]
    return [row["snapshot"] for row in rows]


def test_all_datasets_of_a_guest_are_taken_at_once(lab: Lab) -> None:
    done(lab, "a", "snapshot", "@one")
    (command,) = steps_of(lab)
    assert command == f"zfs snapshot -r {GUEST}@one"
    rows = zfs(lab, "list", "-Hp", "-r", "-t", "snapshot", "-o", "createtxg", GUEST).split()
    assert len(rows) == 5 and len(set(rows)) == 1


def test_complaint_33_a_listing_costs_the_same_however_many_guests(lab: Lab) -> None:
    second_pool(lab)
    done(lab, "dataset", "tank", "install")
    done(lab, "t", "create", "64M", "tank")
    done(lab, "all", "snapshot", "@one")
    for words in (("list", "snapshots"), ("list", "snapshots", "t"), ("a", "snapshot", "list")):
        assert zfs_processes(lab, *words) == 3
    assert done(lab, "list", "snapshots", "-H").count("@one") == 3


def zfs_processes(lab: Lab, *words: str) -> int:
    """How many zfs processes a command is made of."""
    program = lab.bin / "zfs"
    launcher, count = program.read_text(), lab.state / "asked"
    count.write_text("")
    head, rest = launcher.split("\n", 1)
    program.write_text(f"{head}\nopen({str(count)!r}, 'a').write('x')\n{rest}")
    try:
        done(lab, *words)
    finally:
        program.write_text(launcher)
    return len(count.read_text())


def test_what_a_clone_hangs_on_stays(lab: Lab) -> None:
    """Complaint 18: stray snapshots of clones can go when nothing hangs on them any more, and are never in a range."""
    process = "@chyves-clone-process-1"
    done(lab, "a", "snapshot", "@one")
    zfs(lab, "snapshot", "-r", f"{GUEST}{process}")
    done(lab, "a", "snapshot", "@two")
    zfs(lab, "clone", f"{GUEST}/disk0{process}", "zroot/chyves/guests/b/disk1")
    hangs = f"a: {process}: b was cloned from it and hangs on it; delete or promote that first"
    assert sentence(lab, "a", "snapshot", "delete", process, "--yes") == hangs
    assert sentence(lab, "a", "snapshot", "rollback", "@one", "--yes") == hangs
    done(lab, "a", "snapshot", "delete", "%", "--yes")
    assert snapshots(lab) == [process]
    assert sentence(lab, "a", "snapshot", "delete", "--yes").startswith("a: has no snapshot; take one")
    assert "nothing between these" in sentence(lab, "a", "snapshot", "delete", "@%", "--yes")
    zfs(lab, "destroy", "zroot/chyves/guests/b/disk1")
    done(lab, "a", "snapshot", "delete", process, "--yes")
    assert snapshots(lab) == []


def write(disk: Path, text: bytes) -> None:
    """Write to the beginning of a disk."""
    with disk.open("r+b") as volume:
        volume.write(text)


def test_the_disk_has_what_it_had(lab: Lab) -> None:
    disk = lab.root / f"dev/zvol/{GUEST}/disk0"
    note = lab.root / "chyves/zroot/guests/a/img/note"
    write(disk, b"before")
    note.write_text("before")
    done(lab, "a", "snapshot", "@one")
    done(lab, "a", "disk", "resize", "disk0", "128M")
    write(disk, b"after!")
    note.write_text("after")
    done(lab, "a", "snapshot", "rollback", "--yes")
    with disk.open("rb") as volume:
        assert volume.read(6) == b"before"
    assert disk.stat().st_size == 64 << 20
    assert note.read_text() == "before"


def test_bookmarks_that_are_newer_go_too_and_are_told(lab: Lab) -> None:
    done(lab, "a", "snapshot", "@one")
    zfs(lab, "snapshot", f"{GUEST}/disk0@sent")
    zfs(lab, "bookmark", f"{GUEST}/disk0@sent", f"{GUEST}/disk0#sent")
    told = chyves(lab, "a", "snapshot", "rollback", "@one", "--yes").stderr
    assert f"a: is back to @one; @sent, {GUEST}/disk0#sent is lost" in told
    assert zfs(lab, "list", "-H", "-r", "-t", "bookmark", GUEST) == ""


def test_a_snapshot_that_comes_while_a_rollback_lies_is_not_lost(lab: Lab) -> None:
    """A rollback that was killed is not finished over a snapshot that nobody has agreed to lose."""
    done(lab, "dataset", second_pool(lab), "install")
    done(lab, "a", "snapshot", "@one")
    break_lab(lab, 2, "refuse")
    told = chyves(lab, "a", "snapshot", "rollback", "@one", "--yes").stderr
    assert "a: is not yet all back to @one, which the next command tries again" in told
    mend(lab)
    zfs(lab, "snapshot", "-r", f"{GUEST}@hourly")
    for line in ("a start", "a snapshot", "a snapshot rollback --yes", "a rename z", "a clone z", "a move tank"):
        told = refused(lab, *line.split())
        assert told == "a: is not yet all back to @one; see above what is in the way, and try again"
    told = chyves(lab, *NEXT).stderr
    advice = "@hourly was taken since and would be lost; delete it first: chyves a snapshot delete @hourly"
    assert told == f"warning: a: did not come all back to @one, and cannot now: {advice}\n"
    done(lab, "a", "snapshot", "delete", "@hourly", "--yes")
    assert chyves(lab, *NEXT).stderr == "warning: a: did not come all back to @one; this is finished\n"
    assert chyves(lab, *NEXT).stderr == ""
    assert snapshots(lab) == ["@one"]


def test_the_note_of_a_guest_that_is_gone_is_forgotten(lab: Lab) -> None:
    done(lab, "a", "snapshot", "@one")
    break_lab(lab, 2, "refuse")
    chyves(lab, "a", "snapshot", "rollback", "@one", "--yes")
    mend(lab)
    zfs(lab, "destroy", "-r", GUEST)
    assert "is finished" in chyves(lab, *NEXT).stderr
    assert chyves(lab, *NEXT).stderr == ""


def test_a_note_that_is_none_of_ours_is_told(lab: Lab) -> None:
    note = lab.root / "chyves/zroot/.config/rollbacks.json"
    note.write_text("[]")
    assert f"{note}: cannot be understood" in refused(lab, *NEXT)


def test_names_that_are_too_long_for_zfs_are_refused(lab: Lab) -> None:
    deep = f"{GUEST}/img/" + "y" * 60
    zfs(lab, "create", deep)
    told = sentence(lab, "a", "snapshot", "@" + "x" * 180)
    assert told.endswith("is longer than 255 characters; choose a shorter name")


def test_the_properties_gone_back_to_may_name_the_adjusted_snapshot(lab: Lab) -> None:
    """Section 6: where another guest has the tap by now, a new one and a new snapshot are made."""
    done(lab, "a", "set", "revert_to_snapshot=@one")
    done(lab, "a", "snapshot", "@one")
    done(lab, "network", "a", "remove", "tap50")
    done(lab, "network", "b", "add", "tap50")
    done(lab, "a", "snapshot", "rollback", "@one", "--yes")
    adjusted = "@one-network-auto-adjusted-by-chyves"
    assert snapshots(lab) == ["@one", adjusted]
    assert done(lab, "a", "get", "revert_to_snapshot") == f"{adjusted}\n"
    done(lab, "a", "set", "cpu=2")
    done(lab, "a", "snapshot", "rollback", adjusted, "--yes")
    assert done(lab, "a", "get", "cpu") == "1\n"
    assert done(lab, "a", "get", "net_ifaces") == "tap52\n"
    assert "/.config@one" in datasets(lab, GUEST)


def test_a_file_that_the_snapshot_does_not_have_right_is_refused_first(lab: Lab) -> None:
    file = lab.root / "chyves/zroot/guests/a/.config/.cfg"
    text = file.read_text()
    file.write_text("broken")
    zfs(lab, "snapshot", "-r", f"{GUEST}@one")
    file.write_text(text)
    assert "line 1 is not name=value" in sentence(lab, "a", "snapshot", "rollback", "@one", "--yes")
