"""Locks, between processes that really hold them."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.errors import Busy, ChyvesError
from chyves.host.locks import Locks

HOLDER = """
import pathlib, sys
from chyves.host.locks import Locks
locks = Locks(pathlib.Path(sys.argv[1]))
sys.argv[:] = ["/usr/local/sbin/chyves", "web1", "start"]
with locks.hold(*{names!r}):
    print("held", flush=True)
    sys.stdin.read()
"""

Other = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    """Starts processes that hold locks until their stdin is closed or they are killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*names: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLDER.format(names=names), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        assert child.stdout and child.stdout.readline() == "held\n"
        return child

    yield start
    for child in started:
        child.kill()
        with child:
            pass


def test_a_lock_that_another_holds_is_refused_and_names_it(tmp_path: Path, other: Other) -> None:
    child = other("guest.web1")
    message = f"web1: is being changed by process {child.pid} (chyves web1 start); wait for it, or end it"
    with pytest.raises(Busy) as caught, Locks(tmp_path).hold("guest.web1", wait=0):
        pass
    assert str(caught.value) == message
    assert caught.value.status == 75


def test_the_message_for_the_host_and_for_a_running_guest(tmp_path: Path, other: Other) -> None:
    child = other("host", "running.web1")
    busy = rf"^this host: is being changed by process {child.pid} "
    with pytest.raises(Busy, match=busy), Locks(tmp_path).hold("host", wait=0):
        pass
    with pytest.raises(Busy, match=rf"^web1: is being run by process {child.pid} \(.*\); stop it first$"):
        Locks(tmp_path).take("running.web1")


def test_the_lock_is_waited_for(tmp_path: Path, other: Other) -> None:
    child = other("guest.web1")
    assert child.stdin
    child.stdin.close()
    with Locks(tmp_path).hold("guest.web1", wait=60):
        assert Locks(tmp_path).holder("guest.web1") == os.getpid()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path, other: Other) -> None:
    child = other("guest.web1")
    assert Locks(tmp_path).holder("guest.web1") == child.pid
    child.kill()
    child.wait()
    assert Locks(tmp_path).holder("guest.web1") is None
    with Locks(tmp_path).hold("guest.web1", wait=0):
        assert Locks(tmp_path).holder("guest.web1") == os.getpid()


def test_the_file_stays_and_another_guest_is_free(tmp_path: Path, other: Other) -> None:
    other("guest.web1")
    locks = Locks(tmp_path)
    with locks.hold("guest.web", "guest.web11", wait=0):
        pass
    assert locks.holder("guest.web") is None
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "guest.web.lock",
        "guest.web1.lock",
        "guest.web11.lock",
    ]


def test_a_name_held_by_this_process_is_not_waited_for(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    with locks.hold("host"):
        with locks.hold("host", "guest.a", wait=0):
            pass
        assert locks.holder("host") == os.getpid()
        assert locks.holder("guest.a") is None
    assert locks.holder("host") is None


def test_when_one_of_several_is_busy_none_is_kept(tmp_path: Path, other: Other) -> None:
    other("guest.b")
    locks = Locks(tmp_path)
    with pytest.raises(Busy), locks.hold("guest.c", "guest.a", "guest.b", wait=0):
        pass
    assert locks.holder("guest.a") is None
    assert not (tmp_path / "guest.c.lock").exists()


def test_a_fault_inside_drops_the_lock(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    with pytest.raises(ZeroDivisionError), locks.hold("host"):
        raise ZeroDivisionError
    assert locks.holder("host") is None
    with locks.hold("host", wait=0):
        pass


def test_take_holds_until_the_descriptor_is_closed_and_is_not_inherited(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    descriptor = locks.take("running.web1")
    assert locks.holder("running.web1") == os.getpid()
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    assert locks.holder("running.web1") is None


def test_take_outwaits_a_reader(tmp_path: Path) -> None:
    """A reader that looks who has the lock holds it shared for an instant."""
    import fcntl
    import threading

    locks = Locks(tmp_path)
    os.close(locks.take("running.web1"))
    reader = os.open(tmp_path / "running.web1.lock", os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    threading.Timer(0.2, os.close, [reader]).start()
    os.close(locks.take("running.web1"))


def test_a_missing_directory_is_no_holder_and_is_made_with_its_mode_by_a_lock(tmp_path: Path) -> None:
    locks = Locks(tmp_path / "run" / "chyves")
    assert locks.holder("host") is None
    before = os.umask(0o077)
    try:
        with locks.hold("host"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(locks.directory.stat().st_mode) == 0o755
    assert stat.S_IMODE((locks.directory / "host.lock").stat().st_mode) == 0o644


def test_a_reader_needs_no_right_to_write(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    with locks.hold("host"):
        (tmp_path / "host.lock").chmod(0o444)
        tmp_path.chmod(0o555)
        try:
            assert locks.holder("host") == os.getpid()
        finally:
            tmp_path.chmod(0o755)


def test_a_place_that_cannot_have_locks_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = r"file/host\.lock: cannot be locked: "
    with pytest.raises(ChyvesError, match=told), Locks(tmp_path / "file").hold("host"):
        pass


def test_a_lock_held_by_a_stranger_is_told_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr("chyves.host.locks.GLANCE", 0.1)
    with open(tmp_path / "host.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ChyvesError, match="is locked by another program"):
            Locks(tmp_path).holder("host")
        with pytest.raises(Busy, match=r"^this host: is being changed by another process; "):
            Locks(tmp_path).take("host")


def test_a_dry_run_locks_nothing(tmp_path: Path, other: Other) -> None:
    other("host")
    with Locks(tmp_path / "new", dry=True).hold("host", "guest.a", wait=0):
        assert not (tmp_path / "new").exists()
    with Locks(tmp_path, dry=True).hold("host", wait=0):
        pass


def test_a_queue_that_moves_is_waited_for_and_one_that_hangs_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    now, lock = 0.0, tmp_path / "all.lock"

    def sleep(seconds: float) -> None:
        """Let time pass, in which the lock goes from one process to the next, but for the last, which keeps it."""
        nonlocal now
        now += seconds
        lock.write_text(f"{int(min(now, 60) / 20) + 1}\nchyves create\n")

    monkeypatch.setattr("chyves.host.locks.time.monotonic", lambda: now)
    monkeypatch.setattr("chyves.host.locks.time.sleep", sleep)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Busy, match=r"process 4 \(chyves create\)"), Locks(tmp_path).hold("all"):
            pass
    assert 90 < now < 91


def test_who_takes_the_lock_again_knows_whether_another_had_it(tmp_path: Path, other: Other) -> None:
    locks = Locks(tmp_path)
    known = []
    for between in (None, None, "all", None, "guest.a", "kill"):
        if between is not None:
            child = other("all" if between == "kill" else between)
            assert child.stdin
            child.kill() if between == "kill" else child.stdin.close()
            child.wait()
        with locks.hold("all", "guest.a"):
            known.append(locks.undisturbed())
    assert known == [False, True, False, True, True, False]
    assert locks.holder("all") is None
    assert (tmp_path / "guest.a.lock").read_text() == ""


def test_a_mark_that_cannot_be_left_is_as_if_another_had_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    locks = Locks(tmp_path)
    with locks.hold("all"):
        monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.undo()
    with locks.hold("all"):
        assert not locks.undisturbed()


def test_a_lock_is_dropped_also_where_a_full_disk_keeps_the_words_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    locks = Locks(tmp_path)
    with locks.hold("all", "guest.web1"):
        monkeypatch.setattr(os, "ftruncate", full)
    monkeypatch.undo()
    assert (locks.holder("all"), locks.holder("guest.web1")) == (None, None)
    with locks.hold("all", wait=0):
        assert not locks.undisturbed()
