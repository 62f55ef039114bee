"""Null-modem pairs, and cu on them (reference, section 3)."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from chyves.lab import nmdm
from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
Opened = Callable[[str], int]

LONG_ENOUGH = 60.0


@pytest.fixture
def opened(lab: Lab, program: Program) -> Iterator[Opened]:
    """Opens ends; they are closed after the test."""
    program("kldload", "-n", "nmdm")
    descriptors: list[int] = []

    def open_end(name: str) -> int:
        descriptors.append(nmdm.open_end(lab, name))
        return descriptors[-1]

    yield open_end
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass  # the test closed it


@pytest.fixture
def cu(lab: Lab, opened: Opened) -> Iterator[Callable[..., pexpect.spawn]]:
    """Starts cu on a terminal."""
    started: list[pexpect.spawn] = []

    def start(*words: str) -> pexpect.spawn:
        started.append(pexpect.spawn(str(lab.bin / "cu"), list(words), timeout=LONG_ENOUGH))
        return started[-1]

    yield start
    for child in started:
        child.close(force=True)


def received(descriptor: int, length: int) -> bytes:
    """That many bytes, however they come."""
    data = b""
    while len(data) < length:
        assert select.select([descriptor], [], [], LONG_ENOUGH)[0], data
        more = os.read(descriptor, length - len(data))
        assert more, "the line was hung up"
        data += more
    return data


@pytest.mark.parametrize("tag", ["0", "57", "-web1.1", "a1b2c3d4-0000", "AB"])
def test_bytes_cross(opened: Opened, lab: Lab, tag: str) -> None:
    """Any tag will do; nothing is changed on the way, in either direction."""
    a, b = opened(f"/dev/nmdm{tag}A"), opened(f"nmdm{tag}B")
    every = bytes(range(256))
    os.write(a, every)
    assert received(b, 256) == every
    os.write(b, every)
    assert received(a, 256) == every
    assert {f"nmdm{tag}A", f"nmdm{tag}B"} <= set(os.listdir(lab.root / "dev"))


def test_a_lot_crosses(opened: Opened) -> None:
    """More than a terminal's buffer holds arrives whole while it is read."""
    a, b = opened("/dev/nmdm1A"), opened("/dev/nmdm1B")
    sent = os.urandom(100_000)
    writer = os.fork()
    if writer == 0:
        left = sent
        while left:
            left = left[os.write(a, left) :]
        os._exit(0)
    assert received(b, len(sent)) == sent
    os.waitpid(writer, 0)


def test_nobody_reads(opened: Opened) -> None:
    """What is sent to an end that nobody has open is gone, and there is no scroll-back."""
    a = opened("/dev/nmdm1A")
    for _ in range(100):
        os.write(a, b"lost" * 100)
    # An end that is opened while old bytes are still on their way would see them: let them be dropped first.
    time.sleep(0.5)
    b = opened("/dev/nmdm1B")
    os.write(a, b"kept")
    assert received(b, 4) == b"kept"


def test_what_was_left_unread_is_forgotten(opened: Opened) -> None:
    """The next who opens an end does not get what the last one did not read."""
    a, b = opened("/dev/nmdm1A"), opened("/dev/nmdm1B")
    os.write(a, b"left")
    time.sleep(0.5)
    os.close(b)
    time.sleep(0.5)
    b = opened("/dev/nmdm1B")
    os.write(a, b"next")
    assert received(b, 4) == b"next"


def test_pair_goes_when_nobody_wants_it(opened: Opened, lab: Lab) -> None:
    """Both nodes and the process go some seconds after the last end was closed, and not before."""
    a, b = opened("/dev/nmdm1A"), opened("/dev/nmdm1B")
    os.close(a)
    time.sleep(nmdm.LINGER + 1)
    assert (lab.root / "dev/nmdm1B").exists()
    again = opened("/dev/nmdm1A")
    os.write(again, b"x")
    assert received(b, 1) == b"x"
    os.close(again)
    os.close(b)
    until = time.monotonic() + LONG_ENOUGH
    while os.path.lexists(lab.root / "dev/nmdm1A") or os.path.lexists(lab.root / "dev/nmdm1B"):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_killed_pair_is_made_anew(opened: Opened, lab: Lab) -> None:
    """Links whose process is gone are not taken for a pair."""
    opened("/dev/nmdm-killed.1A")
    found = subprocess.run(["pgrep", "-fx", "nmdm: -killed.1"], capture_output=True, text=True).stdout.split()
    assert found
    for process in found:
        # Its end is waited for: until then it still counts as the process of the pair.
        handle = os.pidfd_open(int(process))
        os.kill(int(process), signal.SIGKILL)
        select.select([handle], [], [])
        os.close(handle)
    a, b = opened("/dev/nmdm-killed.1A"), opened("/dev/nmdm-killed.1B")
    os.write(a, b"x")
    assert received(b, 1) == b"x"


def test_without_the_module(lab: Lab, program: Program) -> None:
    """Needs nmdm loaded."""
    with pytest.raises(FileNotFoundError):
        nmdm.open_end(lab, "/dev/nmdm1A")
    done = program("cu", "-l", "nmdm1B")
    assert (done.returncode, done.stdout) == (3, "link down\n")
    assert "No such file or directory" in done.stderr
    assert not list((lab.root / "dev").glob("nmdm*"))


def test_names() -> None:
    """The last letter must be A or B, and the tag is not empty."""
    assert nmdm.end_named("/dev/nmdm-web1.1A") == ("-web1.1", "A")
    assert [nmdm.end_named(name) for name in ("/dev/nmdmA", "nmdm1", "nmdm1C", "/dev/ttyu0")] == [None] * 4


def test_cu(cu: Callable[..., pexpect.spawn], opened: Opened, lab: Lab) -> None:
    """Says that it is connected, carries keys and answers, and leaves at `~.` after a newline."""
    a = opened("/dev/nmdm7A")
    child = cu("-l", "/dev/nmdm7B", "-s", "115200")
    child.expect("Connected")
    child.send("ls ~.\r~~x\x03\r")
    assert received(a, 10) == b"ls ~.\r~x\x03\r"
    os.write(a, b"answer\r\n")
    child.expect("answer")
    assert (lab.root / "var/spool/lock/LCK..nmdm7B").read_text() == f"{child.pid:10d}\n"
    child.send("~?")
    child.expect("get this summary")
    child.send("~.")
    child.expect("EOT")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert not (lab.root / "var/spool/lock/LCK..nmdm7B").exists()


def test_cu_leaves_at_control_d(cu: Callable[..., pexpect.spawn]) -> None:
    """`~^D` leaves as well."""
    child = cu("-l", "nmdm7B")
    child.expect("Connected")
    child.send("~\x04")
    child.expect("EOT")


def test_cu_is_alone(cu: Callable[..., pexpect.spawn], program: Program) -> None:
    """A second cu on the line is refused; one on the other end is not."""
    cu("-l", "nmdm7B").expect("Connected")
    second = program("cu", "-l", "/dev/nmdm7B", "-s", "9600")
    assert (second.returncode, second.stdout) == (3, "all ports busy\n")
    cu("-l", "nmdm7A").expect("Connected")


def test_cu_ignores_the_lock_of_a_dead_process(cu: Callable[..., pexpect.spawn], lab: Lab) -> None:
    """A killed cu leaves its lock behind."""
    child = cu("-l", "nmdm7B")
    child.expect("Connected")
    child.kill(signal.SIGKILL)
    child.wait()
    assert (lab.root / "var/spool/lock/LCK..nmdm7B").exists()
    cu("-l", "nmdm7B").expect("Connected")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_cu_restores_the_terminal(lab: Lab, cu: Callable[..., pexpect.spawn], number: int) -> None:
    """Also when a signal ends it."""
    shell = pexpect.spawn("/bin/sh", ["-c", f"{lab.bin}/cu -l nmdm7B; stty -a; echo done"], timeout=LONG_ENOUGH)
    shell.expect("Connected")
    pid = int((lab.root / "var/spool/lock/LCK..nmdm7B").read_text())
    os.kill(pid, number)
    shell.expect("done")
    assert b" echo " in shell.before
    assert b"-icanon" not in shell.before
    shell.close(force=True)


def test_cu_on_a_pipe(lab: Lab, opened: Opened) -> None:
    """Input from a pipe is sent, answers are written, and the end of the input is the end."""
    a = opened("/dev/nmdm7A")
    words = [str(lab.bin / "cu"), "-l", "nmdm7B"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == b"Connected\r\n"
        child.stdin.write(b"uname\r")
        child.stdin.flush()
        assert received(a, 6) == b"uname\r"
        os.write(a, b"FreeBSD\r\n")
        assert child.stdout.readline() == b"FreeBSD\r\n"
        child.stdin.close()
        assert b"[EOT]" in child.stdout.read()
    assert child.returncode == 0


@pytest.mark.parametrize("words", [(), ("-x",), ("-l",), ("-l", "a", "-l", "b"), ("-l", "a", "-s", "fast")])
def test_cu_usage(program: Program, words: tuple[str, ...]) -> None:
    """A wrong command line is refused with the usage."""
    done = program("cu", *words)
    assert done.returncode == 8
    assert "usage: cu" in done.stderr


def test_lines_that_are_no_pair(program: Program, lab: Lab) -> None:
    """Any other line has to be there."""
    assert program("cu", "-l", "ttyu9").returncode == 3
    assert not Path(lab.root, "dev/ttyu9").exists()
