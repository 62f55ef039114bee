"""The log's form, and what it does where it cannot be written."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chyves.host.log import Log

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} - \[([0-3])\] - (.*)")


def log_file(directory: Path) -> Path:
    (file,) = directory.iterdir()
    assert re.fullmatch(r"\d{6}\.log", file.name)
    return file


def test_a_line_has_the_form_of_chyves_0_2_0(tmp_path: Path) -> None:
    before = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    Log().write(tmp_path, 2, "started web1")
    after = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    line = log_file(tmp_path).read_text()
    assert before <= line.partition(" - ")[0] <= after
    assert line.endswith(" - [2] - started web1\n")


def test_lines_are_added_and_each_line_of_a_text_is_one(tmp_path: Path) -> None:
    log = Log()
    log.write(tmp_path, 1, "one")
    log.write(tmp_path, 3, "two\nthree")
    found = [match.groups() for match in map(LINE.fullmatch, log_file(tmp_path).read_text().splitlines()) if match]
    assert found == [("1", "one"), ("3", "two"), ("3", "three")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.text())
def test_no_text_can_forge_a_line_or_steer_a_terminal(tmp_path: Path, text: str) -> None:
    for file in tmp_path.iterdir():
        file.unlink()
    Log().write(tmp_path, 2, text)
    data = log_file(tmp_path).read_bytes()
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", data)
    assert all(LINE.fullmatch(line) for line in data.decode().removesuffix("\n").split("\n"))


def test_a_missing_directory_is_not_made_and_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.write(tmp_path / "logs", 2, "one")
    log.write(tmp_path / "logs", 2, "two")
    assert not (tmp_path / "logs").exists()
    told = capsys.readouterr().err
    assert told == f"{tmp_path}/logs: the log cannot be written: No such file or directory; see to that\n"


def test_a_link_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elsewhere").write_text("")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / time.strftime("%Y%m.log")).symlink_to(tmp_path / "elsewhere")
    Log().write(logs, 2, "one")
    assert (tmp_path / "elsewhere").read_text() == ""
    assert "the log cannot be written" in capsys.readouterr().err


def test_a_dry_run_writes_no_log(tmp_path: Path) -> None:
    Log(dry=True).write(tmp_path, 2, "one")
    assert list(tmp_path.iterdir()) == []
