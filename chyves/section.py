"""What a table of properties is made of: rows that are typed attributes, sections of them, and their text."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from chyves.errors import ChyvesError
from chyves.names import shown
from chyves.values import Type

T = TypeVar("T")


class Writer(enum.Enum):
    """Who may write a property."""

    USER = "the user"
    CHYVES = "chyves only"
    NETWORK = "the network commands"


class When(enum.Enum):
    """When a new value takes effect."""

    NOW = "now"
    START = "at the next start"


class PropertyError(ChyvesError):
    """A value is not what its property can be."""

    def __init__(self, owner: str, name: str, value: str, right: str) -> None:
        from chyves.masking import secret_named

        told = "this" if secret_named(name) else shown(value)  # also in the logs
        super().__init__(f"{owner}: {name}: {told} is not possible; give {right}")


class UnknownProperty(ChyvesError):
    """A section has no property of this name."""

    def __init__(self, owner: str, name: str, known: str) -> None:
        super().__init__(f"{owner}: {shown(name)} is no property; {known}")


class NotSet(ChyvesError):
    """A section has no value for a property that has no default."""

    def __init__(self, owner: str, name: str) -> None:
        super().__init__(f"{owner}: {name}: is not set; see: chyves {owner} get all")


class _Row(Generic[T]):
    """A row of a table: what is known of one property, or of one for each number."""

    def __init__(
        self,
        type: Type[T],
        default: str,
        doc: str,
        *,
        example: str,
        since: str = "0.1.0",
        writer: Writer = Writer.USER,
        when: When = When.START,
        unset: bool = False,
        inherited: bool = False,
        name: str = "",
    ) -> None:
        self.type, self.default, self.doc, self.example, self.since = type, default, doc, example, since
        self.writer, self.when, self.unset, self.inherited, self.name = writer, when, unset, inherited, name

    def __set_name__(self, owner: type[Section], name: str) -> None:
        self.name = self.name or name

    def parse(self, owner: str, text: str, name: str = "") -> T:
        """The value of a text; raises PropertyError that names `owner` and says what would be right."""
        try:
            return self.type.parse(text)
        except ValueError as error:
            raise PropertyError(owner, name or self.name, text, str(error)) from None


class Property(_Row[T]):
    """One property: a typed attribute of its section, and a row of its table.

    `default` is the text that stands for a missing line; `inherited` rows also stand in `.defaults`, from which a new
    guest takes its value; `unset` rows may be taken out of a guest's file again.
    """

    @overload
    def __get__(self, section: None, owner: type[Section]) -> Property[T]: ...
    @overload
    def __get__(self, section: Section, owner: type[Section]) -> T: ...
    def __get__(self, section: Section | None, owner: type[Section]) -> Property[T] | T:
        if section is None:
            return self
        return self.parse(section.owner, section.text.get(self.name, self.default))


class Numbered(_Row[T]):
    """A property for each number, such as `tap{n}_mac`: an attribute that is a dict from number to value."""

    highest: int

    def __init__(self, type: Type[T], default: str, doc: str, *, highest: int, **rest: Any) -> None:
        super().__init__(type, default, doc, **rest)
        self.highest = highest

    def __set_name__(self, owner: type[Section], name: str) -> None:
        self._before, self._after = self.name.split("{n}")

    def number(self, name: str) -> int | None:
        """The number in a property's name, or None where the name is not of this row."""
        if not (name.startswith(self._before) and name.endswith(self._after)):
            return None
        digits = name[len(self._before) : len(name) - len(self._after)]
        plain = len(digits) <= 5 and digits.isascii() and digits.isdecimal() and str(int(digits)) == digits
        return int(digits) if plain and int(digits) <= self.highest else None

    @overload
    def __get__(self, section: None, owner: type[Section]) -> Numbered[T]: ...
    @overload
    def __get__(self, section: Section, owner: type[Section]) -> dict[int, T]: ...
    def __get__(self, section: Section | None, owner: type[Section]) -> Numbered[T] | dict[int, T]:
        if section is None:
            return self
        found = ((self.number(name), name, text) for name, text in section.text.items())
        return {number: self.parse(section.owner, text, name) for number, name, text in found if number is not None}


class Section:
    """A set of properties over the text of one file; `owner` is whose they are, for messages."""

    table: ClassVar[dict[str, Property[Any]]] = {}
    numbered: ClassVar[dict[str, Numbered[Any]]] = {}

    def __init_subclass__(cls) -> None:
        rows = [row for base in reversed(cls.__mro__) for row in vars(base).values()]
        cls.table = {row.name: row for row in rows if isinstance(row, Property)}
        cls.numbered = {row.name: row for row in rows if isinstance(row, Numbered)}

    def __init__(self, owner: str, text: Mapping[str, str]) -> None:
        self.owner, self.text = owner, text

    @classmethod
    def row(cls, name: str) -> Property[Any] | Numbered[Any] | None:
        """The row that a property's name belongs to, or None for an unknown name."""
        return cls.table.get(name) or next((row for row in cls.numbered.values() if row.number(name) is not None), None)

    def get(self, name: str) -> str:
        """The text of a property as it counts now: set, or default; raises UnknownProperty or NotSet."""
        row = self.row(name)
        if name in self.text:
            return self.text[name]
        if row is None:
            raise UnknownProperty(self.owner, name, "see: chyves list properties")
        if isinstance(row, Numbered):
            raise NotSet(self.owner, name)
        return row.default

    def counting(self, name: str) -> str | None:
        """The text of a property as it counts now: set, or default; None where it has neither."""
        row = self.row(name)
        return self.text.get(name, row.default if isinstance(row, Property) else None)

    def with_changes(self, changes: Mapping[str, str | None]) -> Self:
        """The same section with some texts set, and those that are None taken out."""
        text = {name: value for name, value in self.text.items() if name not in changes}
        return type(self)(self.owner, text | {name: value for name, value in changes.items() if value is not None})

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Every property that is set or has a default, in the order of the table, then the others by name."""
        yield from ((name, self.text.get(name, row.default)) for name, row in self.table.items())
        yield from ((name, self.text[name]) for name in sorted(self.text) if name not in self.table)

    def unknown(self) -> list[str]:
        """Names in the file that no row knows: kept, and warned of."""
        return [name for name in self.text if self.row(name) is None]

    def check(self) -> None:
        """Parse every value that is set; raises PropertyError for the first that is not possible."""
        for name, text in self.text.items():
            row = self.row(name)
            if row is not None:
                row.parse(self.owner, text, name)


class BadFile(ChyvesError):
    """A file of properties cannot be read as one."""


def read_text(text: str, where: str) -> dict[str, str]:
    """The properties in the text of a file: `name=value` a line, a later line wins; raises BadFile that names `where`.

    Empty lines and lines that begin with `#` are passed over, as FreeBSD's own files of this form have them.
    """
    found: dict[str, str] = {}
    odd = "\0" in text or "\r" in text
    for number, line in enumerate(text.split("\n"), 1):
        name, equals, value = line.partition("=")
        # Nearly all lines are plain, and there are thousands of them in a listing.
        if equals and not odd and name.isidentifier():
            found[name] = value
        elif parts := _parts(line, number, where):
            found[parts[0]] = parts[1]
    return found


def _parts(line: str, number: int, where: str) -> tuple[str, str] | None:
    """The name and the value in a line, or None where it has none; raises BadFile."""
    line = line.removesuffix("\r")
    if not line or line.startswith("#"):
        return None
    name, equals, value = line.partition("=")
    if not equals or not name or name.split() != [name] or "\0" in line or "\r" in line:
        raise BadFile(f"{where}: line {number} is not name=value: {shown(line)}; mend or remove the line")
    return name, value


def write_text(text: Mapping[str, str]) -> str:
    """The text of a file of properties, by name; raises BadFile where a name or value cannot be kept in one line."""
    for name, value in text.items():
        if (
            not name
            or name.split() != [name]
            or name.startswith("#")
            or "=" in name
            or any(c in name + value for c in "\n\r\0")
        ):
            raise BadFile(f"{shown(name)}: cannot be kept as one line of name=value; leave line ends and blanks out")
    return "".join(f"{name}={text[name]}\n" for name in sorted(text))
