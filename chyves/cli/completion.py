"""What the shell offers for the next word of a line, from the same table as the parser, through argcomplete."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from chyves import targets
from chyves.cli.grammar import Rows, literals, position, reached
from chyves.cli.parser import options_parser, separated
from chyves.command import Arg
from chyves.commands import COMMANDS
from chyves.errors import UsageError

Names = Callable[[str, str], Iterable[str]]
"""What the host has of a kind: guests, groups, isos, firmware, pools, disks, snapshots, bridges, taps, uplinks.

The second argument is the guest that the line names, or empty: disks, snapshots and taps are that guest's. It must be
cheap, and gives nothing where it cannot know.
"""

KIND_OF_VALUE = {
    "resource": "firmware",
    "bridge{n}": "bridges",
    "group[,...]": "groups",
    "guest[,...]": "guests",
    "pool": "pools",
    "@name": "snapshots",
}
"""Properties whose values are things that the host has, by how their type is written."""


def complete(names: Names) -> None:
    """Answer the shell, as argcomplete's environment asks, and end the process."""
    import argcomplete
    from argcomplete.completers import SuppressCompleter
    from argcomplete.lexers import split_line

    _hear_tcsh()
    line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
    typed = split_line(line)[3][int(os.environ["_ARGCOMPLETE"]) :]
    words, _ = separated(typed)
    try:
        rows = reached(words)
    except UsageError:
        rows = ()
    parser = options_parser(rows or COMMANDS[:1])
    action = parser.add_argument("words", nargs="*")
    action.completer = lambda prefix, **_: offered(rows, words, prefix, names)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options=False, default_completer=SuppressCompleter())


def _hear_tcsh() -> None:
    """What tcsh says of the line in its own way (COMMAND_LINE), as argcomplete wants to hear it."""
    if "COMP_LINE" not in os.environ:
        line = os.environ["COMP_LINE"] = os.environ.get("COMMAND_LINE", "")
        os.environ.setdefault("COMP_POINT", str(len(line)))
        os.environ.setdefault("_ARGCOMPLETE_IFS", "\n")


def offered(rows: Rows, words: Sequence[str], prefix: str, names: Names) -> list[str]:
    """What can stand at the end of a line that begins with these words and is of one of these rows.

    The host is asked once for each kind, however many rows want it.
    """
    names = cache(names)
    found: dict[str, None] = {}
    for word in dict.fromkeys(position(row, len(words)) for row in rows):
        found.update(dict.fromkeys(literals(word)))
        if isinstance(word, Arg) and not word.choices:
            found.update(dict.fromkeys(_offered(word, words, prefix, names)))
    return [text for text in found if text.startswith(prefix)]


def _offered(arg: Arg, words: Sequence[str], prefix: str, names: Names) -> Iterator[str]:
    if arg.complete == "files":
        yield from _files(prefix)
        return
    done, comma, last = prefix.rpartition(",") if arg.split else ("", "", "")
    taken = done.split(",")
    if not comma:
        yield from arg.instead
    for name in _names(arg, words, prefix, names):
        if name not in taken:
            yield f"{done}{comma}{name}"
    if arg.check is targets.part:
        yield from (f"{done}{comma}{text}" for text in _choices(last, bool(comma), names))


def _choices(part: str, further: bool, names: Names) -> Iterator[str]:
    """How guests can be chosen where a part of a target begins so: groups, properties, values of them.

    Names of properties are offered behind a comma or a + only: at the beginning of a line they would hide the commands.
    """
    done, and_, term = part.rpartition(targets.AND)
    what, equals, _value = term.partition("=")
    if term.startswith(targets.GROUP):
        yield from (f"{done}{and_}{targets.GROUP}{group}" for group in names("groups", ""))
    elif equals:
        type_ = targets.type_of(what)
        yield from (f"{done}{and_}{what}={value}" for value in (_values(type_, names) if type_ else ()))
    elif and_ or (further and term):
        yield from (f"{done}{and_}{name}=" for name in targets.selectable())


def _topics(words: Sequence[str]) -> Iterable[str]:
    from chyves.cli.help import topics

    return topics(tuple(words[1:]))


def _names(arg: Arg, words: Sequence[str], prefix: str, names: Names) -> Iterable[str]:
    match arg.complete:
        case "":
            return ()
        case "properties":
            return _properties(words, names)
        case "assignments":
            return _assignments(words, prefix, names)
        case "topics":
            return _topics(words)
        case "owners":
            return names("guests", "")
        case "resources":
            return names("isos" if words[0] == "iso" else "firmware", "")
        case kind:
            return names(kind, _guest_of(words[1:] if words[:1] == ["network"] else words))


def _guest_of(words: Sequence[str]) -> str:
    """The first guest that a line names."""
    return "".join(words[:1]).partition(",")[0]


def _sections(words: Sequence[str]) -> Any:
    """The sections whose properties the line is about: those of its owner, or of guests where it has none."""
    from chyves import properties

    return {"global": properties.Global, "defaults": properties.Defaults}.get(words[0], properties.Guest)


def _properties(words: Sequence[str], names: Names) -> Iterator[str]:
    from chyves.section import Writer

    section = _sections(words)
    if words[-1] != "unset":
        yield from section.table
    else:
        yield from (name for name, row in section.table.items() if row.unset and row.writer is Writer.USER)
    if words[-1] in ("get", "unset"):
        yield from _numbered(words[0], words[-1], names)
    if words[-1] == "get":
        yield "all"


def _numbered(owner: str, verb: str, names: Names) -> Iterator[str]:
    """Properties with a number: to be set, those of each disk and tap there is; else those that are set."""
    from chyves.section import Writer

    section = _sections((owner,))
    for name in names("settable" if verb == "set" else "numbered", _guest_of((owner,))):
        row = section.row(name)
        if row is not None and (verb == "get" or row.writer is Writer.USER) and (verb != "unset" or row.unset):
            yield name


def _assignments(words: Sequence[str], prefix: str, names: Names) -> Iterator[str]:
    """Properties with `=`, or behind one its possible values; further guests where the first have a property."""
    from chyves.section import Writer

    owner = next((word for word in reversed(words[2:]) if "=" not in word), words[0])
    section = _sections((owner,))
    name, equals, value = prefix.partition("=")
    if equals:
        row = section.row(name)
        yield from (f"{name}={text}" for text in (_listed(row.type, value, owner, names) if row else ()))
        return
    yield from (f"{name}=" for name, row in section.table.items() if row.writer is Writer.USER)
    if "_" in prefix or prefix[-1:].isdigit():
        yield from (f"{name}=" for name in _numbered(owner, "set", names))
    if "=" in words[-1]:
        yield from names("guests", "")


def _listed(type_: Any, value: str, owner: str, names: Names) -> Iterator[str]:
    """What can follow in a value; where that is a list, each thing once."""
    done, comma, _last = value.rpartition(",") if type_.metavar.endswith("[,...]") else ("", "", "")
    taken = done.split(",")
    yield from (f"{done}{comma}{text}" for text in _values(type_, names, owner) if not comma or text not in taken)


def _values(type_: Any, names: Names, owner: str = "") -> Iterable[str]:
    kind = KIND_OF_VALUE.get(type_.metavar)
    return names(kind, _guest_of((owner,))) if kind else type_.words()


def _files(prefix: str) -> Iterable[str]:
    from glob import escape, glob

    return (f"{path}/" if os.path.isdir(path) else path for path in glob(f"{escape(prefix)}*"))
