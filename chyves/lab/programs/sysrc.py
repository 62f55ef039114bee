"""sysrc(8): reads and changes the variables of rc.conf."""

from __future__ import annotations

import getopt
import os
import re
import sys
from pathlib import Path

from chyves.lab.place import Lab

USAGE = """\
usage: sysrc [OPTIONS] {name[[+|-]=value] ...}
       sysrc [OPTIONS] -a | -A | -l
       sysrc [OPTIONS] -x name ..."""
LINE = r"^[ \t]*{name}=(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s;#\n]*)).*$"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DEFAULT_FILES = ("/etc/rc.conf", "/etc/rc.conf.local")
# What /etc/defaults/rc.conf says of variables that a manager of guests asks for.
DEFAULTS = {
    "hostname": "",
    "kld_list": "",
    "cloned_interfaces": "",
    "autobridge_interfaces": "",
    "gateway_enable": "NO",
    "zfs_enable": "NO",
    "pf_enable": "NO",
    "sshd_enable": "NO",
    "rcshutdown_timeout": "90",
    "local_startup": "/usr/local/etc/rc.d",
}


class Refused(Exception):
    """sysrc says this of a variable, and its status becomes 1."""


def main(lab: Lab, argv: list[str]) -> int:
    """Run sysrc(8): `name` shows, `name=value`, `name+=item` and `name-=item` change, -x removes, -a lists.

    Without -f it reads /etc/rc.conf and /etc/rc.conf.local and writes the first. The status is 1 when one failed.
    """
    try:
        options, words = getopt.getopt(argv, "aAcdDeEFf:hij:lLnNqR:s:vx", ["help", "version"])
    except getopt.GetoptError as error:
        print(f"sysrc: illegal option -- {error.opt}\n{USAGE}", file=sys.stderr)
        return 1
    asked = {option for option, _ in options}
    call = Call(lab, asked, [value for option, value in options if option == "-f"])
    if asked & {"-a", "-A"}:
        return call.list()
    if "-l" in asked:
        print(*call.files, sep="\n")
        return 0
    if not words:
        print(USAGE, file=sys.stderr)
        return 1
    return max([_one(call, word) for word in words])


def _one(call: Call, word: str) -> int:
    try:
        return call.word(word)
    except Refused as refused:
        print(f"sysrc: {refused}", file=sys.stderr)
        return 1


class Call:
    """One call of sysrc: its options and the files that it reads, the last of which wins."""

    def __init__(self, lab: Lab, asked: set[str], files: list[str]) -> None:
        self.asked, self.files = asked, files or list(DEFAULT_FILES)
        self.places = [lab.inside(file) if files else lab.root / file.lstrip("/") for file in self.files]
        self.defaults = {} if files else DEFAULTS

    def text(self, place: Path) -> str:
        return place.read_text() if place.exists() else ""

    def value(self, name: str) -> str | None:
        """A variable's value: its last assignment, else its default; None for an unknown one."""
        found = [match for place in self.places for match in re.finditer(self._line(name), self.text(place), re.M)]
        if not found:
            return self.defaults.get(name)
        return next((group for group in found[-1].groups() if group is not None), "")

    def _line(self, name: str) -> str:
        return LINE.format(name=re.escape(name))

    def list(self) -> int:
        found = [
            name for place in self.places for name in re.findall(r"^[ \t]*([A-Za-z_]\w*)=", self.text(place), re.M)
        ]
        names = {**self.defaults, **dict.fromkeys(found)} if "-A" in self.asked else dict.fromkeys(found)
        for name in sorted(names):
            self.show(name, self.value(name) or "")
        return 0

    def show(self, name: str, value: str) -> None:
        if "-N" in self.asked:
            print(name)
        elif "-e" in self.asked:
            print(f'{name}="{value}"')
        else:
            print(value if "-n" in self.asked else f"{name}: {value}")

    def word(self, word: str) -> int:
        """Show, set, extend, shorten or remove the variable of a word; returns the status."""
        name, equals, value = word.partition("=")
        sign = name[-1:] if equals and name[-1:] in "+-" else ""
        name = name.removesuffix(sign) if sign else name
        if not NAME.fullmatch(name):
            raise Refused(f"{name}: name contains characters not allowed in shell")
        if "-x" in self.asked:
            return self.remove(name)
        return self.set(name, sign, value) if equals else self.get(name)

    def get(self, name: str) -> int:
        value = self.value(name)
        if value is None:
            if "-i" in self.asked:
                return 0
            if "-q" in self.asked or "-c" in self.asked:
                return 1
            raise Refused(f"unknown variable '{name}'")
        if "-c" not in self.asked:
            self.show(name, value)
        return 0

    def set(self, name: str, sign: str, value: str) -> int:
        before = self.value(name) or ""
        after = {"+": _with, "-": _without}[sign](before, value) if sign else value
        if "-c" in self.asked:
            return 0 if self.value(name) == after else 1
        if '"' in after:
            raise Refused(f"{name}: value cannot contain a double quote")
        self.write(name, f'{name}="{after}"')
        shown = f'{name}="{after}"' if "-e" in self.asked else f"{before} -> {after}"
        print(shown if self.asked & {"-n", "-e"} else f"{name}: {shown}")
        return 0

    def remove(self, name: str) -> int:
        there = any(re.search(self._line(name), self.text(place), re.M) for place in self.places)
        if not there and "-i" not in self.asked:
            raise Refused(f"unknown variable '{name}'")
        for place in self.places if there else []:
            _write(place, re.sub(self._line(name) + r"\n?", "", self.text(place), flags=re.M))
        return 0

    def write(self, name: str, line: str) -> None:
        """Put a line where the variable is set now, else at the end of the first file."""
        holders = [place for place in self.places if re.search(self._line(name), self.text(place), re.M)]
        place = holders[-1] if holders else self.places[0]
        text = self.text(place)
        found = list(re.finditer(self._line(name), text, re.M))
        if found:
            text = text[: found[-1].start()] + line + text[found[-1].end() :]
        else:
            text += "\n" * (bool(text) and not text.endswith("\n")) + line + "\n"
        _write(place, text)


def _split(item: str) -> tuple[str, str]:
    """An item and its separator: the item's first character when that is neither letter nor digit."""
    return (" ", item) if item[:1].isalnum() or not item else (item[0], item[1:])


def _with(before: str, item: str) -> str:
    separator, bare = _split(item)
    parts = [part for part in before.split(separator) if part]
    return before if bare in parts else separator.join([*parts, bare])


def _without(before: str, item: str) -> str:
    separator, bare = _split(item)
    return separator.join(part for part in before.split(separator) if part and part != bare)


def _write(place: Path, text: str) -> None:
    """Change a file whole, keeping its mode; raises Refused."""
    new = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        new.write_text(text)
        if place.exists():
            new.chmod(place.stat().st_mode & 0o7777)
        new.replace(place)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Refused(f"{place}: {error.strerror}") from None
