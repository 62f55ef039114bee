"""What is done to ZFS, and what is left where that fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.zfs import Zfs
from tests.zfs.suite.conftest import Ground


def names(zfs: Zfs, top: str, types: str = "all") -> list[str]:
    """All at and below a dataset, without its own name."""
    return [row["name"].removeprefix(top) for row in zfs.list(top, types=types, recursive=True)]


def path(zfs: Zfs, name: str) -> Path:
    return Path(zfs.get(name, "mountpoint"))


def test_a_file_system_is_made_with_those_above_it(zfs: Zfs, top: str) -> None:
    with pytest.raises(ProgramFailed, match=r"parent does not exist|no such parent"):
        zfs.create(f"{top}/a/b")
    zfs.create(f"{top}/a/b", {"x:y": "a b", "compression": "off"}, parents=True)
    assert names(zfs, top) == ["", "/a", "/a/b"]
    assert [zfs.get(f"{top}/a/b", name) for name in ("x:y", "mounted")] == ["a b", "yes"]
    assert path(zfs, f"{top}/a/b").is_dir()
    zfs.create(f"{top}/a/b", parents=True)
    with pytest.raises(ProgramFailed, match="dataset already exists"):
        zfs.create(f"{top}/a/b")
    with pytest.raises(ProgramFailed, match=r"(?i)invalid property|bad property"):
        zfs.create(f"{top}/a/c", {"no_such_property": "1"})
    assert names(zfs, top) == ["", "/a", "/a/b"]


def test_a_volume_has_a_device_and_its_size_in_bytes(zfs: Zfs, top: str, ground: Ground) -> None:
    zfs.create_volume(f"{top}/a/disk0", 1 << 20, {"volmode": "dev", "refreservation": "none"}, parents=True)
    device = ground.devices / f"{top}/a/disk0"
    zfs.wait_for_volume(device, seconds=60)
    assert zfs.get(f"{top}/a/disk0", "volsize") == str(1 << 20)
    zfs.set(f"{top}/a/disk0", {"volsize": str(2 << 20), "x:y": "a=b"})
    (row,) = zfs.list(f"{top}/a/disk0", properties=["volsize", "x:y", "volblocksize"])
    assert (row["volsize"], row["x:y"]) == (str(2 << 20), "a=b")
    block = int(row["volblocksize"])
    zfs.create_volume(f"{top}/a/disk1", (1 << 20) + 512)
    assert int(zfs.get(f"{top}/a/disk1", "volsize")) == (1 << 20) + block
    zfs.rename(f"{top}/a/disk0", f"{top}/a/disk2")
    zfs.wait_for_volume(ground.devices / f"{top}/a/disk2", seconds=60)


def test_properties_are_set_together_or_not_at_all(zfs: Zfs, top: str) -> None:
    zfs.create(f"{top}/a/b", parents=True)
    zfs.set(f"{top}/a", {"x:y": "1", "readonly": "on"})
    assert [row["readonly"] for row in zfs.list(top, properties=["readonly"], recursive=True)] == ["off", "on", "on"]
    with pytest.raises(ProgramFailed):
        zfs.set(f"{top}/a", {"x:y": "2", "readonly": "perhaps"})
    with pytest.raises(ProgramFailed, match="too long"):
        zfs.set(f"{top}/a", {"x:y": "3" * 8192})
    assert [zfs.get(f"{top}/a/b", name) for name in ("x:y", "readonly")] == ["1", "on"]
    zfs.set(f"{top}/a/b", {"x:y": "4"})
    zfs.inherit(f"{top}/a", "x:y")
    assert [zfs.get(f"{top}/{name}", "x:y") for name in ("a", "a/b")] == ["-", "4"]
    zfs.set(f"{top}/a", {"x:y": "5"})
    zfs.inherit(f"{top}/a", "x:y", recursive=True)
    zfs.inherit(f"{top}/a", "readonly", recursive=True)
    assert zfs.local(f"{top}/a", f"{top}/a/b") == {f"{top}/a": {}, f"{top}/a/b": {}}


def test_a_dataset_gets_another_name_with_all_below_it(zfs: Zfs, top: str) -> None:
    zfs.create(f"{top}/a/b", parents=True)
    zfs.create(f"{top}/c")
    zfs.snapshot(f"{top}/a@s")
    with pytest.raises(ProgramFailed, match="does not exist"):
        zfs.rename(f"{top}/a", f"{top}/old/a")
    zfs.rename(f"{top}/a", f"{top}/old/a", parents=True)
    assert names(zfs, top) == ["", "/c", "/old", "/old/a", "/old/a@s", "/old/a/b", "/old/a/b@s"]
    with pytest.raises(ProgramFailed, match="already exists"):
        zfs.rename(f"{top}/old/a", f"{top}/c")
    assert path(zfs, f"{top}/old/a/b").is_dir()


def test_what_cannot_be_mounted_is_not_left_half_made(zfs: Zfs, top: str) -> None:
    for name in ("closed", "a"):
        zfs.create(f"{top}/{name}")
    zfs.snapshot(f"{top}/a@s")
    before = names(zfs, top)
    for name in ("new", "clone", "a"):
        (path(zfs, f"{top}/closed") / name).write_text("no directory: nothing can be mounted here")
    refused: list[Callable[[], None]] = [
        lambda: zfs.create(f"{top}/closed/new"),
        lambda: zfs.clone(f"{top}/a@s", f"{top}/closed/clone"),
    ]
    for change in refused:
        with pytest.raises(ProgramFailed):
            change()
        assert names(zfs, top) == before
    # OpenZFS 2.3 calls it done, with a warning; it is taken back all the same.
    with pytest.raises(ProgramFailed, match="cannot mount"):
        zfs.rename(f"{top}/a", f"{top}/closed/a")
    assert names(zfs, top) == before
    assert zfs.get(f"{top}/a", "mounted") == "yes"


def test_what_has_no_room_is_refused_whole(zfs: Zfs, top: str) -> None:
    zfs.create(f"{top}/a", {"quota": "4M"})
    with pytest.raises(ProgramFailed, match=r"out of space|space quota exceeded|quota"):
        zfs.create_volume(f"{top}/a/disk0", 64 << 20)
    zfs.create_volume(f"{top}/a/disk1", 1 << 20, {"refreservation": "none"})
    with pytest.raises(ProgramFailed):
        zfs.set(f"{top}/a", {"reservation": "1E"})
    assert names(zfs, top) == ["", "/a", "/a/disk1"]
    assert int(zfs.get(f"{top}/a", "available")) < 4 << 20


def test_snapshots_are_taken_of_all_below_or_of_none(zfs: Zfs, top: str) -> None:
    zfs.create(f"{top}/a/b", parents=True)
    zfs.run.do("zfs", "snapshot", f"{top}/a/b@one")
    with pytest.raises(ProgramFailed, match="dataset already exists"):
        zfs.snapshot(f"{top}/a@one")
    assert names(zfs, top, "snapshot") == ["/a/b@one"]
    zfs.snapshot(f"{top}/a@two")
    zfs.snapshot(f"{top}/a@three")
    gone, size = zfs.reclaimed(f"{top}/a", ["@one", "@two"])
    assert sorted(gone) == [f"{top}/a/b@one", f"{top}/a/b@two", f"{top}/a@two"]
    assert size >= 0
    zfs.run.do("zfs", "hold", "kept", f"{top}/a/b@two")
    with pytest.raises(ProgramFailed, match=r"busy|held"):
        zfs.destroy_snapshots(f"{top}/a", ["@one", "@two"])
    assert len(names(zfs, top, "snapshot")) == 5
    zfs.let_go(f"{top}/a@two", recursive=True)
    assert names(zfs, top, "snapshot") == ["/a@three", "/a/b@one", "/a/b@two", "/a/b@three"]
    zfs.run.do("zfs", "release", "kept", f"{top}/a/b@two")
    assert names(zfs, top, "snapshot") == ["/a@three", "/a/b@one", "/a/b@three"]
    zfs.destroy_snapshots(f"{top}/a", ["@one", "@three"])
    assert names(zfs, top, "snapshot") == []


def test_a_dataset_goes_back_to_its_latest_snapshot_alone(zfs: Zfs, top: str) -> None:
    file = path(zfs, top) / "file"
    file.write_text("one")
    zfs.run.do("zfs", "snapshot", f"{top}@one")
    file.write_text("two")
    zfs.run.do("zfs", "snapshot", f"{top}@two")
    file.write_text("three")
    with pytest.raises(ProgramFailed, match="more recent snapshots"):
        zfs.rollback(f"{top}@one")
    assert (file.read_text(), names(zfs, top)) == ("three", ["", "@one", "@two"])
    zfs.rollback(f"{top}@two")
    assert file.read_text() == "two"
    zfs.run.do("zfs", "bookmark", f"{top}@two", f"{top}#mark")
    zfs.destroy(f"{top}@two")
    zfs.destroy(f"{top}#mark")
    zfs.rollback(f"{top}@one")
    assert (file.read_text(), names(zfs, top)) == ("one", ["", "@one"])


def test_a_clone_hangs_on_what_it_came_from_until_it_is_promoted(zfs: Zfs, top: str) -> None:
    zfs.create(f"{top}/a")
    (path(zfs, f"{top}/a") / "file").write_text("x")
    zfs.snapshot(f"{top}/a@s")
    zfs.clone(f"{top}/a@s", f"{top}/b", {"x:y": "1"})
    assert (path(zfs, f"{top}/b") / "file").read_text() == "x"
    assert [zfs.get(f"{top}/b", name) for name in ("origin", "x:y", "mounted")] == [f"{top}/a@s", "1", "yes"]
    for refused in (lambda: zfs.below(f"{top}/a"), lambda: zfs.destroy(f"{top}/a@s")):
        with pytest.raises(ProgramFailed, match="dependent clones"):
            refused()
    with pytest.raises(ProgramFailed, match="not a cloned"):
        zfs.promote(f"{top}/a")
    zfs.let_go(f"{top}/a@s")
    assert zfs.exists(f"{top}/a@s")
    zfs.promote(f"{top}/b")
    assert [zfs.get(f"{top}/{name}", "origin") for name in ("a", "b")] == [f"{top}/b@s", "-"]
    zfs.destroy(f"{top}/a")
    assert names(zfs, top) == ["", "/b"], "the snapshot that was let go has gone with its last clone"


def test_only_what_was_listed_is_destroyed(zfs: Zfs, top: str) -> None:
    zfs.create(f"{top}/a/b", parents=True)
    zfs.create_volume(f"{top}/a/disk0", 1 << 20, {"refreservation": "none"})
    zfs.snapshot(f"{top}/a@s")
    with pytest.raises(ProgramFailed, match="has children"):
        zfs.destroy(f"{top}/a")
    expected = zfs.below(f"{top}/a")
    assert expected[-1] == f"{top}/a"
    assert sorted(name.removeprefix(f"{top}/a") for name in expected) == ["", "/b", "/b@s", "/disk0", "/disk0@s", "@s"]
    zfs.create(f"{top}/a/late")
    with pytest.raises(ChyvesError, match=r"/a: has more below it than it had: .*/a/late; "):
        zfs.destroy_all(f"{top}/a", expected)
    zfs.destroy(f"{top}/a/late")
    zfs.destroy_all(f"{top}/a", expected)
    assert names(zfs, top) == [""]


def test_copies_and_replicas_are_whole_or_not_there(zfs: Zfs, top: str) -> None:
    zfs.create(f"{top}/a/b", {"x:y": "1"}, parents=True)
    (path(zfs, f"{top}/a/b") / "file").write_text("x" * 5000)
    zfs.snapshot(f"{top}/a@old")
    zfs.snapshot(f"{top}/a@s")
    passed: list[int] = []
    zfs.copy(f"{top}/a/b@s", f"{top}/copy", {"x:z": "2"}, passed.append)
    assert sum(passed) > 5000
    assert (path(zfs, f"{top}/copy") / "file").read_text() == "x" * 5000
    assert [zfs.get(f"{top}/copy", name) for name in ("x:y", "x:z", "origin")] == ["-", "2", "-"]
    zfs.replicate(f"{top}/a@s", f"{top}/replica", {"x:z": "3"})
    assert names(zfs, f"{top}/replica") == ["", "@old", "@s", "/b", "/b@old", "/b@s"]
    assert [zfs.get(f"{top}/replica/b", name) for name in ("x:y", "x:z")] == ["1", "3"]
    for place, source in (
        (f"{top}/copy", f"{top}/a/b@s"),
        (f"{top}/none/x", f"{top}/a/b@s"),
        (f"{top}/x", f"{top}@no"),
    ):
        before = names(zfs, top)
        with pytest.raises(ProgramFailed):
            zfs.copy(source, place)
        assert names(zfs, top) == before


def test_an_encrypted_dataset_without_its_key_is_listed_and_kept(zfs: Zfs, top: str, ground: Ground) -> None:
    if not ground.real:
        pytest.skip("the lab's zfs has no encryption")
    key = ground.place / "key"
    key.write_bytes(b"k" * 32)
    zfs.create(f"{top}/a", {"encryption": "on", "keyformat": "raw", "keylocation": f"file://{key}"})
    (path(zfs, f"{top}/a") / "file").write_text("secret")
    zfs.run.do("zfs", "unmount", f"{top}/a")
    zfs.run.do("zfs", "unload-key", f"{top}/a")
    assert [zfs.get(f"{top}/a", name) for name in ("mounted", "keystatus")] == ["no", "unavailable"]
    assert [row["mounted"] for row in zfs.list(top, properties=["mounted"], recursive=True)] == ["yes", "no"]
    with pytest.raises(ProgramFailed, match="key"):
        zfs.create(f"{top}/a/b")
    zfs.snapshot(f"{top}/a@s")
    zfs.rename(f"{top}/a", f"{top}/b")
    zfs.run.do("zfs", "load-key", f"{top}/b")
    zfs.run.do("zfs", "mount", f"{top}/b")
    assert (path(zfs, f"{top}/b") / "file").read_text() == "secret"


def test_a_dry_run_prints_lines_of_zfs_that_do_what_they_say(
    zfs: Zfs, dry: Zfs, top: str, capfd: pytest.CaptureFixture[str]
) -> None:
    dry.create(f"{top}/a", {"x:y": "it's a\ttab"})
    dry.create_volume(f"{top}/a/disk0", 1 << 20)
    dry.snapshot(f"{top}/a@s")
    dry.clone(f"{top}/a/disk0@s", f"{top}/a/disk1", {"x:y": "2"})
    dry.copy(f"{top}/a/disk0@s", f"{top}/a/disk2")
    dry.rename(f"{top}/a", f"{top}/b")
    dry.set(f"{top}/b", {"x:z": "3"})
    assert names(dry, top) == names(zfs, top) == [""]
    lines = capfd.readouterr().out
    assert all(line.startswith("zfs ") for line in lines.splitlines())
    zfs.run.do("sh", "-ec", lines)
    made = ["", "/b", "/b@s", "/b/disk0", "/b/disk0@s", "/b/disk1", "/b/disk2", "/b/disk2@s"]
    assert names(zfs, top) == made
    assert [zfs.get(f"{top}/b", name) for name in ("x:y", "x:z")] == ["it's a\ttab", "3"]
