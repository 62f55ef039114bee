"""Odd files where properties are expected: each is told of in one sentence, and the other guests are as ever."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.host_commands import chyves, done
from tests.lab.conftest import hollow_lab


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """A lab with three guests."""
    with hollow_lab() as lab:
        done(lab, "db,odd,web", "create", "1G")
        done(lab, "all", "set", "rcboot=1")
        yield lab


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        here = os.getcwd()
        os.chdir(path.parent)  # the name of a socket may not be long
        try:
            end.bind(path.name)
        finally:
            os.chdir(here)


Make = Callable[[Path], object]
ODD: dict[str, tuple[Make, str]] = {
    "NUL": (lambda path: path.write_bytes(b"cpu=1\n\0\n"), "line 2 is not name=value"),
    "10 MB": (lambda path: path.write_bytes(b"cpu=1\n" * 1_700_000), "larger than 1048576 bytes"),
    "latin-1": (lambda path: path.write_bytes(b"cpu=1\nnotes=caf\xe9\n"), r"line 2 is not UTF-8 text: it has \xe9"),
    "no = in it": (lambda path: path.write_text("cpu\n"), "line 1 is not name=value: cpu"),
    "a return inside": (lambda path: path.write_bytes(b"notes=a\rb\n"), "line 1 is not name=value"),
    "directory": (lambda path: path.mkdir(), "is no regular file"),
    "dangling link": (lambda path: path.symlink_to("nothing"), "is a link"),
    "link to a secret": (lambda path: path.symlink_to("/etc/shadow"), "is a link"),
    "pipe": (lambda path: os.mkfifo(path), "is no regular file"),
    "socket": (_socket, "is no regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a link"),
    "nothing": (lambda path: None, "cannot be read: No such file"),
}
"""What no properties can be read from, and what is said of it."""

READ: dict[str, tuple[bytes, dict[str, str]]] = {
    "empty": (b"", {"cpu": "1"}),
    "twice the same": (b"cpu=2\nram=1G\ncpu=3\n", {"cpu": "3", "ram": "1G"}),
    "CRLF": (b"cpu=2\r\nram=1G\r\n", {"cpu": "2", "ram": "1G"}),
    "no line end": (b"ram=1G\ncpu=2", {"cpu": "2", "ram": "1G"}),
    "comments": (b"# a note\n\ncpu=2\n", {"cpu": "2"}),
    "a value that is none": (b"cpu=lots\nram=1G\n", {"cpu": "lots", "ram": "1G"}),
}
"""What is odd and can be read, and what it says."""

SHOWN = {
    ("list",): r"(?ms)^db .*^odd  +zroot +NO +NO +\? +\?\n.*^web ",
    ("info", "-ak"): r"(?ms)^db .*^odd +1\.\S+ +\? +\? +zroot +primary( +\?){5} +NO +NO( +\?){2} +-( +\?){8}\n.*^web ",
    ("list", "cpu"): r"(?ms)^db .*^web ",
    ("list", "disks"): r"(?ms)^db .*^web ",
    ("list", "tap"): r"(?ms) db .* web ",
    ("all", "get", "all"): r"(?ms)^db .*^web ",
    ("web,odd,db", "get", "cpu"): r"(?ms)^web .*^db ",
}
"""Listings, and what they show all the same."""


@pytest.fixture
def odd(host: Lab) -> Iterator[Path]:
    """The file of the guest `odd`, which is not there for the time of a test."""
    file = host.root / "chyves" / host.pool / "guests" / "odd" / ".config" / ".cfg"
    kept = file.read_bytes()
    file.unlink()
    yield file
    if file.is_dir() and not file.is_symlink():
        file.rmdir()
    else:
        file.unlink(missing_ok=True)
    file.write_bytes(kept)


@pytest.mark.parametrize("kind", ODD)
def test_what_cannot_be_read_is_told_and_the_others_are_listed(host: Lab, odd: Path, kind: str) -> None:
    make, what = ODD[kind]
    make(odd)
    for words, right in list(SHOWN.items())[:: 1 if kind == "dangling link" else 5]:
        said = chyves(host, *words)
        assert re.search(right, said.stdout), (words, said.stdout, said.stderr)
        assert (said.stderr.count("\n"), what in said.stderr, str(odd) in said.stderr) == (1, True, True), said.stderr
        assert (said.returncode, "root:" in said.stdout + said.stderr) == (int("get" in words), False)


def test_a_guest_whose_file_cannot_be_read_is_not_ready(host: Lab, odd: Path) -> None:
    """A script that asks whether all could start is not told that they could."""
    os.mkfifo(odd)
    done(host, "web", "set", "keyboard=de_noacc")
    said = chyves(host, "check", "all", "-H")
    done(host, "web", "unset", "keyboard")
    rows = [line.split("\t") for line in said.stdout.splitlines()]
    ready = next(row[2] for row in rows if row[:2] == ["web", "YES"])
    assert ready.startswith("keyboard: does nothing without a screen")
    assert [row[2] for row in rows if row[:2] == ["odd", "NO"]] == [f"{odd}: is no regular file; put one in its place"]
    assert (said.returncode, said.stderr) == (1, "chyves: odd: could not start; see above why\n")


def test_a_guest_whose_file_cannot_be_read_is_deleted_when_told_how(host: Lab, odd: Path) -> None:
    done(host, "lost", "create", "64M")
    lost = Path(str(odd).replace("/odd/", "/lost/"))
    lost.unlink()
    said = chyves(host, "lost", "delete")
    assert (said.returncode, said.stderr.splitlines()[-1]) == (
        1,
        "  to delete it, and leave the bridges' lists as they are: chyves lost delete keepnet",
    )
    done(host, "lost", "delete", "keepnet")
    assert not lost.parents[1].exists()


def test_doctor_tells_what_cannot_be_read_and_looks_at_the_others(host: Lab, odd: Path) -> None:
    os.mkfifo(odd)
    web = odd.parents[2] / "web" / ".config" / ".cfg"
    web.chmod(0o666)
    said = chyves(host, "doctor")
    web.chmod(0o644)
    assert (said.returncode, said.stderr.count("\n")) == (1, 1), said.stderr
    assert all(text in said.stdout for text in ("is no regular file; put one in its place", f"{web} has the mode 666"))


@pytest.mark.parametrize("kind", READ)
def test_what_is_only_odd_is_read_and_kept(host: Lab, odd: Path, kind: str) -> None:
    data, means = READ[kind]
    odd.write_bytes(data)
    said = chyves(host, "odd", "get", "all", "-H")
    rows = dict(line.split("\t")[1:] for line in said.stdout.splitlines())
    assert (said.returncode, said.stderr, {name: rows[name] for name in means}) == (0, "", means)
    assert odd.read_bytes() == data


def test_others_start_and_stop_though_one_cannot_be_read(host: Lab, odd: Path) -> None:
    """Each by itself, with all others, and with the host; a guest whose file went bad while it ran can be stopped."""
    os.mkfifo(odd)
    for begin in ("start", "boot"):
        said = chyves(host, "all", begin)
        assert (said.returncode, said.stderr.count(f"{odd}: is no regular file")) == (1, 1), said.stderr
        assert re.findall(r"^(\S+) .*YES \(\d+\)", chyves(host, "list").stdout, re.MULTILINE) == ["db", "web"]
    web = odd.parents[2] / "web" / ".config" / ".cfg"
    good = web.read_bytes()
    web.write_text("cpu\n")
    said = chyves(host, "all", "stop")
    assert said.returncode == 0 and "web is given 60 s to go off" in said.stderr, said.stderr
    web.write_bytes(good)
    done(host, "web", "set", "notes=there")
    assert chyves(host, "all", "set", "notes=no").returncode == 1
    assert done(host, "web", "get", "notes") == "there\n"
