"""Where a resource comes from: a file or an address, and the name it gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from chyves import names
from chyves.errors import ChyvesError

SCHEMES = ("http", "https", "ftp")
PACKINGS = ("gz", "xz")


@dataclass(frozen=True)
class Address:
    """An http, https or ftp address; `url` is without user and password, which no message may show."""

    url: str
    user: str | None = None
    password: str | None = None

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int | None:
        return urlsplit(self.url).port

    @property
    def shown(self) -> str:
        """The address for a message: also without the query, which may hold a key."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.url).path)


@dataclass(frozen=True)
class Source:
    """What is to be imported: from a file's path or an address, packed (`gz`, `xz`) or not (empty), as `name`."""

    place: str | Address
    name: str
    packing: str

    @property
    def shown(self) -> str:
        return self.place.shown if isinstance(self.place, Address) else self.place

    @property
    def fetched_name(self) -> str:
        """The file's name before it is unpacked."""
        return f"{self.name}.{self.packing}" if self.packing else self.name


def read_source(word: str) -> Source:
    """Understand a user's word; raises ChyvesError where it is no address, or names no resource."""
    place = address(word)
    path = place.path if isinstance(place, Address) else place
    last = path.rpartition("/")[2]
    if not last or not path.isprintable():
        raise ChyvesError(f"{names.shown(_shown(place))}: names no file; give a file, or its address")
    name, packing = _unpacked(last)
    return Source(place, names.resource(name), packing)


def address(word: str) -> str | Address:
    """The address that a word is, or the word where it is a path; raises ChyvesError for an address that is wrong."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", word)
    return _address(word, match[1].lower()) if match else word


def _shown(place: str | Address) -> str:
    return place.shown if isinstance(place, Address) else place


def _unpacked(name: str) -> tuple[str, str]:
    stem, _, ending = name.rpartition(".")
    return (stem, ending.lower()) if stem and ending.lower() in PACKINGS else (name, "")


def _address(word: str, scheme: str) -> Address:
    if scheme not in SCHEMES:
        raise ChyvesError(f"{scheme}: is no kind of address that can be fetched from; give http, https, ftp or a path")
    if not word.isascii() or not word.isprintable() or " " in word:
        raise ChyvesError(
            f"the {scheme} address: has blanks or special characters in it; write them as % and two digits"
        )
    try:
        parts = urlsplit(word)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise ChyvesError(f"the {scheme} address: names no host or a wrong port; write {scheme}://host/path")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    netloc = parts.netloc.rpartition("@")[2]
    return Address(urlunsplit((scheme, netloc, parts.path, parts.query, "")), user, password)
