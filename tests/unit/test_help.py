"""`chyves help`: what it explains, and what it does not know."""

from __future__ import annotations

import pytest

from chyves.__main__ import main
from chyves.cli.grammar import synopsis
from chyves.cli.help import help_, of_topic, topics
from chyves.commands import COMMANDS
from chyves.errors import UsageError
from chyves.properties import Defaults, Global, Guest, Pool


def test_overview_has_every_command_once() -> None:
    lines = [line.strip() for line in help_(()).splitlines()]
    assert all(lines.count(synopsis(row)) == 1 for row in COMMANDS)


@pytest.mark.parametrize(
    ("topic", "shown"),
    [
        ("start", ["chyves guest[,guest...]|all start [iso] [--wait[=for]] [--wait-for seconds]"]),
        ("delete", ["chyves guest[,guest...]|all delete [force|keepnet]"]),
        ("disk add", ["chyves guest disk add [size]"]),
        ("iso delete", ["chyves {iso|firmware} delete name"]),
        ("import", ["chyves import file [name] [pool]"]),
        (
            "remove",
            [
                "chyves guest disk remove disk",
                "chyves guest pci remove device",
                "chyves network guest[,guest...] remove interface",
            ],
        ),
        ("attach", ["chyves network bridge attach uplink"]),
        ("network private", ["chyves network bridge private"]),
    ],
)
def test_topic_is_the_commands_that_begin_so(topic: str, shown: list[str]) -> None:
    assert [synopsis(row) for row in of_topic(tuple(topic.split()))] == shown


def test_topic_of_a_family_shows_it_all() -> None:
    assert [row.name for row in of_topic(("disk",))] == [
        "disk list",
        "disk add",
        "disk",
        "disk delete",
        "disk remove",
        "disk resize",
    ]
    assert {row.words[0] for row in of_topic(("list",))} == {"list"}


def test_command_says_what_its_words_are() -> None:
    told = help_(("start",))
    assert "Boot guests. Needs root." in told
    assert "iso: An ISO image to put in first." in told
    assert "--dry-run: Print the commands that would run, and run none." in told
    assert "--yes" not in told


def test_property_is_told_with_all_that_is_known() -> None:
    assert help_(("cpu",)) == (
        "cpu=1..65535\n"
        "    A property of a guest, and of what new guests begin with. "
        "Virtual processors; no more than bhyve allows on this host.\n"
        "    default: 1\n"
        "    example: cpu=4\n"
        "    counts: at the next start\n"
        "    set by: the user\n"
        "    since: 0.1.0\n"
    )


def test_property_of_two_owners_is_told_of_both() -> None:
    told = help_(("eject_iso_on_n_reboot",))
    assert "of a guest." in told and "of the host." in told


def test_numbered_property_is_found_by_its_row_and_by_a_number() -> None:
    assert help_(("tap{n}_mac",)) == help_(("tap50_mac",))


@pytest.mark.parametrize("section", [Guest, Defaults, Global, Pool])
def test_every_property_has_help(section: type[Guest]) -> None:
    for name, row in {**section.table, **section.numbered}.items():
        assert row.doc in help_((name,))


def test_every_topic_that_is_offered_has_help() -> None:
    offered = set(topics(()))
    assert {"start", "disk", "iso", "cpu", "log_mode", "bridge", "dataset_role"} <= offered
    assert all(help_((topic,)) for topic in offered)
    assert set(topics(("disk",))) == {"description", "notes", "list", "add", "delete", "remove", "resize"}
    assert set(topics(("disk", "add"))) == set()


@pytest.mark.parametrize("topic", [("nonsense",), ("disk", "cpu"), ("cpu", "cpu"), ("\udcff",), ("x" * 10_000,)])
def test_unknown_topic_is_refused(topic: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="is no command and no property; see: chyves help"):
        help_(topic)


@pytest.mark.parametrize("line", [[], ["help"], ["-h"], ["--help"], ["web1", "--help"]])
def test_ways_to_the_overview(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 0
    assert capsys.readouterr() == (help_(()), "")
