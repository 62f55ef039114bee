"""Lines at the prompt of a guest: where the guest goes, and what is offered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.cli.own_words import OwnWords, read
from chyves.cli.parser import parse
from chyves.command import Arg, Command, Many
from chyves.commands import COMMANDS
from chyves.errors import UsageError


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("start", ["--", "web1", "start"]),
        ("set cpu=2 'description=a b'", ["--", "web1", "set", "cpu=2", "description=a b"]),
        ("network add tap bridge1", ["--", "network", "web1", "add", "tap", "bridge1"]),
        ("network bridge0 private", ["network", "bridge0", "private"]),
        ("list processes -H", ["-H", "--", "list", "processes", "web1"]),
        ("debug --file out", ["--file=out", "--", "debug", "web1"]),
        ("disk delete disk1 --yes", ["--yes", "--", "web1", "disk", "delete", "disk1"]),
        ("get all", ["--", "web1", "get", "all"]),
        ("help start", ["help", "start"]),
        ("list", ["list"]),
        ("info -bs", ["info", "-bs"]),
        ("version", ["version"]),
        ("strat", ["--", "web1", "strat"]),
        ("", []),
        ("  # nothing", []),
        ("stop # at once", ["--", "web1", "stop"]),
    ],
)
def test_guest_goes_where_its_command_has_it(line: str, words: list[str]) -> None:
    assert read("web1", line) == words


@pytest.mark.parametrize("line", ["web2 start", "web1 start", ":web start", "global set cpu=1", "all stop force"])
def test_other_guests_are_refused(line: str) -> None:
    with pytest.raises(UsageError, match="this is the prompt of web1; leave other guests out, or quit"):
        read("web1", line)


def test_a_guest_of_an_odd_name_is_that_guest() -> None:
    assert parse(read("-web", "start --dry-run")).args["guest"] == ("-web",)


ROWS = [row for row in COMMANDS if any(isinstance(word, Arg) and word.complete == "guests" for word in row.words)]


def typed(row: Command) -> str | None:
    """The line of a row whose only word of the user is the guest; None for other rows."""
    own = [word for word in row.words if isinstance(word, str)]
    return " ".join(own) if len(own) == len(row.words) - 1 and own != ["prompt"] else None


@pytest.mark.parametrize("row", [row for row in ROWS if typed(row)], ids=lambda row: row.name)
def test_each_command_of_guests_can_be_said_at_the_prompt(row: Command) -> None:
    line = typed(row)
    assert line and parse(read("web1", line)).command == row


@given(st.text(max_size=30))
def test_any_line_is_words_or_refused(line: str) -> None:
    try:
        words = read("web1", line)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(word, str) for word in words)


def names(kind: str, of: str) -> list[str]:
    return (
        {"disks": ["disk0", "disk1"], "taps": ["tap50"], "isos": ["a.iso"]}.get(kind, []) if of in ("web1", "") else []
    )


def offered(line: str) -> list[str]:
    words = OwnWords("web1", names)
    found: list[str] = []
    while (text := words.offered(line, len(found))) is not None:
        found.append(text)
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rec", ["reclaim "]),
        ("disk del", ["delete "]),
        ("disk delete ", ["disk0 ", "disk1 "]),
        ("net", ["network "]),
        ("network remove ", ["tap50 "]),
        ("set stop_t", ["stop_timeout="]),
        ("set loader=ue", ["loader=uefi "]),
        ("nothing such ", []),
    ],
)
def test_words_are_offered(line: str, expected: list[str]) -> None:
    assert offered(line) == expected


def test_what_takes_another_programs_words_needs_no_guest() -> None:
    rest = [row for row in COMMANDS if any(isinstance(w, Arg) and w.many is Many.REST for w in row.words)]
    assert rest and not set(rest) & set(ROWS)
