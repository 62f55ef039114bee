"""The relay of a console on pseudo-terminals, which stand for the null-modem pairs, and the file it keeps."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.host import recorder
from chyves.host.recorder import WAITING, Recorder
from chyves.host.rotation import RotatedFile
from chyves.host.run import PLACES, Runner

TRIES = 600


@dataclass
class Ends:
    """What bhyve and cu hold, and the paths of the ends between them."""

    bhyve: int
    cu: int
    guest: Path
    user: Path


@pytest.fixture
def ends() -> Iterator[Ends]:
    (bhyve, guest), (cu, user) = os.openpty(), os.openpty()
    for end in (guest, user):
        tty.setraw(end)
    yield Ends(bhyve, cu, Path(os.ttyname(guest)), Path(os.ttyname(user)))
    for descriptor in (bhyve, guest, cu, user):
        os.close(descriptor)


@dataclass
class Kept:
    """A relay, its file, and what it said."""

    recorder: Recorder
    path: Path
    told: list[str]

    def end(self) -> None:
        if self.recorder.alive:
            self.recorder.stop()


Keep = Callable[..., Kept]


@pytest.fixture
def keep(ends: Ends, tmp_path: Path) -> Iterator[Keep]:
    """Starts a relay: `keep(size=100, old=2)`."""
    begun: list[Kept] = []

    def begin(size: int = 1 << 20, old: int = 3, path: Path = tmp_path / "console.log") -> Kept:
        told: list[str] = []
        opened = recorder.ends(Runner({"HOME": "/"}, PLACES), ends.guest, ends.user)
        relay = Recorder(*opened, RotatedFile(path, size, old, told.append), told.append)
        begun.append(Kept(relay, path, told))
        return begun[-1]

    yield begin
    for kept in begun:
        kept.end()


def until(what: Callable[[], bool]) -> None:
    for _ in range(TRIES):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("did not come about")


def read(descriptor: int, length: int) -> bytes:
    """That many bytes, or what there is when no more come."""
    data = b""
    while len(data) < length and select.select([descriptor], [], [], 30)[0]:
        data += os.read(descriptor, length - len(data))
    return data


def test_every_byte_goes_both_ways_unchanged_and_the_guests_are_kept(ends: Ends, keep: Keep) -> None:
    kept = keep()
    every = bytes(range(256))
    os.write(ends.bhyve, every)
    assert read(ends.cu, 256) == every
    os.write(ends.cu, every)
    assert read(ends.bhyve, 256) == every
    kept.end()
    assert kept.path.read_bytes() == every
    assert kept.path.stat().st_mode & 0o777 == 0o600


def test_a_user_who_does_not_read_never_holds_up_the_guest(ends: Ends, keep: Keep) -> None:
    kept = keep()
    line = b"x" * 1023 + b"\n"
    for _ in range(200):
        os.write(ends.bhyve, line)  # would block for ever once all buffers are full
    until(lambda: kept.path.exists() and kept.path.stat().st_size == 200 * 1024)
    os.write(ends.bhyve, b"the last words")
    seen = b""
    while not seen.endswith(b"the last words"):
        new = read(ends.cu, 1)
        assert new
        seen += new
    assert len(seen) < 200 * 1024
    assert len(seen) >= WAITING


def test_a_guest_that_does_not_read_loses_nothing_that_is_typed_and_the_relay_sleeps(ends: Ends, keep: Keep) -> None:
    keep()
    os.set_blocking(ends.cu, False)
    sent = b""
    idle = 0
    while idle < 20:  # until the line is full up to the keyboard
        try:
            sent += b"k" * os.write(ends.cu, b"k" * 512)
            idle = 0
        except BlockingIOError:
            idle += 1
            time.sleep(0.05)
    before = time.process_time()
    time.sleep(1)
    assert time.process_time() - before < 0.5
    os.write(ends.bhyve, b"still here")
    assert read(ends.cu, 10) == b"still here"
    assert read(ends.bhyve, len(sent)) == sent


def test_signals_wake_the_thread_that_handles_them(keep: Keep) -> None:
    """The supervisor's main thread sleeps while bhyve runs; a signal must reach it."""
    kept = keep()
    assert kept.recorder.alive
    pending: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: pending.append(number))
    try:
        (recorder,) = (thread for thread in threading.enumerate() if thread.name == "recorder")
        assert recorder.ident is not None
        signal.pthread_kill(recorder.ident, signal.SIGUSR1)  # stays pending there, for ever
        time.sleep(0.2)
        assert not pending
        os.kill(os.getpid(), signal.SIGUSR1)
        assert pending == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_last_words_are_kept(ends: Ends, keep: Keep) -> None:
    kept = keep()
    os.write(ends.bhyve, b"Power down.\r\n")
    kept.end()
    assert kept.path.read_bytes() == b"Power down.\r\n"


def test_files_are_put_aside_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    told: list[str] = []
    file = RotatedFile(tmp_path / "console.log", 10, 2, told.append)
    for number in range(5):
        file.write(f"{number}2345678".encode())
    file.close()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"console.log": "42345678", "console.log.1": "32345678", "console.log.2": "22345678"}
    assert not told


def test_fewer_old_ones_than_before_are_kept_when_fewer_are_wanted(tmp_path: Path) -> None:
    for number in (1, 2, 3, 12):
        (tmp_path / f"console.log.{number}").write_text(str(number))
    (tmp_path / "console.log.note").write_text("not ours")
    file = RotatedFile(tmp_path / "console.log", 10, 1, pytest.fail)
    file.write(b"12345678")
    file.write(b"abcdefgh")
    file.close()
    assert {path.name for path in tmp_path.iterdir()} == {"console.log", "console.log.1", "console.log.note"}


def test_without_old_ones_the_file_begins_anew(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "console.log", 10, 0, pytest.fail)
    file.write(b"12345678")
    file.write(b"abcdefgh")
    file.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"console.log": "abcdefgh"}


def test_a_file_that_was_there_is_added_to_up_to_its_size(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_text("12345")
    file = RotatedFile(tmp_path / "console.log", 10, 1, pytest.fail)
    file.write(b"678")
    file.write(b"abc")
    file.close()
    assert (tmp_path / "console.log").read_text() == "abc"
    assert (tmp_path / "console.log.1").read_text() == "12345678"


def test_a_full_disk_stops_nothing_and_is_told_once(ends: Ends, keep: Keep) -> None:
    kept = keep(path=Path("/dev/full"))
    for word in (b"one", b"two"):
        os.write(ends.bhyve, word)
        assert read(ends.cu, 3) == word
    assert kept.told == ["/dev/full cannot be written: No space left on device; the console itself goes on"]


def test_a_directory_that_comes_back_is_written_again(ends: Ends, keep: Keep, tmp_path: Path) -> None:
    kept = keep(path=tmp_path / "logs" / "console.log")
    os.write(ends.bhyve, b"lost")
    assert read(ends.cu, 4) == b"lost"
    (tmp_path / "logs").mkdir()
    os.write(ends.bhyve, b"kept")
    assert read(ends.cu, 4) == b"kept"
    until(lambda: kept.path.exists() and kept.path.read_bytes() == b"kept")
    assert len(kept.told) == 1


def test_an_end_that_cannot_be_opened_is_a_sentence(tmp_path: Path, ends: Ends) -> None:
    (tmp_path / "nmdm50A").mkdir()
    with pytest.raises(ChyvesError, match=r"nmdm50A: cannot be opened: Is a directory; is nmdm loaded\?"):
        recorder.ends(Runner({"HOME": "/"}, PLACES), ends.guest, tmp_path / "nmdm50A")
