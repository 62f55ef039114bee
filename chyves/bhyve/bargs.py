"""The options that a user gives to bhyve(8) and bhyveload(8) in `bargs` and `bhyveload_flags`."""

from __future__ import annotations

import getopt

from chyves.bhyve.facts import Facts
from chyves.errors import ChyvesError
from chyves.properties import Guest

BHYVE = "aehuwxACDHIMPSWYk:f:o:p:G:c:s:m:n:l:K:U:r:"
"""bhyve's options over all releases, as getopt(3) writes them (freebsd.md 1.1)."""
BHYVELOAD = "CSc:d:e:h:l:m:"
IN_SOME_RELEASES = frozenset("fkKMnor")
"""Options that not every release has; the others may be accepted without standing in `bhyve -h`."""
OWN_BHYVE = {
    "-c": "cpu",
    "-m": "ram",
    "-s": "pcidev_{n}, bhyve_disk_type and bhyve_net_type",
    "-U": "uuid",
    "-h": "",
    "-M": "",
}
"""What chyves gives itself, and where it takes it from; with -M reboots would stay inside bhyve, unseen by chyves."""
OWN_BHYVELOAD = {"-c": "serial", "-m": "ram"}

Options = list[tuple[str, str]]


def bhyve_options(guest: Guest) -> Options:
    """The options in `bargs`, one by one; raises ChyvesError for what getopt(3) would not take."""
    return _parse(guest, "bargs", guest.bargs, BHYVE)


def bhyveload_options(guest: Guest) -> Options:
    """The options in `bhyveload_flags`, one by one; raises ChyvesError for what getopt(3) would not take."""
    return _parse(guest, "bhyveload_flags", guest.bhyveload_flags, BHYVELOAD)


def _parse(guest: Guest, name: str, words: tuple[str, ...], grammar: str) -> Options:
    try:
        options, rest = getopt.getopt(list(words), grammar)
    except getopt.GetoptError as error:
        raise ChyvesError(f"{guest.owner}: {name}: {error}; see the manual of the program") from None
    if rest or "--" in words:
        word = rest[0] if rest else "--"
        raise ChyvesError(f"{guest.owner}: {name}: {word} is no option; give options alone, chyves adds the name")
    return options


def wires(guest: Guest) -> bool:
    """Whether `bargs` asks for memory that is never paged out."""
    return any(option == "-S" for option, _ in bhyve_options(guest))


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for options that chyves gives itself, or that this host's bhyve does not have."""
    options = bhyve_options(guest)
    _refuse_own(guest, "bargs", options, OWN_BHYVE)
    _refuse_own(guest, "bhyveload_flags", bhyveload_options(guest), OWN_BHYVELOAD)
    for option, value in options:
        letter = option[1:]
        if letter in IN_SOME_RELEASES and facts.host.options and letter not in facts.host.options:
            raise ChyvesError(f"{facts.name}: bargs: the bhyve of this host has no {option}; take it out")
        if option == "-l":
            _check_lpc(value, facts)
        if option == "-p":
            _check_pin(value, guest)
        if option == "-o" and value.startswith(("pci.", "config.dump")):
            raise ChyvesError(
                f"{facts.name}: bargs: -o {value} comes before the devices and spoils them; set pcidev_{{n}} instead"
            )


def _refuse_own(guest: Guest, name: str, options: Options, own: dict[str, str]) -> None:
    for option, _ in options:
        if option in own:
            advice = f"set {own[option]} instead" if own[option] else "take it out"
            raise ChyvesError(f"{guest.owner}: {name}: {option} is not possible here; {advice}")


def _check_lpc(value: str, facts: Facts) -> None:
    device, _, backend = value.partition(",")
    device = device.lower()
    if device in ("com1", "bootrom"):
        advice = "set serial instead" if device == "com1" else "set uefi_firmware instead"
        raise ChyvesError(f"{facts.name}: bargs: -l {device} is what chyves gives itself; {advice}")
    if device == "help" or (facts.host.lpc and device not in facts.host.lpc):
        raise ChyvesError(f"{facts.name}: bargs: -l {device} is not what the bhyve of this host has; take it out")
    if facts.console and backend in (f"{facts.console}A", f"{facts.console}B"):
        raise ChyvesError(f"{facts.name}: bargs: {backend} is what serial has already; use another null-modem pair")


def _check_pin(value: str, guest: Guest) -> None:
    first = value.partition(":")[0].partition("-")[0]
    if first.isdecimal() and int(first) >= guest.cpu:
        raise ChyvesError(
            f"{guest.owner}: bargs: -p {value} pins a processor that the guest does not have; "
            f"use numbers from 0 to {guest.cpu - 1}"
        )
