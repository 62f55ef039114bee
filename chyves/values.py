"""The types that properties are made of: text to value and back, and the words that document and complete them.

`parse` raises ValueError whose text says what would be right, as the end of a sentence: "give ...".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Generic, Protocol, TypeVar

from chyves import names

T = TypeVar("T")
V_co = TypeVar("V_co", covariant=True)

NONE = ("", "-")
"""Both were written for "none" by 0.2.0."""

UNITS = "KMGT"
DISK_SERIAL, EUI64 = r"(?=[._-]*[A-Za-z0-9])[A-Za-z0-9._-]{1,20}", r"(?!0{16})[0-9a-f]{16}"
"""A disk's serial number, of which every emulation takes 20 characters, and what NVMe calls a namespace by.

`-` alone is none everywhere else; for an EUI-64 of zeros bhyve takes one of its own (pci_nvme.c).
"""


class Type(Protocol[T]):
    """How one kind of value is read, written, described and completed."""

    @property
    def metavar(self) -> str: ...
    def parse(self, text: str) -> T: ...
    def format(self, value: T) -> str: ...
    def words(self) -> tuple[str, ...]: ...


class _Wordless:
    """A type that has no words to offer for completion."""

    def words(self) -> tuple[str, ...]:
        return ()


class _AsWritten(_Wordless):
    """A type whose value is its own text."""

    def format(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Int(_Wordless):
    """A whole number from `low` to `high`, in decimal, with no sign but that of one below 0."""

    low: int
    high: int

    @property
    def metavar(self) -> str:
        return f"{self.low}..{self.high}"

    def parse(self, text: str) -> int:
        if (
            not re.fullmatch(r"-?[0-9]{1,18}" if self.low < 0 else r"[0-9]{1,18}", text, re.ASCII)
            or not self.low <= int(text) <= self.high
        ):
            raise ValueError(f"a whole number from {self.low} to {self.high}")
        return int(text)

    def format(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True)
class Choice(_AsWritten):
    """One of a few words."""

    names: tuple[str, ...]

    @property
    def metavar(self) -> str:
        return "|".join(self.names)

    def parse(self, text: str) -> str:
        if text not in self.names:
            raise ValueError(f"one of {', '.join(self.names)}")
        return text

    def words(self) -> tuple[str, ...]:
        return self.names


@dataclass(frozen=True)
class Flag:
    """Yes or no, written as the first pair; every pair that 0.2.0 or its manual used is read."""

    yes: str = "yes"
    no: str = "no"

    @property
    def metavar(self) -> str:
        return f"{self.yes}|{self.no}"

    def parse(self, text: str) -> bool:
        if text not in ("yes", "on", "no", "off"):
            raise ValueError(f"{self.yes} or {self.no}")
        return text in ("yes", "on")

    def format(self, value: bool) -> str:
        return self.yes if value else self.no

    def words(self) -> tuple[str, ...]:
        return (self.yes, self.no)


@dataclass(frozen=True)
class Size(_Wordless):
    """A number of bytes, written with a unit (K M G T, powers of 1024); a number alone counts in `bare` units."""

    bare: str = "M"
    low: int = 1
    high: int = 1 << 60
    power_of_two: bool = False

    metavar = "n[K|M|G|T]"

    def parse(self, text: str) -> int:
        match = re.fullmatch(r"([1-9][0-9]{0,18})([KMGTkmgt]?)", text, re.ASCII)
        unit = (match[2] or self.bare).upper() if match else ""
        size = int(match[1]) << 10 * (" " + UNITS).index(unit or " ") if match else 0
        if not self.low <= size <= self.high:
            raise ValueError(f"a number with K, M, G or T from {self.format(self.low)} to {self.format(self.high)}")
        if self.power_of_two and size & (size - 1):
            raise ValueError("a power of two, such as 16K")
        return size

    def format(self, value: int) -> str:
        for power in range(len(UNITS), 0, -1):
            if value >= 1 << 10 * power and value % (1 << 10 * power) == 0:
                return f"{value >> 10 * power}{UNITS[power - 1]}"
        return str(value)


@dataclass(frozen=True)
class Match(_AsWritten):
    """Text of a form."""

    pattern: str
    metavar: str
    right: str

    def parse(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(self.right)
        return text


@dataclass(frozen=True)
class Text(_AsWritten):
    """One line of free text, at most `length` characters."""

    metavar: str = "text"
    length: int = 4096

    def parse(self, text: str) -> str:
        if len(text) > self.length or not all(c.isprintable() or c == "\t" for c in text):
            raise ValueError(f"one line of at most {self.length} printable characters")
        return text


class Flags(_Wordless):
    """Options for a program, as words; quotes and shell characters have no meaning and are refused."""

    metavar = "flags"

    def parse(self, text: str) -> tuple[str, ...]:
        if not re.fullmatch(r"[A-Za-z0-9 ,.:;/=_+@%-]*", text, re.ASCII) or (
            text.strip() and not text.strip().startswith("-")
        ):
            raise ValueError("options such as -A -H -P, without quotes")
        return tuple(text.split())

    def format(self, value: tuple[str, ...]) -> str:
        return " ".join(value)


@dataclass(frozen=True)
class Named(_AsWritten):
    """Something that `chyves.names` has a rule for."""

    check: Callable[[str], str]
    metavar: str

    def parse(self, text: str) -> str:
        try:
            return self.check(text)
        except names.BadName as error:
            raise ValueError(f"{self.metavar} ({error.reason})") from None


class Uuid(_AsWritten):
    """A universally unique identifier, in lower case."""

    metavar = "uuid"

    def parse(self, text: str) -> str:
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text, re.ASCII):
            raise ValueError("8-4-4-4-12 hexadecimal digits, as uuidgen prints them")
        return text.lower()


class Mac(_AsWritten):
    """An Ethernet address that one card can have: neither zero nor of a group."""

    metavar = "xx:xx:xx:xx:xx:xx"

    def parse(self, text: str) -> str:
        pairs = text.lower().split(":")
        if len(pairs) != 6 or not all(re.fullmatch(r"[0-9a-f]{1,2}", pair, re.ASCII) for pair in pairs):
            raise ValueError("six pairs of hexadecimal digits, such as 58:9c:fc:00:00:01")
        octets = [int(pair, 16) for pair in pairs]
        if octets[0] & 1 or not any(octets):
            raise ValueError("the address of one card: not all zero, and the first pair even")
        return ":".join(f"{octet:02x}" for octet in octets)


class Ipv4(_AsWritten):
    """An IPv4 address."""

    metavar = "a.b.c.d"

    def parse(self, text: str) -> str:
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise ValueError("an IPv4 address, such as 127.0.0.1") from None

    def words(self) -> tuple[str, ...]:
        return ("127.0.0.1",)


@dataclass(frozen=True)
class Several(Generic[T]):
    """A list with commas, each item once; empty or `-` for none."""

    of: Type[T]

    @property
    def metavar(self) -> str:
        return f"{self.of.metavar}[,...]"

    @cached_property
    def _item(self) -> Callable[[str], T]:
        """Reads an item once: a list of all taps is read again for each guest that comes to it."""
        return cache(self.of.parse)

    def parse(self, text: str) -> tuple[T, ...]:
        items = () if text in NONE else tuple(map(self._item, text.split(",")))
        if len(set(items)) != len(items):
            raise ValueError(f"{self.metavar} with nothing named twice")
        return items

    def format(self, value: tuple[T, ...]) -> str:
        return ",".join(map(self.of.format, value)) or "-"

    def words(self) -> tuple[str, ...]:
        return self.of.words()


@dataclass(frozen=True)
class Maybe(Generic[T]):
    """A value or none; none is written as `none`."""

    of: Type[T]
    none: str = "-"

    @property
    def metavar(self) -> str:
        return self.of.metavar

    def parse(self, text: str) -> T | None:
        return None if text in NONE else self.of.parse(text)

    def format(self, value: T | None) -> str:
        return self.none if value is None else self.of.format(value)

    def words(self) -> tuple[str, ...]:
        return self.of.words()


class Sectors(_AsWritten):
    """Bytes of a disk's sectors, the logical and, where it is another, the physical: `512/4096` (bhyve(8))."""

    metavar = "n[/n]"

    def parse(self, text: str) -> str:
        parts = re.fullmatch(r"([1-9][0-9]{2,4})(?:/([1-9][0-9]{2,4}))?", text, re.ASCII)
        logical, physical = (int(parts[1]), int(parts[2] or parts[1])) if parts else (0, 0)
        if not 512 <= logical <= physical or logical & (logical - 1) or physical & (physical - 1):
            raise ValueError("logical[/physical] in bytes, powers of two from 512, the physical one not smaller")
        return text

    def words(self) -> tuple[str, ...]:
        return ("512", "512/4096", "4096")


class BlockOptions:
    """Options of a disk as bhyve writes them: `nocache,direct,ro,sectorsize=512/4096` in any order (bhyve(8))."""

    metavar = "[nocache,][direct,][ro,][sectorsize=n[/n]]"

    def parse(self, text: str) -> tuple[str, ...]:
        options = () if text in NONE else tuple(text.split(","))
        for option in options:
            name, _, value = option.partition("=")
            if name != "sectorsize" and option not in ("nocache", "direct", "sync", "ro", "nodelete"):
                raise ValueError("options out of nocache, direct, ro, nodelete, sectorsize=logical[/physical]")
            if name == "sectorsize":
                Sectors().parse(value)
        if len({option.partition("=")[0] for option in options}) != len(options):
            raise ValueError("each option once")
        return options

    def format(self, value: tuple[str, ...]) -> str:
        return ",".join(value)

    def words(self) -> tuple[str, ...]:
        return ("nocache", "direct", "ro", "nodelete", "sectorsize=512/4096")


class PortMacs(_Wordless):
    """The Ethernet addresses of cards on VALE switches: `vale0:1=MAC,vale1=MAC`."""

    metavar = "vale{s}[:{p}]=mac,..."

    def parse(self, text: str) -> dict[str, str]:
        items = () if text in NONE else text.split(",")
        found = {port: Mac().parse(mac) for port, _, mac in (item.partition("=") for item in items)}
        if len(found) != len(items) or not all(port.startswith("vale") for port in found):
            raise ValueError("vale{s}[:{p}]=mac, each once")
        return found

    def format(self, value: dict[str, str]) -> str:
        return ",".join(f"{port}={mac}" for port, mac in value.items())


class Identities(_Wordless):
    """What raw images are to the guest: `a.img=SERIAL,b.img=SERIAL/EUI64`, by their file names."""

    metavar = "file=serial[/eui64],..."

    def parse(self, text: str) -> dict[str, tuple[str, str | None]]:
        found: dict[str, tuple[str, str | None]] = {}
        for item in () if text in NONE else text.split(","):
            match = re.fullmatch(rf"([A-Za-z0-9_.:+@-]+)=({DISK_SERIAL})(?:/({EUI64}))?", item, re.ASCII)
            if not match or match[1] in found:
                raise ValueError("file=serial[/eui64], each file once")
            found[match[1]] = (match[2], match[3])
        return found

    def format(self, value: dict[str, tuple[str, str | None]]) -> str:
        return ",".join(f"{file}={serial}" + (f"/{eui64}" if eui64 else "") for file, (serial, eui64) in value.items())


BARE_NAME = Named(names.resource, "resource")
