"""Guests in files: what comes out of one is what went in, and what is broken off leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.host_commands import break_lab, chyves, datasets, done, environment, everything, mend, zfs

GUESTS = "zroot/chyves/guests"


@pytest.fixture
def guest(lab: Lab) -> Lab:
    """A lab with the guest a, that has two snapshots, an image, UEFI variables and a disk with something on it."""
    done(lab, "dataset", lab.pool, "install")
    done(lab, "a", "create", "64M")
    done(lab, "a", "disk", "add", "64M")
    place = lab.root / "chyves" / GUESTS.replace("/chyves", "")
    (place / "a/img/data.raw").write_bytes(b"an image" * 1024)
    (place / "a/.vars.fd").write_bytes(b"variables")
    done(lab, "a", "snapshot", "@one")
    with (lab.root / f"dev/zvol/{GUESTS}/a/disk0").open("r+b") as disk:
        disk.seek(-64, os.SEEK_END)
        disk.write(b"the disk" * 8)
    done(lab, "a", "snapshot", "@two")
    zfs(lab, "set", "compression=lz4", f"{GUESTS}/a/disk0")
    zfs(lab, "set", "x:y=mine", f"{GUESTS}/a")
    return lab


def of_guest(lab: Lab, name: str) -> dict[str, str]:
    """All of a guest, under whatever name: datasets, snapshots, ZFS properties, files and disks."""
    rows = zfs(lab, "get", "-Hp", "-r", "-t", "all", "-s", "local,received", "-o", "name,property,value", "all",
               f"{GUESTS}/{name}").splitlines()  # fmt: skip
    found = {row.replace(f"{GUESTS}/{name}", "", 1): "" for row in rows}
    found |= dict.fromkeys(datasets(lab, f"{GUESTS}/{name}"), "there")
    files = {path: what for path, what in everything(lab).items() if path.startswith(f"chyves/zroot/guests/{name}/")}
    found |= {path.replace(f"guests/{name}/", "", 1): what for path, what in files.items()}
    for disk in ("disk0", "disk1"):
        with (lab.root / f"dev/zvol/{GUESTS}/{name}/{disk}").open("rb") as volume:
            volume.seek(-64, os.SEEK_END)
            found[disk] = volume.read().hex()
    return found


def test_complaint_17_a_guest_comes_out_of_one_file_as_it_went_in(guest: Lab, tmp_path: Path) -> None:
    """complaint 17: with properties, snapshots, image, variables and disks; the other guests stay as they are."""
    file, names = tmp_path / "a.zfs", datasets(guest, f"{GUESTS}/a")
    done(guest, "a", "export", str(file))
    before = of_guest(guest, "a")
    assert len(before) > 20 and b"the disk".hex() in before["disk0"]
    assert datasets(guest, f"{GUESTS}/a") == names and "image_serials" in done(guest, "a", "get", "all")
    assert file.stat().st_mode & 0o777 == 0o600 and [path.name for path in tmp_path.iterdir()] == ["a.zfs"]
    done(guest, "a", "rename", "old")
    done(guest, "import", str(file), "new")
    assert datasets(guest, f"{GUESTS}/new") == names
    old, new = of_guest(guest, "old"), of_guest(guest, "new")
    assert {name for name in old if old[name] != new.get(name)} == {"chyves/zroot/.config/.cfg"}
    assert done(guest, "new", "get", "uuid") != done(guest, "old", "get", "uuid")
    done(guest, "old,new", "delete", "--yes")
    done(guest, "import", str(file))
    assert of_guest(guest, "a") == before
    assert done(guest, "a", "get", "net_ifaces").strip() in done(guest, "list", "bridges")
    assert done(guest, "doctor") == "nothing found that does not fit\n"
    done(guest, "a", "snapshot", "rollback", "one", "--yes")


KILLED = ((2, "after"), (3, "after"), (4, "after"), (5, "before"))
"""Behind the snapshot, the stream and the end of the snapshot; and where the file has its name already."""


def test_an_export_that_is_killed_leaves_nothing_once_the_next_command_has_run(guest: Lab, tmp_path: Path) -> None:
    """Wherever the file is: what is half written beside it goes too, and a file that is whole stays."""
    done(guest, "global", "set", "stdout_level=2")
    done(guest, "a", "export", str(tmp_path / "first"))  # what bhyve made up for the disks is written down then
    (tmp_path / "first").unlink()
    before = everything(guest)
    for nth, when in KILLED:
        found, left = ("finished", ["a.zfs"]) if when == "before" else ("taken back", [])
        break_lab(guest, nth, when, "parent")
        assert chyves(guest, "a", "export", str(tmp_path / "a.zfs")).returncode == -9
        mend(guest)
        assert everything(guest) != before
        told = chyves(guest, "global", "set", "stdout_level=2").stderr
        assert f"warning: a: was not exported to its end; it is {found}\n" in told
        assert [path.name for path in tmp_path.iterdir()] == left
        assert everything(guest) == before


@pytest.mark.parametrize("into, words", [
    ("/dev/full", "No space left on device"),
    ("| true", "Broken pipe"),
    ("&-", "Bad file descriptor"),
])  # fmt: skip
def test_a_stream_that_nobody_takes_leaves_nothing(guest: Lab, into: str, words: str) -> None:
    line = f"{sys.executable} -m chyves a export - {into if into.startswith('|') else '>' + into}"
    before = everything(guest)
    result = subprocess.run(["sh", "-c", line], env=environment(guest), capture_output=True, text=True)
    assert f"chyves: standard output: cannot be written: {words}; see to that and try again\n" in result.stderr
    assert everything(guest) == before


def test_what_zfs_sends_only_raw_is_told_in_a_sentence(guest: Lab, tmp_path: Path) -> None:
    """The words are those of OpenZFS (libzfs_sendrecv.c); the lab's zfs encrypts nothing."""
    real = guest.bin / "zfs"
    words = "cannot send a@b: encrypted dataset a may not be sent with properties without the raw flag"
    text = real.read_text()
    real.unlink()
    real.write_text(
        text.split("\n", 1)[0]
        + f"""
import sys
if sys.argv[1] == "send":
    sys.exit({words!r})
"""
        + text.split("\n", 1)[1]
    )
    real.chmod(0o755)
    before = everything(guest)
    told = chyves(guest, "a", "export", str(tmp_path / "a.zfs")).stderr.splitlines()
    advice = f"send it raw by hand: zfs send -Rw {GUESTS}/a@SNAPSHOT"
    assert told[-1] == f"chyves: a: is encrypted by ZFS, and not so in a file; {advice}"
    assert everything(guest) == before and not list(tmp_path.iterdir())
