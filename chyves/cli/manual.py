"""The manual page: the parts that the tables say, in mdoc(7), inside the frame man/chyves.8.in.

`python -m chyves.cli.manual < man/chyves.8.in > man/chyves.8` makes it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chyves.cli.help import FAULTS, groups
from chyves.cli.parser import GENERAL, general_options
from chyves.command import Arg, Command, Many, Option, Word
from chyves.commands import COMMANDS, HEADLESS
from chyves.doctor.kinds import KINDS, How
from chyves.events import EVENTS
from chyves.properties import DefaultsOnly, Global, Guest, Pool
from chyves.section import Section, When, Writer

SHARED = 3
"""An argument that so many commands have is described once, before them."""


def page(frame: str) -> str:
    """The manual page: the frame with each line `@part@` replaced by that part."""
    return re.sub(r"^@([a-z]+)@$", lambda match: "\n".join(PARTS[match[1]]()), frame, flags=re.MULTILINE)


def _synopsis() -> Iterator[str]:
    for row in COMMANDS:
        yield from (".Nm", f".{_line(row)}", *(f".{_option(option)}" for option in row.others))
        if row.flags:
            yield f".Op Fl {row.flags}"
        for group in row.choices.values():
            yield ".Op " + " | ".join(f"Fl {option.name[1:]}" for option in group)


def _line(row: Command) -> str:
    return " ".join(map(_word, row.words))


def _word(word: Word) -> str:
    if isinstance(word, str):
        return f"Cm {word}"
    if word.choices:
        choices = "Cm " + " | ".join(word.choices)
        return f"Oo {choices} Oc" if word.many is Many.OPTIONAL else f"Bro {choices} Brc"
    form = {
        Many.ONE: "Ar {}",
        Many.OPTIONAL: "Oo Ar {} Oc",
        Many.ANY: "Oo Ar {} ... Oc",
        Many.REST: "Oo Ar {} ... Oc",
        Many.SOME: "Ar {} ...",
    }
    further = f" Ns Oo , Ns Ar {word.name} Oc Ns ..." if word.split else ""
    return " | Cm ".join((form[word.many].format(f"{word.name}{further}"), *word.instead))


def _option(option: Option) -> str:
    return f"Op {_valued(option)}"


def _valued(option: Option) -> str:
    """An option with its value."""
    if option.bare:
        return f"Fl {option.name[1:]} Ns Oo = Ns Ar {option.metavar} Oc"
    return f"Fl {option.name[1:]} Ar {option.metavar}".removesuffix(" Ar ")


def _shared() -> list[Arg]:
    counted = Counter(arg for row in COMMANDS for arg in row.args)
    return [arg for arg, times in counted.items() if times >= SHARED]


def _words() -> Iterator[str]:
    yield ".Bl -tag -width indent"
    for arg in _shared():
        yield from (f".It {_word(arg)}", *_text(arg.doc))
    yield ".El"


def _general() -> Iterator[str]:
    for name, doc in GENERAL.items():
        short = " , y" if name == "--yes" else ""
        yield from (f".It Fl {name[1:]}{short}", *_text(doc))
    yield from (f".It Fl {HEADLESS.name[1:]}", *_text(HEADLESS.doc))


def _commands() -> Iterator[str]:
    for heading, rows in groups().items():
        yield from (f".Ss {heading}", ".Bl -tag -width indent")
        for row in rows:
            yield from _command(row)
        yield ".El"
        if heading == FAULTS:
            yield from _kinds()


def _kinds() -> Iterator[str]:
    """What doctor finds, by who repairs it."""
    for how in How:
        yield from (".Pp", *_text(f"{how.value}:"), ".Bl -tag -width indent -compact")
        for kind in (kind for kind in KINDS.values() if kind.how is how):
            yield from (f".It Li {_escaped(kind.name)}", *_text(f"{kind.means} {kind.remedy}"))
        yield ".El"


def _events() -> Iterator[str]:
    yield ".Bl -tag -width indent -compact"
    for name, doc in EVENTS.items():
        yield from (f".It Li {name}", *_text(doc))
    yield ".El"


def _command(row: Command) -> Iterator[str]:
    yield f".It {_line(row)}"
    yield from _text(row.doc)
    if row.root:
        yield "Needs root."
    general = general_options(row) + [option.name for option in row.options if option == HEADLESS]
    if general:
        yield "Takes"
        yield ".Fl " + " , ".join(name[1:] for name in general) + " ."
    shared = _shared()
    own = [(_word(arg), arg.doc) for arg in row.args if arg not in shared]
    own += [(_valued(option), option.doc) for option in row.options if option != HEADLESS]
    if own:
        yield from (".Pp", ".Bl -tag -width indent -compact")
        for head, doc in own:
            yield from (f".It {head}", *_text(doc))
        yield ".El"


def _properties(section: type[Section]) -> Iterator[str]:
    yield ".Bl -tag -width indent"
    rows: list[Any] = [*section.table.values(), *section.numbered.values()]
    for row in sorted(rows, key=lambda row: row.name):
        yield from _property(row)
    yield ".El"


def _property(row: Any) -> Iterator[str]:
    yield f".It Va {row.name}"
    yield from _text(row.doc)
    form = row.type.metavar
    yield from _text(f"Its form is {form if '[' in form else form.replace('|', ' | ')}.")
    if row.default:
        yield from ("The default is", f".Ql {_escaped(row.default)} .")
    if row.inherited:
        yield from ("New guests take it from", ".Cm defaults .")
    if row.writer is not Writer.USER:
        yield f"It is written by {row.writer.value}."
    if row.when is When.START:
        yield "A new value counts at the next start."
    if row.unset:
        yield from ("It can be taken out with", ".Cm unset .")
    if row.since != "0.1.0":
        yield f"Since {row.since}."
    yield from ("Example:", f".Ql {_escaped(f'{row.name}={row.example}'.replace('{n}', '1'))} .")


def _text(text: str) -> Iterable[str]:
    """Plain sentences, one a line, with what roff would take for its own made plain."""
    return (_escaped(sentence) for sentence in re.split(r"(?<=\.) (?=[A-Z])", text))


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


PARTS: dict[str, Callable[[], Iterable[str]]] = {
    "synopsis": _synopsis,
    "words": _words,
    "options": _general,
    "commands": _commands,
    "events": _events,
    "guest": lambda: _properties(Guest),
    "defaults": lambda: _properties(DefaultsOnly),
    "global": lambda: _properties(Global),
    "pool": lambda: _properties(Pool),
}


if __name__ == "__main__":
    sys.stdout.write(page(sys.stdin.read()))
