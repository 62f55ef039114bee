"""The last lines of logs in several files, and following them from file to file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chyves.host import tail
from chyves.host.tail import follow, last_lines

LINE = some.text(some.characters(exclude_characters="\n", codec="utf-8"), max_size=40)


def months(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some.lists(some.lists(LINE, max_size=8), max_size=4), some.integers(1, 30), some.integers(1, 64))
def test_the_last_lines_reach_back_over_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: list[list[str]], count: int, block: int
) -> None:
    monkeypatch.setattr(tail, "BLOCK", block)
    for path in tmp_path.iterdir():
        path.unlink()
    for number, lines in enumerate(contents):
        (tmp_path / f"{number}.log").write_bytes("".join(f"{line}\n" for line in lines).encode())
    every = [line for lines in contents for line in lines]
    assert last_lines(months(tmp_path), count) == every[-count:]


def test_a_last_line_without_an_end_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "1.log").write_text("one\ntwo")
    assert last_lines(months(tmp_path), 1) == ["two"]


def test_a_file_that_is_just_gone_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "1.log").write_text("one\n")
    assert last_lines([tmp_path / "0.log", tmp_path / "1.log"], 5) == ["one"]


def followed(files: Callable[[], list[Path]], *happenings: Callable[[], None]) -> list[str]:
    """What is told while these things happen, one in each pause."""
    coming = iter(happenings)

    def pause(_seconds: float) -> None:
        next(coming)()

    told: list[str] = []
    with pytest.raises((StopIteration, RuntimeError)):
        for text in follow(files, pause):
            told.append(text)
    return told


def add(path: Path, text: str) -> Callable[[], None]:
    def happens() -> None:
        with path.open("a") as file:
            file.write(text)

    return happens


def test_what_was_there_is_not_told_and_what_comes_is(tmp_path: Path) -> None:
    now = tmp_path / "202611.log"
    now.write_text("old\n")
    told = followed(lambda: months(tmp_path), add(now, "one\ntwo\n"), add(now, "three\n"))
    assert told == ["one\ntwo\n", "three\n"]


def test_a_part_of_a_line_is_told_when_nothing_follows(tmp_path: Path) -> None:
    now = tmp_path / "202611.log"
    now.write_text("")
    assert followed(lambda: months(tmp_path), add(now, "login: ")) == ["login: "]


def test_it_goes_on_with_the_next_months_file(tmp_path: Path) -> None:
    old, new = tmp_path / "202611.log", tmp_path / "202612.log"
    old.write_text("")

    def month_ends() -> None:
        add(old, "last of November\n")()
        add(new, "first of December\n")()

    told = followed(lambda: months(tmp_path), add(old, "a\n"), month_ends, add(new, "b\n"))
    assert "".join(told) == "a\nlast of November\nfirst of December\nb\n"


def test_it_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    told = followed(lambda: months(tmp_path), add(tmp_path / "202611.log", "first\n"), lambda: None)
    assert told == ["first\n"]


def rotated(directory: Path) -> list[Path]:
    return [path for path in (directory / name for name in ("c.2", "c.1", "c")) if path.exists()]


def test_rotations_between_two_looks_lose_no_line(tmp_path: Path) -> None:
    now = tmp_path / "c"
    now.write_text("")

    def rotate_twice() -> None:
        for text in ("before the first\n", "before the second\n"):
            add(now, text)()
            if (tmp_path / "c.1").exists():
                (tmp_path / "c.1").rename(tmp_path / "c.2")
            now.rename(tmp_path / "c.1")
        add(now, "after both\n")()

    told = followed(lambda: rotated(tmp_path), rotate_twice, lambda: None)
    assert "".join(told) == "before the first\nbefore the second\nafter both\n"


def test_a_file_that_is_cut_short_is_read_from_its_beginning(tmp_path: Path) -> None:
    now = tmp_path / "202611.log"
    now.write_text("a long old line\n")

    def cut() -> None:
        now.write_text("new\n")

    assert followed(lambda: months(tmp_path), cut) == ["new\n"]
