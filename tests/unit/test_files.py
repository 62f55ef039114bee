"""Files: whole or not at all, and every refusal as one sentence."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chyves.errors import ChyvesError
from chyves.host.files import DryFiles, Files

TEXTS = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def files() -> Files:
    return Files()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@SHARED
@given(TEXTS)
def test_what_is_written_is_read(tmp_path: Path, text: str) -> None:
    Files().write(tmp_path / "file", text)
    assert Files().read(tmp_path / "file") == text
    assert os.listdir(tmp_path) == ["file"]


def test_properties_are_sorted_lines(tmp_path: Path, files: Files) -> None:
    files.write_properties(tmp_path / ".cfg", {"ram": "1G", "cpu": "2", "notes": "a=b c"}, 0o600)
    assert (tmp_path / ".cfg").read_text() == "cpu=2\nnotes=a=b c\nram=1G\n"
    assert files.read_properties(tmp_path / ".cfg") == {"cpu": "2", "notes": "a=b c", "ram": "1G"}
    assert mode(tmp_path / ".cfg") == 0o600


def test_a_new_file_has_the_mode_asked_for_whatever_the_umask(tmp_path: Path, files: Files) -> None:
    before = os.umask(0o077)
    try:
        files.write(tmp_path / "file", "x")
        files.make_directory(tmp_path / "a" / "b", 0o755)
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == 0o644
    assert mode(tmp_path / "a" / "b") == 0o755


def test_a_file_that_exists_keeps_its_mode(tmp_path: Path, files: Files) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o640)
    files.write(tmp_path / "file", "new", 0o600)
    assert mode(tmp_path / "file") == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_exists_keeps_its_owner(tmp_path: Path, files: Files) -> None:
    (tmp_path / "file").write_text("old")
    os.chown(tmp_path / "file", 1234, 4321)
    files.write(tmp_path / "file", "new")
    assert ((tmp_path / "file").stat().st_uid, (tmp_path / "file").stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_is_refused(tmp_path: Path, files: Files, target: str) -> None:
    (tmp_path / "elsewhere").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / target)
    for kind in (files, DryFiles()):
        with pytest.raises(ChyvesError, match=r"link: is a link, which is not written through; "):
            kind.write(tmp_path / "link", "new")
    assert (tmp_path / "elsewhere").read_text() == "old"
    assert not (tmp_path / "nowhere").exists()


FULL = """
import pathlib, resource, signal, sys
from chyves.host.files import Files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
Files().write(pathlib.Path(sys.argv[1]), "new text that does not fit")
"""


def test_what_does_not_fit_leaves_the_old_file_whole_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old and longer than the limit")
    ran = subprocess.run([sys.executable, "-c", FULL, tmp_path / "file"], capture_output=True, text=True)
    assert f"ChyvesError: {tmp_path}/file: cannot be written: File too large; " in ran.stderr
    assert (tmp_path / "file").read_text() == "old and longer than the limit"
    assert os.listdir(tmp_path) == ["file"]


KILLED = """
import os, pathlib, signal, sys
from chyves.host.files import Files
number = int(sys.argv[2])
seen = 0
def trace(frame, event, argument):
    global seen
    if frame.f_code.co_filename.endswith("files.py"):
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace
sys.settrace(trace)
Files().write(pathlib.Path(sys.argv[1]), "new\\n")
"""


def test_killed_at_any_moment_the_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    """SIGKILL at each line that the writing goes through."""
    file = tmp_path / "file"
    seen = set()
    for number in range(1, 200):
        file.write_text("old\n")
        ran = subprocess.run([sys.executable, "-c", KILLED, file, str(number)])
        seen.add(file.read_text())
        if ran.returncode == 0:
            break
        assert ran.returncode == -9
    assert number > 20
    assert seen == {"old\n", "new\n"}
    Files().write(file, "again\n")
    assert file.read_text() == "again\n"


def test_a_write_removes_what_a_killed_one_of_this_process_number_left(tmp_path: Path, files: Files) -> None:
    (tmp_path / f".file.{os.getpid()}.new").write_text("half")
    files.write(tmp_path / "file", "whole")
    assert os.listdir(tmp_path) == ["file"]


def test_what_cannot_be_read_or_written_is_one_sentence(tmp_path: Path, files: Files) -> None:
    missing = tmp_path / "none" / "file"
    with pytest.raises(ChyvesError, match=r"none/file: cannot be read: No such file or directory; "):
        files.read(missing)
    with pytest.raises(ChyvesError, match=r"none/file: cannot be written: No such file or directory; "):
        files.write(missing, "x")
    with pytest.raises(ChyvesError, match=r": cannot be written: Is a directory; "):
        files.write(tmp_path, "x")
    with pytest.raises(ChyvesError, match=r": cannot be removed: "):
        files.remove(tmp_path)
    with pytest.raises(ChyvesError, match=r": cannot be made: "):
        files.write(tmp_path / "file", "x")
        files.make_directory(tmp_path / "file" / "below")


def test_bytes_that_are_no_text_are_named(tmp_path: Path, files: Files) -> None:
    (tmp_path / "file").write_bytes(b"cpu=1\nnotes=caf\xe9 x\n")
    with pytest.raises(ChyvesError, match=r"file: line 2 is not UTF-8 text: it has \\xe9; mend the line"):
        files.read(tmp_path / "file")


def test_a_file_of_properties_names_itself_and_the_line(tmp_path: Path, files: Files) -> None:
    (tmp_path / ".cfg").write_text("cpu=1\nwhat\n")
    with pytest.raises(ChyvesError, match=r"/\.cfg: line 2 is not name=value: what; "):
        files.read_properties(tmp_path / ".cfg")


def test_what_has_a_secret_is_for_its_owner_alone_and_stays_so(tmp_path: Path, files: Files) -> None:
    for text, right in (
        ("cpu=1\n", 0o644),
        ("uefi_vnc_password=Qx7eLm2k\n", 0o600),
        ("cpu=1\n", 0o600),
    ):
        files.write(tmp_path / "file", text)
        assert mode(tmp_path / "file") == right
    files.write(tmp_path / "note", '{"web1": {"uefi_vnc_password": "Qx7eLm2k"}}')
    assert mode(tmp_path / "note") == 0o600


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(os.devnull), lambda path: path.mkdir()])
def test_what_is_no_file_is_told_and_not_waited_for(
    tmp_path: Path, files: Files, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "file")
    with pytest.raises(ChyvesError, match=r"is no regular file; put one in its place|is a link, which is not followed"):
        files.read(tmp_path / "file")


def test_what_is_removed_need_not_be_there(tmp_path: Path, files: Files) -> None:
    files.write(tmp_path / "file", "one\n")
    files.remove(tmp_path / "file")
    files.remove(tmp_path / "file")
    assert os.listdir(tmp_path) == []


@settings(SHARED, max_examples=25)
@given(TEXTS)
def test_a_dry_run_prints_one_line_that_sh_makes_the_same_file_of(tmp_path: Path, text: str) -> None:
    import contextlib
    import io

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        DryFiles().write(tmp_path / "a file", text)
    line = printed.getvalue()
    assert not (tmp_path / "a file").exists()
    assert line.count("\n") == 1
    assert line.endswith("\n")
    subprocess.run(["/bin/sh", "-c", line], check=True)
    assert (tmp_path / "a file").read_bytes() == text.encode()
    (tmp_path / "a file").unlink()


def test_a_dry_run_changes_nothing_and_its_lines_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old").write_text("old")
    dry = DryFiles()
    dry.make_directory(tmp_path / "a b" / "c", 0o700)
    dry.write_properties(tmp_path / "a b" / "c" / ".cfg", {"cpu": "1"}, 0o600)
    dry.write_properties(tmp_path / "a b" / "secret", {"uefi_vnc_password": "Qx7eLm2k"})
    dry.remove(tmp_path / "old")
    assert os.listdir(tmp_path) == ["old"]
    lines = capsys.readouterr().out
    subprocess.run(["/bin/sh", "-ec", lines], check=True)
    assert os.listdir(tmp_path) == ["a b"]
    made = tmp_path / "a b" / "c" / ".cfg"
    assert made.read_text() == "cpu=1\n"
    assert (mode(made.parent), mode(made), mode(tmp_path / "a b" / "secret")) == (0o700, 0o600, 0o600)
