"""netstat(1): the counters of interfaces (`-i`), as text or, with `--libxo json`, as JSON."""

from __future__ import annotations

import getopt
import json
import sys

from chyves.lab.network import namespace
from chyves.lab.network.interface import VALE, Interface
from chyves.lab.network.interfaces import looked_at
from chyves.lab.place import Lab

USAGE = "usage: netstat -i | -I interface [-46abdhnW] [-f address_family] [--libxo json]"
HEADS = ("Ipkts", "Ierrs", "Idrop", "Ibytes", "Opkts", "Oerrs", "Obytes", "Coll")
KEYS = (
    "received-packets", "received-errors", "dropped-packets", "received-bytes", "sent-packets", "send-errors",
    "sent-bytes", "collisions",
)  # fmt: skip
BYTES = ("Ibytes", "Obytes")


def main(lab: Lab, argv: list[str]) -> int:
    """Run netstat(1) for interfaces; a lab has none of the other tables."""
    style, words = _style(argv)
    try:
        options, rest = getopt.getopt(words, "46abdhinWf:I:")
    except getopt.GetoptError as error:
        print(f"netstat: illegal option -- {error.opt}\n{USAGE}", file=sys.stderr)
        return 1
    asked = dict(options)
    if rest or not asked.keys() & {"-i", "-I"} or style not in ("text", "json"):
        print(USAGE, file=sys.stderr)
        return 1
    shown = [each for each in looked_at(lab) if each.family != VALE and asked.get("-I", each.name) == each.name]
    counters = _counters(lab)
    if style == "json":
        print(json.dumps({"statistics": {"interface": [_facts(each, counters, "-b" in asked) for each in shown]}}))
        return 0
    _table(shown, counters, "-b" in asked)
    return 0


def _style(argv: list[str]) -> tuple[str, list[str]]:
    """The form of the output, and the words without those that libxo(3) takes for itself."""
    style, words, left = "text", list(argv), []
    while words:
        word = words.pop(0)
        if word == "--libxo" and words:
            style = words.pop(0).partition(",")[0]
        elif word.startswith("--libxo=") or word.startswith("--libxo:"):
            style = word[8:].partition(",")[0]
        else:
            left.append(word)
    return style, left


def _counters(lab: Lab) -> dict[str, tuple[int, ...]]:
    """What Linux counts of real interfaces, in the order of HEADS; those that are only kept as state carry nothing.

    What a tap has sent to its process, the guest has received: Linux counts from the same side as FreeBSD does.
    """
    found: dict[str, tuple[int, ...]] = {}
    if not namespace.wanted(lab):
        return found
    try:
        namespace.join(lab)
    except OSError:
        return found  # there is no interface yet, or the lab is another user's
    with open("/proc/net/dev") as file:
        for line in file.readlines()[2:]:
            name, _, numbers = line.partition(":")
            each = [int(number) for number in numbers.split()]
            received, sent = each[:4], each[8:]
            found[name.strip()] = (
                received[1],
                received[2],
                received[3],
                received[0],
                sent[1],
                sent[2],
                sent[0],
                sent[5],
            )
    return found


def _numbers(interface: Interface, counters: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    real = interface.cloned and interface.family != "vale"
    return counters.get(interface.name, (0,) * 8) if real else (0,) * 8


def _facts(interface: Interface, counters: dict[str, tuple[int, ...]], with_bytes: bool) -> dict[str, object]:
    facts: dict[str, object] = {
        "name": interface.name,
        "flags": "0x8843" if interface.up else "0x8802",
        "mtu": interface.mtu,
        "network": f"<Link#{interface.number}>",
        "address": interface.ether or interface.name,
    }
    numbers = zip(KEYS, HEADS, _numbers(interface, counters), strict=True)
    return facts | {key: number for key, head, number in numbers if with_bytes or head not in BYTES}


def _table(shown: list[Interface], counters: dict[str, tuple[int, ...]], with_bytes: bool) -> None:
    heads = [head for head in HEADS if with_bytes or head not in BYTES]
    widths = [10 if head in BYTES else 8 if head.endswith("pkts") else 5 for head in heads]
    tail = " ".join(head.rjust(width) for head, width in zip(heads, widths, strict=True))
    print(f"{'Name':<7} {'Mtu':>5} {'Network':<13} {'Address':<17} {tail}")
    for each in shown:
        name = each.name + "*" * (not each.up)
        numbers = dict(zip(HEADS, _numbers(each, counters), strict=True))
        tail = " ".join(str(numbers[head]).rjust(width) for head, width in zip(heads, widths, strict=True))
        print(f"{name:<7} {each.mtu:>5} {f'<Link#{each.number}>':<13} {each.ether or each.name:<17} {tail}")
