"""`chyves help`: the commands, one of them, or a property, from the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chyves.cli.grammar import own_words, synopsis
from chyves.cli.parser import GENERAL, general_options
from chyves.command import Command
from chyves.commands import COMMANDS
from chyves.errors import UsageError
from chyves.names import shown

if TYPE_CHECKING:
    from chyves.section import Section

HELP = "Help"
FAULTS = "Faults"
GROUPS = {
    "Pools": ("dataset",),
    "ISO images and firmware": ("iso", "firmware"),
    "Guests": (),
    "Guests in files": ("export", "import"),
    "Guests of other managers": ("adopt",),
    "Snapshots": ("snapshot",),
    "Disks": ("disk",),
    "Devices of the host": ("pci",),
    "Properties": ("get", "set", "unset", "preset"),
    "Network": ("network",),
    "Lists": ("list", "info"),
    "Ahead of a start": ("check", "explain", "diff", "slots"),
    "Watching": ("wait", "top", "metrics", "events"),
    FAULTS: ("doctor",),
    "The lab": ("lab",),
    HELP: ("help", "version", "completion", "debug", "upgrade", "dev"),
}
"""The headings, in order, with the first own words of their commands; all other commands are those of guests."""


def groups() -> dict[str, list[Command]]:
    """The commands under their headings."""
    found: dict[str, list[Command]] = {heading: [] for heading in GROUPS}
    for row in COMMANDS:
        found[_heading(row)].append(row)
    return found


def _heading(row: Command) -> str:
    first, of_guests = own_words(row)[0][0], not isinstance(row.words[0], str)
    headings = (name for name, words in GROUPS.items() if first in words and not (of_guests and name == HELP))
    return next(headings, "Guests")


def help_(topic: tuple[str, ...]) -> str:
    """The text that explains a topic, or all commands; raises UsageError for what is neither command nor property."""
    if not topic:
        return overview()
    texts = [command_help(row) for row in of_topic(topic)]
    if len(topic) == 1:
        texts.extend(property_help(topic[0]))
    if topic[0] in GROUPS[FAULTS]:
        texts.append(kinds_help())
    if not texts:
        raise UsageError(f"{shown(' '.join(topic))}: is no command and no property; see: chyves help")
    return "\n".join(texts)


def overview() -> str:
    """Every command with its sentence."""
    lines = ["chyves manages bhyve guests on ZFS."]
    for heading, rows in groups().items():
        lines += ["", heading]
        for row in rows:
            lines += [f"  {synopsis(row)}", f"      {row.doc}"]
    lines += ["", "More: chyves help COMMAND, chyves help PROPERTY, chyves list properties, and chyves(8)."]
    return "\n".join(lines) + "\n"


def of_topic(topic: tuple[str, ...]) -> list[Command]:
    """The commands whose own words begin with the topic, else those that have its words in this order."""
    begin = [row for row in COMMANDS if _begins(row, topic)]
    return begin or [row for row in COMMANDS if _has(row, topic)]


def _begins(row: Command, topic: tuple[str, ...]) -> bool:
    own = own_words(row)
    return len(topic) <= len(own) and all(text in texts for text, texts in zip(topic, own, strict=False))


def _has(row: Command, topic: tuple[str, ...]) -> bool:
    own = iter(own_words(row))
    return all(any(text in texts for texts in own) for text in topic)


def topics(words: tuple[str, ...]) -> Iterator[str]:
    """What can follow these words of a topic: own words of commands that begin so, and at first also properties."""
    for row in COMMANDS:
        own = own_words(row)
        if len(words) < len(own) and _begins(row, words):
            yield from own[len(words)]
    if not words:
        for section, _owner in _sections():
            yield from section.table


def command_help(row: Command) -> str:
    """What is known of one command."""
    lines = [synopsis(row), f"    {row.doc}{' Needs root.' if row.root else ''}"]
    lines += [f"    {arg.metavar}: {arg.doc}" for arg in row.args]
    lines += [f"    {option.shown}: {option.doc}" for option in row.options]
    lines += [f"    {name}: {GENERAL[name]}" for name in general_options(row)]
    return "\n".join(lines) + "\n"


def kinds_help() -> str:
    """What doctor looks for."""
    from chyves.doctor.kinds import KINDS

    lines = (f"    {kind.name}: {kind.means} {kind.remedy}" for kind in KINDS.values())
    return "\n".join(("What it finds, and what becomes of that:", *lines)) + "\n"


def property_help(name: str) -> Iterator[str]:
    """What is known of a property of this name, for each kind of owner that has one."""
    for section, owner in _sections():
        row = section.row(name) or section.numbered.get(name)
        if row is not None:
            yield _property(row, f"{owner}, and of what new guests begin with" if row.inherited else owner)


def _sections() -> list[tuple[type[Section], str]]:
    """The sections of properties, each property in one, with whose they are."""
    from chyves.properties import DefaultsOnly, Global, Guest, Pool

    return [(Guest, "a guest"), (Global, "the host"), (DefaultsOnly, "new guests"), (Pool, "a pool")]


def _property(row: Any, owner: str) -> str:
    lines = [
        f"{row.name}={row.type.metavar}",
        f"    A property of {owner}. {row.doc}",
        f"    default: {row.default or '(empty)'}",
        f"    example: {row.name}={row.example}",
        f"    counts: {row.when.value}",
        f"    set by: {row.writer.value}",
        f"    since: {row.since}",
    ]
    return "\n".join(lines) + "\n"
