"""zfs send and receive: what arrives, what is refused, and what a stream leaves that does not come to its end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.test_zfs_state import killed
from tests.lab.zfs_lab import Said, Zfs, contents, disagreements, made, peek, picture, poke

_PROGRAM = "import sys, pathlib; from chyves.lab.place import Lab; from chyves.lab.programs import zfs;"
_PROGRAM += "sys.exit(zfs.main(Lab.open(pathlib.Path(sys.argv[1])), sys.argv[2:]))"
_GARBAGE = b"not a stream" * 100
_NOISE = os.urandom(3 << 19).hex().encode()


class Sent(NamedTuple):
    """What `zfs send` did: its status, the stream, and what it said."""

    status: int
    stream: bytes
    err: str


def program(zfs: Zfs, *words: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, str(zfs.lab.top), *words]


def send(zfs: Zfs, *words: str) -> Sent:
    done = subprocess.run(program(zfs, "send", *words), capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    return Sent(done.returncode, done.stdout, done.stderr.decode())


def stream(zfs: Zfs, *words: str) -> bytes:
    sent = send(zfs, *words)
    assert (sent.status, sent.err) == (0, ""), sent.err
    return sent.stream


def receive(zfs: Zfs, data: bytes, *words: str) -> Said:
    done = subprocess.run(program(zfs, "receive", *words), input=data, capture_output=True, timeout=60)
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def received(zfs: Zfs, data: bytes, *words: str) -> str:
    """What a reception says that must succeed."""
    said = receive(zfs, data, *words)
    assert (said.status, said.err) == (0, ""), said
    assert disagreements(zfs) == []
    return said.out


def not_received(zfs: Zfs, data: bytes, *words: str) -> str:
    """What a reception says that must be refused and change nothing."""
    before = zfs.everything()
    said = receive(zfs, data, *words)
    assert said.status == 1, said
    assert zfs.everything() == before
    assert disagreements(zfs) == []
    return said.err.rstrip("\n")


@pytest.fixture
def zfs(tmp_path: Path) -> Zfs:
    """Two pools; on one a file system with a child and a volume, and snapshots of two moments."""
    zfs = made(tmp_path)
    assert zfs.zpool("create", "tank", "ada1") == Said(0, "", "")
    zfs.ok("create", "-o", "x:y=1", "-o", "compression=lz4", "zroot/a")
    zfs.ok("create", "-o", "snapdir=visible", "zroot/a/b")
    zfs.ok("create", "-V", "4M", "-o", "volblocksize=32K", "-o", "volmode=dev", "zroot/a/v")
    top = zfs.path("zroot/a")
    poke(top / "file", "old")
    poke(top / "gone", "gone")
    (top / "directory").mkdir()
    os.link(top / "file", top / "directory/hard")
    os.symlink("file", top / "link")
    (top / "directory").chmod(0o750)
    poke(zfs.device("zroot/a/v"), "old")
    zfs.ok("snapshot", "-r", "zroot/a@one")
    poke(top / "file", "new")
    (top / "gone").unlink()
    (top / "gone").mkdir()
    poke(zfs.device("zroot/a/v"), "new")
    zfs.ok("snapshot", "-r", "-o", "x:z=2", "zroot/a@two")
    return zfs


def rows(zfs: Zfs, name: str, columns: str = "guid,creation,referenced,volsize,volblocksize") -> list[list[str]]:
    listed = zfs.ok("list", "-Hp", "-t", "snapshot", "-r", "-o", f"name,{columns}", name).splitlines()
    return [[line.split("\t")[0].removeprefix(name), *line.split("\t")[1:]] for line in listed]


def test_a_file_system_arrives_with_all_that_is_in_it(zfs: Zfs) -> None:
    assert received(zfs, stream(zfs, "zroot/a@one"), "tank/a") == ""
    top = zfs.path("tank/a")
    assert contents(zfs, "tank/a") == contents(zfs, "tank/a@one") == contents(zfs, "zroot/a@one")
    assert sorted(path.name for path in top.iterdir()) == ["b", "directory", "file", "gone", "link"]
    assert (top / "file").stat().st_ino == (top / "directory/hard").stat().st_ino
    assert os.readlink(top / "link") == "file"
    assert (top / "directory").stat().st_mode & 0o777 == 0o750
    assert (top / "gone").stat().st_mtime_ns == (
        zfs.lab.state / f"zfs/{number(zfs, 'zroot/a@one')}/gone"
    ).stat().st_mtime_ns
    assert rows(zfs, "tank/a") == rows(zfs, "zroot/a")[:1]
    assert zfs.value("guid", "tank/a") != zfs.value("guid", "zroot/a")
    assert (zfs.value("x:y", "tank/a"), zfs.value("mounted", "tank/a")) == ("-", "yes")


def number(zfs: Zfs, name: str) -> str:
    return zfs.value("objsetid", name)


def test_a_volume_arrives_without_its_holes(zfs: Zfs) -> None:
    zfs.ok("create", "-V", "1G", "zroot/sparse")
    node = zfs.device("zroot/sparse")
    with open(node, "r+b") as volume:
        volume.seek(512 << 20)
        volume.write(b"far")
    zfs.ok("snapshot", "zroot/sparse@one")
    data = stream(zfs, "zroot/sparse@one")
    assert len(data) < 1 << 20
    received(zfs, data, "tank/sparse")
    made_of = zfs.device("tank/sparse").stat()
    assert made_of.st_size == 1 << 30 and made_of.st_blocks == node.stat().st_blocks
    with open(zfs.device("tank/sparse"), "rb") as volume:
        volume.seek(512 << 20)
        assert volume.read(3) == b"far"
    # Without -p a volume's reservation stays behind, as a received one is sparse.
    assert zfs.value("refreservation", "tank/sparse") == "0"
    assert zfs.value("refreservation", "zroot/sparse") != "0"


def test_an_increment_brings_what_changed_was_removed_and_emptied(zfs: Zfs) -> None:
    for name in ("zroot/a", "zroot/a/v"):
        received(zfs, stream(zfs, f"{name}@one"), name.replace("zroot/a", "tank/a"))
    zfs.ok("set", "readonly=on", "tank/a")
    received(zfs, stream(zfs, "-i", "@one", "zroot/a@two"), "tank/a")
    received(zfs, stream(zfs, "-i", "zroot/a/v@one", "zroot/a/v@two"), "tank/a/v")
    assert contents(zfs, "tank/a") == contents(zfs, "zroot/a@two")
    assert contents(zfs, "tank/a@one") == contents(zfs, "zroot/a@one")
    assert peek(zfs.device("tank/a/v"), 3) == "new"
    assert zfs.path("tank/a").joinpath("gone").is_dir()
    assert zfs.value("volblocksize", "tank/a/v") == "32768"
    assert rows(zfs, "tank/a") == [row for row in rows(zfs, "zroot/a") if "/b" not in row[0]]


def test_an_increment_makes_holes_where_data_were(zfs: Zfs) -> None:
    zfs.ok("create", "-V", "64M", "zroot/w")
    with open(zfs.device("zroot/w"), "r+b") as volume:
        volume.write(b"x" * (8 << 20))
    zfs.ok("snapshot", "zroot/w@one")
    received(zfs, stream(zfs, "zroot/w@one"), "tank/w")
    with open(zfs.device("zroot/w"), "r+b") as volume:
        volume.truncate(0)
        volume.truncate(64 << 20)
    zfs.ok("set", "volsize=32M", "zroot/w")
    zfs.ok("snapshot", "zroot/w@two")
    sent = send(zfs, "-i", "one", "zroot/w@two")
    assert sent.status == 0 and sent.err.startswith("Warning: incremental source didn't specify type, assuming snap")
    received(zfs, sent.stream, "tank/w")
    assert zfs.device("tank/w").read_bytes() == bytes(32 << 20)
    assert zfs.value("volsize", "tank/w") == str(32 << 20)


def test_a_replica_has_the_whole_tree_with_properties_and_snapshots(zfs: Zfs) -> None:
    data = stream(zfs, "-R", "zroot/a@two")
    received(zfs, data, "-u", "tank/copy")
    assert rows(zfs, "tank/copy") == rows(zfs, "zroot/a")
    for name in ("", "/b", "/v"):
        assert contents(zfs, f"tank/copy{name}") == contents(zfs, f"zroot/a{name}")
    assert zfs.value("x:z", "tank/copy/b@two") == "2"
    assert (zfs.value("x:y", "tank/copy"), zfs.source("x:y", "tank/copy")) == ("1", "received")
    assert zfs.source("x:y", "tank/copy/b") == "inherited from tank/copy"
    assert zfs.value("refreservation", "tank/copy/v") == zfs.value("refreservation", "zroot/a/v")
    assert (zfs.value("volmode", "tank/copy/v"), zfs.value("snapdir", "tank/copy/b")) == ("dev", "visible")
    assert zfs.value("mounted", "tank/copy") == "no"
    zfs.ok("mount", "tank/copy")
    zfs.ok("mount", "tank/copy/b")
    assert (zfs.path("tank/copy/b") / ".zfs/snapshot").is_dir()


def test_a_received_property_gives_way_to_a_local_one_and_comes_back(zfs: Zfs) -> None:
    received(zfs, stream(zfs, "-p", "zroot/a@one"), "tank/a")
    zfs.ok("set", "x:y=mine", "tank/a")
    shown = zfs.ok("get", "-H", "-o", "value,source,received", "x:y", "tank/a")
    assert shown == "mine\tlocal\t1\n"
    zfs.ok("inherit", "x:y", "tank/a")
    assert zfs.ok("get", "-H", "-o", "value,source,received", "x:y", "tank/a") == "-\t-\t1\n"
    zfs.ok("inherit", "-S", "x:y", "tank/a")
    assert zfs.ok("get", "-H", "-o", "value,source,received", "x:y", "tank/a") == "1\treceived\t1\n"


def test_properties_are_set_and_left_out_on_the_way(zfs: Zfs) -> None:
    data = stream(zfs, "-R", "zroot/a@two")
    received(zfs, data, "-o", "compression=off", "-x", "x:y", "-x", "refreservation", "tank/a")
    assert (zfs.value("compression", "tank/a"), zfs.source("compression", "tank/a")) == ("off", "local")
    assert zfs.source("compression", "tank/a/b") == "inherited from tank/a"
    assert zfs.value("x:y", "tank/a") == "-"
    assert zfs.value("refreservation", "tank/a/v") == "0"
    told = receive(zfs, data, "-x", "mountpoint", "tank/c").err
    assert told == "Warning: tank/c/v: property 'mountpoint' does not apply to datasets of this type\n" * 2
    assert not_received(zfs, data, "-o", "guid=1", "tank/b") == "cannot receive: invalid property 'guid'"
    assert not_received(zfs, data, "-x", "none", "tank/b") == "cannot receive: invalid property 'none'"


def test_where_a_stream_goes(zfs: Zfs) -> None:
    one, both = stream(zfs, "zroot/a/b@one"), stream(zfs, "-R", "zroot/a@one")
    zfs.ok("create", "tank/t")
    received(zfs, one, "-d", "tank/t")
    received(zfs, one, "-e", "tank")
    received(zfs, one, "tank/t/x@other")
    assert zfs.names("-t", "snapshot", "-r", "tank") == ["tank/b@one", "tank/t/a/b@one", "tank/t/x@other"]
    assert not_received(zfs, both, "tank/q@x") == (
        "cannot receive: cannot specify snapshot name for multi-snapshot stream"
    )
    assert not_received(zfs, one, "-d", "tank/none") == "cannot receive: specified fs (tank/none) does not exist"
    assert not_received(zfs, one, "tank/none/x") == (
        "cannot open 'tank/none': dataset does not exist\n"
        "cannot receive new filesystem stream: unable to restore to destination"
    )
    zfs.ok("create", "-V", "1M", "tank/v")
    assert not_received(zfs, one, "tank/v/x") == (
        "cannot receive new filesystem stream: parent 'tank/v' is not a filesystem"
    )


def test_what_is_there_is_only_overwritten_with_force(zfs: Zfs) -> None:
    data = stream(zfs, "zroot/a@one")
    zfs.ok("create", "-o", "x:y=kept", "tank/a")
    poke(zfs.path("tank/a") / "mine", "mine")
    assert not_received(zfs, data, "tank/a") == (
        "cannot receive new filesystem stream: destination 'tank/a' exists\nmust specify -F to overwrite it"
    )
    received(zfs, data, "-F", "tank/a")
    assert contents(zfs, "tank/a") == contents(zfs, "zroot/a@one")
    assert zfs.value("x:y", "tank/a") == "kept"
    assert not_received(zfs, stream(zfs, "zroot/a/b@one"), "-F", "tank/a") == (
        "cannot receive new filesystem stream: destination has snapshots (eg. tank/a@one)\n"
        "must destroy them to overwrite it"
    )


def test_an_increment_needs_its_base_untouched_at_the_end(zfs: Zfs) -> None:
    received(zfs, stream(zfs, "zroot/a@one"), "tank/a")
    increment = stream(zfs, "-i", "@one", "zroot/a@two")
    assert not_received(zfs, increment, "tank/none") == (
        "cannot receive incremental stream: destination 'tank/none' does not exist"
    )
    poke(zfs.path("tank/a") / "mine", "mine")
    assert not_received(zfs, increment, "tank/a") == (
        "cannot receive incremental stream: destination tank/a has been modified\nsince most recent snapshot"
    )
    zfs.ok("snapshot", "tank/a@mine")
    assert not_received(zfs, increment, "tank/a") == (
        "cannot receive incremental stream: most recent snapshot of tank/a does not\nmatch incremental source"
    )
    received(zfs, increment, "-F", "tank/a")
    assert zfs.names("-t", "snapshot", "-r", "tank") == ["tank/a@one", "tank/a@two"]
    assert contents(zfs, "tank/a") == contents(zfs, "zroot/a@two")
    # Once more is no mistake: what is there is passed over.
    assert received(zfs, increment, "-v", "tank/a").endswith("snap tank/a@two already exists; ignoring\n")
    zfs.ok("rollback", "-r", "tank/a@one")
    zfs.ok("snapshot", "tank/a@two")
    assert not_received(zfs, increment, "-F", "tank/a") == "cannot restore to tank/a@two: destination already exists"


def test_an_incremental_package_brings_all_in_between(zfs: Zfs) -> None:
    received(zfs, stream(zfs, "-R", "zroot/a@one"), "tank/a")
    zfs.ok("snapshot", "-r", "zroot/a@three")
    received(zfs, stream(zfs, "-R", "-I", "@one", "zroot/a@three"), "tank/a")
    assert rows(zfs, "tank/a") == rows(zfs, "zroot/a")
    received(zfs, stream(zfs, "zroot/a@one"), "tank/single")
    received(zfs, stream(zfs, "-I", "zroot/a@one", "zroot/a@three"), "tank/single")
    assert zfs.names("-t", "snapshot", "-r", "tank/single") == [f"tank/single@{tag}" for tag in ("one", "two", "three")]


def test_a_forced_replica_loses_what_the_sender_has_no_longer(zfs: Zfs) -> None:
    received(zfs, stream(zfs, "-R", "zroot/a@two"), "tank/a")
    zfs.ok("destroy", "-r", "zroot/a@one")
    zfs.ok("destroy", "-r", "zroot/a/v")
    zfs.ok("rename", "zroot/a/b", "zroot/a/c")
    zfs.ok("snapshot", "-r", "zroot/a@three")
    received(zfs, stream(zfs, "-R", "-i", "@two", "zroot/a@three"), "-F", "tank/a")
    found = zfs.names("-t", "all", "-r", "tank/a")
    assert [name.removeprefix("tank") for name in found] == [
        name.removeprefix("zroot") for name in zfs.names("-t", "all", "-r", "zroot/a")
    ]


def test_clones_arrive_as_clones_where_their_origin_is(zfs: Zfs) -> None:
    zfs.ok("clone", "zroot/a/v@one", "zroot/a/w")
    poke(zfs.device("zroot/a/w"), "mine")
    zfs.ok("snapshot", "-r", "zroot/a@three")
    received(zfs, stream(zfs, "-R", "zroot/a@three"), "tank/a")
    assert zfs.value("origin", "tank/a/w") == "tank/a/v@one"
    assert peek(zfs.device("tank/a/w"), 4) == "mine"
    alone = stream(zfs, "-i", "zroot/a/v@one", "zroot/a/w@three")
    received(zfs, alone, "tank/other")
    assert zfs.value("origin", "tank/other") == "tank/a/v@one"
    zfs.ok("destroy", "-r", "tank/other")
    zfs.ok("destroy", "-R", "tank/a")
    assert (
        not_received(zfs, alone, "tank/other")
        == "cannot receive: local origin for clone tank/other@three does not exist"
    )
    received(zfs, stream(zfs, "zroot/a/w@three"), "tank/other")
    assert zfs.value("origin", "tank/other") == "-"


def test_holds_come_along_and_datasets_stay_behind_when_asked(zfs: Zfs) -> None:
    zfs.ok("hold", "keep", "zroot/a@one")
    received(zfs, stream(zfs, "-R", "-h", "-X", "zroot/a/b", "zroot/a@one"), "tank/a")
    assert zfs.names("-r", "tank/a") == ["tank/a", "tank/a/v"]
    assert zfs.value("userrefs", "tank/a@one") == "1"
    received(zfs, stream(zfs, "-R", "-h", "zroot/a@one"), "-h", "tank/b")
    assert zfs.value("userrefs", "tank/b@one") == "0"
    assert zfs.refused("send", "-n", "-X", "zroot/a/b", "zroot/a@one").startswith("Cannot specify dataset exclusion")


def test_what_was_received_is_sent_on_without_what_was_set_here(zfs: Zfs) -> None:
    received(zfs, stream(zfs, "-p", "zroot/a@one"), "tank/a")
    zfs.ok("set", "x:y=mine", "x:own=1", "tank/a")
    received(zfs, stream(zfs, "-b", "tank/a@one"), "tank/b")
    assert (zfs.value("x:y", "tank/b"), zfs.value("x:own", "tank/b")) == ("1", "-")


def test_a_stream_can_begin_at_a_bookmark(zfs: Zfs) -> None:
    received(zfs, stream(zfs, "zroot/a@one"), "tank/a")
    zfs.ok("bookmark", "zroot/a@one", "zroot/a#one")
    zfs.ok("destroy", "zroot/a@one")
    received(zfs, stream(zfs, "-i", "#one", "zroot/a@two"), "tank/a")
    assert contents(zfs, "tank/a") == contents(zfs, "zroot/a@two")


def test_the_size_is_told_before(zfs: Zfs) -> None:
    with open(zfs.device("zroot/a/v"), "r+b") as volume:
        volume.write(b"x" * (1 << 20))
    zfs.ok("snapshot", "-r", "zroot/a@three")
    full, increment = "full\tzroot/a/v@three\t1049200\n", "incremental\tzroot/a/v@two\tzroot/a/v@three\t1049200\n"
    assert zfs.ok("send", "-nP", "zroot/a/v@three") == f"{full}size\t1049200\n"
    assert zfs.ok("send", "-nP", "-i", "@two", "zroot/a/v@three") == f"{increment}size\t1049200\n"
    package = zfs.ok("send", "-nPR", "zroot/a@three").splitlines()
    assert [line.split("\t")[:-1] for line in package[-4:]] == [
        ["full", "zroot/a/v@one"],
        ["incremental", "one", "zroot/a/v@two"],
        ["incremental", "two", "zroot/a/v@three"],
        ["size"],
    ]
    assert int(package[-1].split("\t")[1]) == sum(int(line.split("\t")[-1]) for line in package[:-1])
    assert zfs.ok("send", "-nv", "-i", "@two", "zroot/a/v@three") == (
        "send from zroot/a/v@two to zroot/a/v@three estimated size is 1.00M\ntotal estimated size is 1.00M\n"
    )
    assert zfs.ok("send", "-n", "zroot/a@one") == ""
    sent = send(zfs, "-P", "zroot/a/v@three")
    assert sent.err == f"{full}size\t1049200\n"


def test_the_way_is_told_every_second(zfs: Zfs) -> None:
    with open(zfs.device("zroot/a/v"), "r+b") as volume:
        volume.write(_NOISE)
    zfs.ok("snapshot", "zroot/a/v@three")
    with subprocess.Popen(program(zfs, "send", "-vP", "zroot/a/v@three"), stdout=-1, stderr=-1, text=False) as sender:
        assert sender.stdout and sender.stderr
        lines = [sender.stderr.readline().decode() for _ in range(3)]
        clock, count, name = lines[2].rstrip("\n").split("\t")
        time.strptime(clock, "%H:%M:%S")
        assert (name, int(count) >= 0) == ("zroot/a/v@three", True)
        sender.stdout.read()
    plain = send(zfs, "-v", "zroot/a/v@three")
    assert plain.err.splitlines()[2:3] == ["TIME        SENT   SNAPSHOT zroot/a/v@three"]


def test_what_cannot_be_sent(zfs: Zfs) -> None:
    assert zfs.refused("send", "-n", "zroot/a@none") == "cannot open 'zroot/a@none': dataset does not exist"
    assert zfs.refused("send", "-nR", "zroot/a@none") == "cannot open 'zroot/a@none': dataset does not exist"
    assert zfs.refused("send", "-n", "-i", "@none", "zroot/a@two") == (
        "cannot open 'zroot/a@none': dataset does not exist"
    )
    assert zfs.refused("send", "-n", "-i", "@two", "zroot/a@one") == (
        "warning: cannot send 'zroot/a@one': not an earlier snapshot from the same fs"
    )
    assert zfs.refused("send", "-n", "-i", "zroot/a/b@one", "zroot/a@two") == (
        "warning: cannot send 'zroot/a@two': not an earlier snapshot from the same fs"
    )
    assert zfs.refused("send", "-n", "-I", "@two", "zroot/a@one") == (
        "WARNING: could not send zroot/a@one:\nincremental source (zroot/a@two) does not exist"
    )
    assert zfs.refused("send", "zroot/a") == (
        "warning: cannot send 'zroot/a': target is busy; if a filesystem, it must not be mounted"
    )
    assert zfs.refused("send", "-nR", "zroot/a") == "Error: Unsupported flag with filesystem or bookmark."
    zfs.ok("destroy", "zroot/a/b@two")
    assert zfs.refused("send", "-nR", "zroot/a@two") == (
        "cannot send zroot/a@two recursively: snapshot zroot/a/b@two does not exist\n"
        "warning: cannot send 'zroot/a': backup failed"
    )
    said = zfs("send", "-nsRP", "zroot/a@two")
    assert said.err == "WARNING: skipping dataset zroot/a/b and its children: snapshot two does not exist\n"
    assert zfs.misused("send") == "missing snapshot argument"
    assert zfs.misused("send", "zroot/a@one", "zroot/a@two") == "too many arguments"
    assert zfs.misused("send", "-Z", "zroot/a@one") == "invalid option 'Z'"
    assert zfs.misused("receive") == "missing snapshot argument"
    assert zfs.misused("receive", "-d", "-e", "tank").startswith("invalid option combination")


def test_a_file_system_that_is_not_mounted_is_sent_as_it_is(zfs: Zfs) -> None:
    zfs.ok("unmount", "zroot/a/b")
    received(zfs, stream(zfs, "zroot/a/b"), "tank/b")
    assert zfs.names("-t", "snapshot", "-r", "tank") == ["tank/b@--head--"]


def test_the_options_for_what_the_lab_has_not_change_nothing(zfs: Zfs) -> None:
    received(zfs, stream(zfs, "-wcLe", "zroot/a@one"), "tank/a")
    assert contents(zfs, "tank/a") == contents(zfs, "zroot/a@one")


def test_garbage_is_no_stream(zfs: Zfs) -> None:
    data = stream(zfs, "zroot/a@one")
    assert not_received(zfs, b"", "tank/a") == "cannot receive: failed to read from stream"
    assert not_received(zfs, _GARBAGE, "tank/a") == "cannot receive: invalid stream (bad magic number)"
    spoiled = bytearray(data)
    spoiled[len(data) - 700] ^= 1
    assert not_received(zfs, bytes(spoiled), "tank/a") == "cannot receive new filesystem stream: checksum mismatch"
    spoiled = bytearray(data)
    spoiled[100] ^= 1
    assert not_received(zfs, bytes(spoiled), "tank/a") == "cannot receive: incorrect header checksum"


def test_a_stream_that_is_cut_off_leaves_nothing(zfs: Zfs) -> None:
    for words in (("zroot/a@one",), ("-p", "zroot/a/v@one"), ("zroot/a/v@one",)):
        data = stream(zfs, *words)
        for length in (len(data) - 1, len(data) // 2, 400):
            said = receive(zfs, data[:length], "tank/a")
            if words[0] == "-p" and length == len(data) - 1:
                # Only the end of the package was missing: the snapshot has come in whole, as with OpenZFS.
                assert said.status == 1 and zfs.names("-t", "snapshot", "-r", "tank") == ["tank/a@one"]
                zfs.ok("destroy", "-r", "tank/a")
                continue
            assert said.status == 1 and "tank/a" not in zfs.names(), said
    received(zfs, stream(zfs, "zroot/a@one"), "tank/a")
    increment = stream(zfs, "-i", "@one", "zroot/a@two")
    assert not_received(zfs, increment[:-50], "tank/a") == "cannot receive incremental stream: incomplete stream"


def cut(zfs: Zfs, data: bytes, *words: str) -> str:
    """Receive what is not all of a stream, to be completed; the token."""
    said = receive(zfs, data, "-s", *words)
    assert said.status == 1 and "Partially received snapshot is saved." in said.err, said
    token = zfs.value("receive_resume_token", words[-1])
    assert said.err.rstrip().endswith(f"zfs send -t {token}")
    assert disagreements(zfs) == []
    return token


def test_a_reception_is_taken_up_again(zfs: Zfs) -> None:
    with open(zfs.device("zroot/a/v"), "r+b") as volume:
        volume.write(_NOISE)
    for name in "pqr":
        poke(zfs.path("zroot/a") / name, name * 100_000)
    zfs.ok("snapshot", "-r", "zroot/a@three")
    for name in ("zroot/a", "zroot/a/v"):
        data = stream(zfs, f"{name}@three")
        token = cut(zfs, data[: len(data) // 2], "tank/x")
        assert zfs.names("-r", "tank") == ["tank", "tank/x"]
        assert not_received(zfs, data, "tank/x").endswith("must specify -F to overwrite it")
        rest = stream(zfs, "-t", token)
        assert len(rest) < len(data)
        further = cut(zfs, rest[: len(rest) - 400], "tank/x")
        received(zfs, stream(zfs, "-t", further), "-s", "tank/x")
        assert contents(zfs, "tank/x") == contents(zfs, "tank/x@three") == contents(zfs, f"{name}@three")
        assert zfs.value("receive_resume_token", "tank/x") == "-"
        assert rows(zfs, "tank/x")[0][1:] == next(row for row in rows(zfs, name) if row[0] == "@three")[1:]
        zfs.ok("destroy", "-r", "tank/x")


def test_an_increment_is_taken_up_again_or_given_up(zfs: Zfs) -> None:
    received(zfs, stream(zfs, "zroot/a/v@one"), "tank/v")
    with open(zfs.device("zroot/a/v"), "r+b") as volume:
        volume.write(_NOISE)
    zfs.ok("snapshot", "zroot/a/v@three")
    data = stream(zfs, "-i", "@one", "zroot/a/v@three")
    token = cut(zfs, data[: len(data) // 2], "tank/v")
    assert peek(zfs.device("tank/v"), 3) == "old"
    assert not_received(zfs, data, "tank/v") == (
        'cannot receive incremental stream: destination tank/v contains partially-complete state from "zfs receive -s".'
    )
    received(zfs, stream(zfs, "-t", token), "-s", "tank/v")
    assert zfs.device("tank/v").read_bytes() == zfs.device("zroot/a/v").read_bytes()
    zfs.ok("rollback", "-r", "tank/v@one")
    cut(zfs, data[: len(data) // 2], "tank/v")
    zfs.ok("receive", "-A", "tank/v")
    assert zfs.value("receive_resume_token", "tank/v") == "-"
    assert zfs.refused("receive", "-A", "tank/v") == "'tank/v' does not have any resumable receive state to abort"
    cut(zfs, stream(zfs, "zroot/a/v@three")[:2_000_000], "tank/new")
    zfs.ok("receive", "-A", "tank/new")
    assert "tank/new" not in zfs.names() and disagreements(zfs) == []


def not_resumed(zfs: Zfs, token: str) -> str:
    said = zfs("send", "-nt", token)
    assert (said.status, said.out) == (255, "")
    return said.err.rstrip("\n")


def test_tokens_that_are_none(zfs: Zfs) -> None:
    token = cut(zfs, stream(zfs, "zroot/a@one")[:-500], "tank/a")
    corrupt = "cannot resume send: resume token is corrupt"
    assert not_resumed(zfs, "nonsense") == f"{corrupt} (invalid format)"
    assert not_resumed(zfs, token[:-2]) == f"{corrupt} (incorrect checksum)"
    assert zfs.misused("send", "-nt", token, "zroot/a@one") == "too many arguments"
    zfs.ok("destroy", "zroot/a@one")
    assert not_resumed(zfs, token) == ("cannot resume send: 'zroot/a@one' used in the initial send no longer exists")
    zfs.ok("snapshot", "zroot/a@one")
    assert not_resumed(zfs, token) == (
        "cannot resume send: 'zroot/a@one' is no longer the same snapshot used in the initial send"
    )


def test_a_dry_reception_tells_and_changes_nothing(zfs: Zfs) -> None:
    before = zfs.everything()
    said = received(zfs, stream(zfs, "-p", "zroot/a@one"), "-nv", "tank/a")
    assert said == "would receive full stream of zroot/a@one into tank/a@one\n"
    # OpenZFS looks for the parents of what it would receive, too.
    assert not_received(zfs, stream(zfs, "-R", "zroot/a@one"), "-n", "tank/a").startswith("cannot open 'tank/a'")
    assert zfs.everything() == before


def test_a_sender_whose_receiver_is_gone_says_so(zfs: Zfs) -> None:
    with open(zfs.device("zroot/a/v"), "r+b") as volume:
        volume.write(_NOISE)
    zfs.ok("snapshot", "zroot/a/v@three")
    with subprocess.Popen(program(zfs, "send", "zroot/a/v@three"), stdout=-1, stderr=-1) as sender:
        assert sender.stdout and sender.stderr
        sender.stdout.read(1000)
        sender.stdout.close()
        assert sender.stderr.read().decode() == "warning: cannot send 'zroot/a/v@three': Broken pipe\n"
    assert sender.returncode == 1


def test_a_snapshot_that_is_being_sent_stays(zfs: Zfs) -> None:
    with open(zfs.device("zroot/a/v"), "r+b") as volume:
        volume.write(_NOISE)
    zfs.ok("snapshot", "zroot/a/v@three")
    with subprocess.Popen(program(zfs, "send", "zroot/a/v@three"), stdout=-1) as sender:
        assert sender.stdout
        sender.stdout.read(1000)
        assert zfs.refused("destroy", "zroot/a/v@three") == "cannot destroy snapshot zroot/a/v@three: dataset is busy"
        sender.stdout.read()
    zfs.ok("destroy", "zroot/a/v@three")


def test_others_change_the_pool_while_a_stream_comes_in(zfs: Zfs) -> None:
    data = stream(zfs, "zroot/a@one")
    with subprocess.Popen(program(zfs, "receive", "tank/a"), stdin=-1) as receiver:
        assert receiver.stdin
        receiver.stdin.write(data[:-100])
        receiver.stdin.flush()
        zfs.ok("create", "tank/meanwhile")
        receiver.stdin.write(data[-100:])
    assert receiver.returncode == 0
    assert zfs.names("-r", "tank") == ["tank", "tank/a", "tank/meanwhile"]
    assert disagreements(zfs) == []


def test_a_killed_reception_leaves_nothing_or_what_can_be_taken_up(zfs: Zfs) -> None:
    with open(zfs.device("zroot/a/v"), "r+b") as volume:
        volume.write(_NOISE)
    zfs.ok("snapshot", "zroot/a/v@three")
    data = stream(zfs, "zroot/a/v@three")
    before = picture(zfs)
    for words in (("tank/v",), ("-s", "tank/v")):
        with subprocess.Popen(program(zfs, "receive", *words), stdin=-1) as receiver:
            assert receiver.stdin
            receiver.stdin.write(data[: 2 << 20])
            receiver.stdin.flush()
            while words[0] == "-s" and zfs("get", "-H", "-o", "value", "receive_resume_token", "tank/v").out in (
                "",
                "-\n",
            ):
                time.sleep(0.01)
            receiver.send_signal(signal.SIGKILL)
        zfs.ok("set", "x:any=1", "zroot/a/b")
        zfs.ok("inherit", "x:any", "zroot/a/b")
        assert disagreements(zfs) == []
        if words[0] == "tank/v":
            assert picture(zfs) == before
    received(zfs, stream(zfs, "-t", zfs.value("receive_resume_token", "tank/v")), "tank/v")
    assert zfs.device("tank/v").read_bytes() == zfs.device("zroot/a/v").read_bytes()


class _Stream:
    """Standard input that is a file, opened anew by each process that reads it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def buffer(self) -> object:
        return open(self._file, "rb")


@pytest.mark.parametrize("words", [("zroot/a@one",), ("-i", "@one", "zroot/a@two")], ids=" ".join)
def test_a_reception_is_whole_or_not_at_all_wherever_it_is_killed(
    zfs: Zfs, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    keep = tmp_path_factory.mktemp("keep")
    if words[0] == "-i":
        received(zfs, stream(zfs, "zroot/a@one"), "-u", "tank/a")
    (keep / "stream").write_bytes(stream(zfs, *words))
    monkeypatch.setattr(sys, "stdin", _Stream(keep / "stream"))
    shutil.copytree(zfs.lab.top, keep / "lab", symlinks=True, ignore=shutil.ignore_patterns("keep*"))
    before, moment, outcomes = picture(zfs), 1, list[bool]()
    while killed(zfs, moment, "zfs", ("receive", "-u", "tank/a")):
        found = picture(zfs)
        outcomes.append(found != before)
        zfs("inherit", "x:none", "zroot")
        assert disagreements(zfs) == [], f"killed at {moment}"
        assert picture(zfs) == found
        shutil.rmtree(zfs.lab.top)
        shutil.copytree(keep / "lab", zfs.lab.top, symlinks=True)
        moment += 1 if moment < 8 else 7
    after = picture(zfs)
    assert moment > 1 and outcomes[0] is False and outcomes == sorted(outcomes)
    assert contents(zfs, "tank/a") == contents(zfs, f"zroot/a@{words[-1][-3:]}")
    assert after != before
