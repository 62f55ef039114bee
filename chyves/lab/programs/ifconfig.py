"""ifconfig(8): lists, makes, changes and destroys the lab's network interfaces."""

from __future__ import annotations

import contextlib
import fcntl
import getopt
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_interface

from chyves.lab.network import vlans
from chyves.lab.network.clone import cloners, create
from chyves.lab.network.interface import VALE, Interface
from chyves.lab.network.interfaces import Interfaces, changing, looked_at
from chyves.lab.network.show import block
from chyves.lab.network.verbs import Failed, HeldOpen, Warned, set_address
from chyves.lab.place import Lab

USAGE = """\
usage: ifconfig [-j jail] [-f type:format] interface address_family
                [address [dest_address]] [parameters]
       ifconfig [-j jail] interface create
       ifconfig [-j jail] -a [-d] [-m] [-u] [-v] [-f type:format] [address_family]
       ifconfig [-j jail] -l [-d] [-u] [address_family]
       ifconfig [-j jail] [-d] [-m] [-u] [-v] [-f type:format]
       ifconfig [-j jail] -g groupname
       ifconfig -C
"""
ADDRESS_FAMILIES = ("inet", "inet6", "ether", "link", "lladdr")
OF_ADDRESS = ("netmask", "broadcast", "prefixlen")
CHANGES = {"alias": "alias", "add": "alias", "-alias": "-alias", "delete": "-alias", "remove": "-alias"}


def main(lab: Lab, argv: list[str]) -> int:
    """Run ifconfig(8); reference: freebsd.md section 4."""
    try:
        options, words = getopt.getopt(argv, "aCdDf:g:G:j:klLmnuv")
    except getopt.GetoptError as error:
        print(f"ifconfig: illegal option -- {error.opt}\n{USAGE}", end="", file=sys.stderr)
        return 1
    asked = dict(options)
    if "-C" in asked:
        with changing(lab) as interfaces:
            print(" ".join(cloners(interfaces)))
        return 0
    if "-l" in asked or "-a" in asked or not words or words[0] in ADDRESS_FAMILIES[:2]:
        return _list(looked_at(lab), asked)
    return _one(lab, words)


def _list(interfaces: Interfaces, asked: dict[str, str]) -> int:
    known = [it for it in interfaces if it.family != VALE]
    chosen = [it for it in known if not ("-u" in asked and not it.up) and not ("-d" in asked and it.up)]
    if "-g" in asked:
        chosen = [it for it in chosen if asked["-g"] in it.groups]
    if "-l" in asked:
        print(" ".join(it.name for it in chosen))
    elif "-g" in asked and "-a" not in asked:
        sys.stdout.writelines(f"{it.name}\n" for it in chosen)
    else:
        sys.stdout.writelines(f"{block(it, interfaces)}\n" for it in chosen)
    return 0


def _one(lab: Lab, words: list[str]) -> int:
    call = Call(words[0], words[1:])
    with _detach_lock(lab) if {"destroy", "unplumb"} & set(words) else contextlib.nullcontext():
        while True:
            try:
                with changing(lab) as interfaces:
                    call.run(interfaces)
                break
            except HeldOpen:
                time.sleep(0.1)
            except Failed as failure:
                print(f"ifconfig: {failure}", file=sys.stderr)
                return 1
    return 0


@contextlib.contextmanager
def _detach_lock(lab: Lab) -> Iterator[None]:
    """FreeBSD destroys one interface at a time: while one waits for its device to be closed, all others wait too."""
    with (lab.state / "detach.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Call:
    """One call of ifconfig: the words that are still to be executed, from left to right."""

    def __init__(self, name: str, words: list[str]) -> None:
        self.name, self.words = name, words
        self.family = "inet"
        self.print_name = False
        self.show = not words

    def run(self, interfaces: Interfaces) -> None:
        """Execute the words; raises Failed where ifconfig stops, HeldOpen where it has to wait."""
        if self.words and self.words[0] in ("create", "plumb"):
            self._create(interfaces)
        if len(self.name) > 15:
            raise Failed(f"{self.name}: interface name too long")
        if (interface := interfaces.get(self.name)) is None:
            raise Failed(f"interface {self.name} does not exist")
        if self.show:
            print(block(interface, interfaces))
        while self.words:
            self._word(interfaces, interface)
            self.name = interface.name
        if self.print_name:
            print(self.name)

    def _create(self, interfaces: Interfaces) -> None:
        rest = self.words[1:]
        made = create(interfaces, self.name, rest)
        self.print_name = made.name != self.name
        self.name, self.words = made.name, rest

    def _word(self, interfaces: Interfaces, interface: Interface) -> None:
        word, *rest = self.words
        if word in ("inet", "inet6"):
            self.family, self.words = word, rest
            return
        verbs = vlans.verbs(interfaces)
        if word == "addm" and vlans.known(interfaces):
            self.words = vlans.addm(interfaces, interface, rest)
            return
        if word not in verbs:
            self.words = self._address(interfaces, interface, word, rest)
            return
        count, function = verbs[word]
        if len(rest) < count:
            raise Failed(f"'{word}' requires {'argument' if count == 1 else f'{count} arguments'}")
        try:
            function(interfaces, interface, " ".join(rest[:count]))
        except Warned as warning:
            print(f"ifconfig: {warning}", file=sys.stderr)
        self.words = rest[count:]

    def _address(self, interfaces: Interfaces, interface: Interface, word: str, rest: list[str]) -> list[str]:
        """Set, add or remove the address that a word is; returns the words behind those that belong to it."""
        length: str | int | None = None
        change = "set"
        while rest and (rest[0] in CHANGES or (rest[0] in OF_ADDRESS and len(rest) > 1)):
            if rest[0] in CHANGES:
                change, rest = CHANGES[rest[0]], rest[1:]
            else:
                length = length if rest[0] == "broadcast" else _length(rest[1])
                rest = rest[2:]
        set_address(interfaces, interface, _with_length(word, length), change)
        return rest


def _length(word: str) -> str:
    """A netmask as a prefix length: dotted, hexadecimal, or the length itself."""
    mask = ".".join(str(byte) for byte in int(word, 16).to_bytes(4)) if word.startswith("0x") else word
    return str(IPv4Network(f"0.0.0.0/{mask}").prefixlen) if "." in mask else mask


def _with_length(word: str, length: str | int | None) -> str:
    bare = word.partition("%")[0]
    if "/" not in bare:
        default = 64 if ":" in bare else 24
        bare = f"{bare}/{default if length is None else length}"
    try:
        return str(ip_interface(bare))
    except ValueError:
        raise Failed(f"{word}: bad value") from None
