"""Targets: what a user types."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache

from chyves import names, targets
from chyves.cli import completion, own_words, parser
from chyves.cli.assignments import assignments
from chyves.cli.grammar import literals, reached
from chyves.commands import COMMANDS
from chyves.errors import ChyvesError, UsageError
from chyves.host.log import plain
from chyves.masking import masked, masked_report, masked_value
from chyves.properties import Defaults, Global, Guest, Pool
from chyves.resources.checksum import DIGITS, read_checksum
from chyves.resources.source import Address, read_source
from chyves.section import Property, read_text, write_text
from fuzz.cases import spoken

SECTIONS = (Guest, Global, Pool, Defaults)
GUESTS = ("web1", "web1,web2", "all", ":web", "loader=uefi", "+", ",", "%", "@", "\0")
LONGEST_DATASET = 255
"""Characters of a dataset's name with what is above it (zfs(8): MAXNAMELEN less the end of the string)."""


def every_row() -> Iterator[tuple[str, Property[object]]]:
    """The rows of all tables that have one name, each with that."""
    for section in SECTIONS:
        yield from section.table.items()


@cache
def line_words() -> tuple[str, ...]:
    """The words of all commands, their options, and assignments of every property."""
    words = dict.fromkeys(GUESTS)
    for row in COMMANDS:
        words.update(dict.fromkeys(text for word in row.words for text in literals(word)))
        words.update(dict.fromkeys(option.name for option in row.options))
    words.update(dict.fromkeys(parser.GENERAL))
    words.update(dict.fromkeys(f"{name}=" for name, _ in every_row()))
    return tuple(words)


@cache
def value_words() -> tuple[str, ...]:
    """What rows of the tables have as an example or a word, whole and in parts."""
    found: dict[str, None] = dict.fromkeys((",", "=", "-", ":", "/", "."))
    for section in SECTIONS:
        for row in (*section.table.values(), *section.numbered.values()):
            for text in (row.example, row.default, *row.type.words()):
                found.update(dict.fromkeys((text, *text.split(","))))
    return tuple(filter(None, found))


def command_line(case: bytes) -> None:
    """A line is a request or a UsageError; what it asks to set can be kept in a file."""
    argv = spoken(case, line_words()).split("\0")
    with suppress(UsageError):
        request = parser.parse(argv)
        for value in request.keywords.values():
            _check_word(value)
        if request.command.name == "set" and "assignments" in request.args:
            owner, words = request.args["owner"], request.args["assignments"]
            for owners, values in assignments(owner, words):  # type: ignore[arg-type]
                assert owners and read_text(write_text(values), "file") == values


def _check_word(value: object) -> None:
    """A guest that a line names is a dataset's name."""
    if isinstance(value, tuple):
        assert all(isinstance(word, str) for word in value)


def completed(case: bytes) -> None:
    """Every line can be completed, in the shell and at a guest's prompt; what is offered begins as was typed."""
    *typed, prefix = spoken(case, line_words()).split("\0")
    words, _ = parser.separated(typed)
    with suppress(UsageError):
        rows = reached(words)
        if rows and not any(word.startswith("/") for word in (prefix, prefix.rpartition(",")[2])):
            found = completion.offered(rows, words, prefix, lambda kind, of: ("web1", "disk0", "@clean", "tap50"))
            assert all(text.startswith(prefix) for text in found)


def prompted(case: bytes) -> None:
    """A line at a guest's prompt is words that a command line can have, or a UsageError."""
    line = spoken(case, line_words()).replace("\0", " ")
    with suppress(UsageError):
        typed = own_words.read("web1", line)
        if typed:
            parser.parse(typed)


def target(case: bytes) -> None:
    """A word chooses guests, or is refused; what it asks of a value can be asked of every value."""
    text = spoken(case, (*line_words(), *value_words()))
    with suppress(ChyvesError):
        for term in targets.terms(targets.part(text)):
            if isinstance(term, targets.Name):
                assert names.guest(term.name) == term.name
            elif targets.type_of(term.what) is not None:
                for other in (None, "-", term.value):
                    term.holds(other)


def value(case: bytes) -> None:
    """A value that is read is written so that it is read again, and can be kept in a file."""
    rows = [row for section in SECTIONS for row in (*section.table.values(), *section.numbered.values())]
    row = rows[case[0] % len(rows)] if case else rows[0]
    text = spoken(case[1:], value_words())
    try:
        found = row.type.parse(text)
    except ValueError as error:
        assert str(error)
        return
    written = row.type.format(found)
    assert row.type.parse(written) == found
    if "\n" not in written:
        assert read_text(write_text({"name": written}), "file") == {"name": written}


def name(case: bytes) -> None:
    """A name that is accepted can be a dataset's, however deep chyves puts it, and a file's, and no option."""
    text = spoken(case, (*value_words(), "disk0", "img/", "tap50", "vale0:1", "@clean", "%", "nmdm"))
    above = f"{'p' * names.POOL_LENGTH}/chyves"
    checks: tuple[tuple[Callable[[str], str], str], ...] = (
        (names.new_guest, "{}/guests/.new/{}/.config@{}"),
        (names.resource, "{}/Firmware/.new-{}"),
    )
    for check, dataset in checks:
        with suppress(ChyvesError):
            found = check(text)
            longest = dataset.format(above, found, "s" * 20)
            assert len(longest) <= LONGEST_DATASET and not found.startswith(("-", ".")) and "/" not in found
    for check in (names.pool, names.guest, names.snapshots, names.guest_or_snapshot, names.bridge, names.uplink):
        with suppress(ChyvesError):
            found = check(text)
            assert found.isascii() and found.isprintable() and " " not in found and "/" not in found
    with suppress(ChyvesError):
        assert ".." not in names.any_disk(text).split("/")


def image(case: bytes) -> None:
    """The name of an image that a path or an address gives is one file's, and no message tells a password."""
    words = ("http://", "https://", "ftp://", "me:secret@", "host", ":80", "/", "x.iso", ".gz", ".xz", "?k=", "sha256=")
    text = spoken(case, words)
    with suppress(ChyvesError):
        source = read_source(text)
        assert names.resource(source.name) == source.name and "/" not in source.fetched_name
        if isinstance(source.place, Address):
            address = source.place
            assert address.host and address.scheme and "@" not in address.shown.split("/")[2]
            assert (address.port or 0) >= 0 and address.path is not None
    with suppress(ChyvesError):
        found = read_checksum(text)
        assert len(found.digits) == DIGITS[found.kind]


def told(case: bytes) -> None:
    """Every text can be masked and shown, in one line that steers no terminal."""
    text = spoken(case, ("password=", "passphrase:", "--token ", "http://", "me:secret@", "notes=", '"', "'", "\n"))
    assert masked_value("vnc_password", text) in ("***", "", "-")
    shlex.join([masked(text), masked_report(text)])
    shown = plain(masked(text))
    assert all(char.isprintable() or char == "\t" for char in shown)
