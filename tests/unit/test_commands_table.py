"""The table of commands: every row parses, is refused where it must be, is explained, and has its function."""

from __future__ import annotations

import importlib
import inspect
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves import names
from chyves.__main__ import main
from chyves.cli.grammar import OPEN, least, literals, own_words, selected
from chyves.cli.help import command_help, groups, of_topic, overview
from chyves.cli.parser import Request, general_options, parse
from chyves.command import Arg, Command, Many
from chyves.commands import COMMANDS, HEADLESS
from chyves.errors import UsageError

MANUAL = Path(__file__).parents[2] / "man" / "chyves.8"
EXAMPLES = {
    "assignments": ("cpu=2", "bargs=-A -H", "db"),
    "branch": ("master", "dev"),
    "bridge": ("bridge0", "bridge32768"),
    "checksum": ("sha256=00",),
    "command": ("ls", "-l", "--", "--dry-run", ""),
    "directory": ("lab", "/tmp/a lab"),
    "disk": ("disk0", "disk12"),
    "text": ("from", "the", "old", "host"),
    "file": ("web1.zfs", "-"),
    "function": ("get_uuid",),
    "guest": ("web1", "a.b-c_d", "0", "disk0"),
    "interface": ("tap50", "vale0:p"),
    "iso": ("system.iso",),
    "lines": ("1", "400"),
    "name": ("system.iso", "FIRMWARE.fd"),
    "new": ("other.img",),
    "device": ("2/0/0",),
    "owner": ("web1", "web-1"),
    "pool": ("tank", "zroot"),
    "property": ("cpu", "pcidev_0", "all"),
    "rom": ("card.rom",),
    "seconds": ("5",),
    "shell": ("bash", "zsh", "tcsh", "fish"),
    "size": ("20G", "8"),
    "snapshot": ("@nightly", "@a.b:c_d-e"),
    "snapshots": ("@nightly", "@a%b", "@%b", "@%"),
    "source": ("/tmp/system.iso", "https://example.org/system.iso"),
    "tap": ("tap50",),
    "target": ("bridge1",),
    "topic": ("start", "cpu"),
    "where": ("/vm", "zfs:zroot/vm", "zroot"),
    "uplink": ("em0", "vlan10"),
}
TABLE = pytest.mark.parametrize("row", COMMANDS, ids=lambda row: " ".join(min(own) for own in own_words(row)))


def examples(arg: Arg) -> tuple[str, ...]:
    return arg.choices or EXAMPLES[arg.name]


def words(row: Command, full: bool = True) -> list[str]:
    """A line of this row: with all its words, or only those that it needs."""
    line: list[str] = []
    for word in row.words:
        if isinstance(word, str):
            line.append(word)
        elif full or word.many in (Many.ONE, Many.SOME):
            line.append(examples(word)[0])
    return line


def values(row: Command, line: list[str]) -> dict[str, object]:
    """What the arguments of a line of words(row) are."""
    args: dict[str, object] = {}
    for word, text in zip(row.words, [*line, *[None] * len(row.words)], strict=False):
        if isinstance(word, Arg):
            several = word.many in OPEN if text is None else word.split or word.many in OPEN
            args[word.name] = (() if text is None else (text,)) if several else text
    return args


@TABLE
@pytest.mark.parametrize("full", [True, False])
def test_row_is_what_its_words_are(row: Command, full: bool) -> None:
    line = words(row, full)
    options: dict[str, object] = {
        option.key: False for option in row.options if option != HEADLESS and not option.metavar and not option.group
    }
    assert parse(line) == Request(row, values(row, line), options=options)


@TABLE
def test_row_has_the_options_it_should(row: Command) -> None:
    for name in ("--dry-run", "--yes", "--json"):
        has = {"--dry-run": row.changes, "--yes": row.asks, "--json": row.json}[name]
        for line in ([name, *words(row)], [*words(row, full=False), name]):
            if has:
                assert getattr(parse(line), name.lstrip("-").replace("-", "_")) is True
            elif not (isinstance(row.words[-1], Arg) and row.words[-1].many is Many.REST and line[0] != name):
                with pytest.raises(UsageError, match=f"{name} is no option of it"):
                    parse(line)
    assert all(name in command_help(row) for name in general_options(row))


@TABLE
def test_too_many_words_are_refused(row: Command) -> None:
    last = row.words[-1]
    if isinstance(last, Arg) and last.many in OPEN:
        return
    surplus = ["surplus"] if row.words != ("list",) else ["cpu", "surplus"]
    with pytest.raises(
        UsageError, match=r"(is one word too many; it is: chyves|is no command|give one of reset, tmux, vnc)"
    ):
        parse([*words(row), *surplus])


def begins(row: Command, line: list[str]) -> bool:
    """Whether a line of words is the beginning of a row."""
    pairs = zip(row.words, line, strict=False)
    return all(text in literals(word) or (isinstance(word, Arg) and not word.choices) for word, text in pairs)


@TABLE
def test_too_few_words_are_refused(row: Command) -> None:
    line = words(row, full=False)[:-1]
    shorter = [other for other in COMMANDS if line and least(other) <= len(line) and begins(other, line)]
    if not line or shorter:
        return
    with pytest.raises(UsageError, match=r"(words are missing|is no command|is written after the guest)"):
        parse(line)


@TABLE
def test_a_command_that_needs_root_says_so(
    row: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not row.root:
        return
    (tmp_path / "root").mkdir()
    (tmp_path / "lab.json").write_text("{}")
    monkeypatch.setenv("CHYVES_LAB", str(tmp_path))
    someone_else = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: someone_else)
    assert main(words(row)) == 77
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"chyves: {row.name}: needs root; try: sudo chyves ...\n")
    assert os.listdir(tmp_path / "root") == []


@TABLE
def test_row_is_explained(row: Command) -> None:
    own = [min(texts) for texts in own_words(row)]
    assert row in of_topic(tuple(own))
    assert row.doc in overview()
    assert row.doc in command_help(row)
    assert row.doc.endswith(".") and row.doc[0].isupper()
    assert all(arg.doc in command_help(row) for arg in row.args)
    heads = [line for line in MANUAL.read_text().splitlines() if line.startswith(".It ")]
    assert any(all(word in line.split() for word in own) for line in heads)
    assert row.doc.split(". ")[0].split(".")[0].replace("-", "\\-") in MANUAL.read_text()


@TABLE
def test_function_takes_what_the_row_gives(row: Command) -> None:
    module, _, name = row.run.partition(":")
    function = getattr(importlib.import_module(module), name)
    host = (object(),) if row.host else ()
    inspect.signature(function).bind(*host, **parse(words(row)).keywords)
    inspect.signature(function).bind(*host, **parse(words(row, full=False)).keywords)


def test_guests_cannot_have_the_names_of_commands() -> None:
    first = {text for row in COMMANDS for text in literals(row.words[0])}
    instead = {text for row in COMMANDS for arg in row.args for text in arg.instead}
    assert first | instead <= names.RESERVED


def test_each_command_has_one_heading() -> None:
    assert sorted(map(id, COMMANDS)) == sorted(id(row) for rows in groups().values() for row in rows)
    assert all(rows for rows in groups().values())
    assert all(not literals(row.words[0]) for row in groups()["Guests"])


def test_option_takes_a_value_in_every_command_or_in_none() -> None:
    options = {option for row in COMMANDS for option in row.options}
    with_value = {option.name for option in options if option.metavar}
    assert with_value and not with_value & {option.name for option in options if not option.metavar}


def test_every_guest_verb_stays_reachable() -> None:
    for row in COMMANDS:
        if not literals(row.words[0]):
            assert selected(words(row)) is row


@given(st.data())
def test_words_of_a_row_come_back_as_its_arguments(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(COMMANDS))
    line: list[str] = []
    expected: dict[str, object] = {}
    missing = False
    for word in row.words:
        if isinstance(word, str):
            line.append(word)
            continue
        some = st.sampled_from(examples(word))
        if word.many in OPEN:
            given_words = data.draw(st.lists(some, min_size=int(word.many is Many.SOME)))
            if word.many is Many.REST and given_words:
                given_words[0] = "ls"
            expected[word.name] = tuple(given_words)
            line += given_words
        elif missing or (word.many is Many.OPTIONAL and data.draw(st.booleans())):
            expected[word.name], missing = None, True
        elif word.split:
            several = data.draw(st.lists(some, min_size=1, unique=True))
            expected[word.name] = tuple(several)
            line.append(",".join(several))
        else:
            expected[word.name] = data.draw(some)
            line.append(str(expected[word.name]))
    options = data.draw(st.lists(st.sampled_from(general_options(row) or [""]), unique=True))
    for option in filter(None, options):
        line.insert(data.draw(st.integers(0, least(row) - 1)), option)
    request = parse(line)
    assert request.command is row
    assert request.args == expected
    assert (request.dry_run, request.yes, request.json) == tuple(o in options for o in ("--dry-run", "--yes", "--json"))
