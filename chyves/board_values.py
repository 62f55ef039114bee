"""The types of properties that are of a guest's board: pins of processors, domains of memory, serial lines, items."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from chyves.values import NONE, Size

PORT = r"[1-9][0-9]{0,4}"
HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Line:
    """What a serial port of a guest is joined to: a null-modem pair, or an address where bhyve waits for a client."""

    pair: str = ""
    address: str = ""
    port: int = 0

    def __str__(self) -> str:
        return self.pair or f"tcp={self.address}:{self.port}"


class Lines:
    """`nmdm51`, or `tcp=127.0.0.1:4555`; empty or `-` for none."""

    metavar = "nmdm{n}|tcp=a.b.c.d:port"

    def parse(self, text: str) -> Line | None:
        if text in NONE:
            return None
        if re.fullmatch(r"nmdm(0|[1-9][0-9]{0,5})", text, re.ASCII):
            return Line(pair=text)
        address, _, port = text.removeprefix("tcp=").partition(":")
        try:
            place = str(ipaddress.IPv4Address(address))
        except ValueError:
            place = ""
        if not (text.startswith("tcp=") and place and re.fullmatch(PORT, port) and int(port) <= HIGHEST_PORT):
            raise ValueError("nmdm and a number, such as nmdm51, or an address and a port, such as tcp=127.0.0.1:4555")
        return Line(address=place, port=int(port))

    def format(self, value: Line | None) -> str:
        return "-" if value is None else str(value)

    def words(self) -> tuple[str, ...]:
        return ("tcp=127.0.0.1:4555",)


class Pins:
    """Which processors of the host run which of the guest's: `0:2,1:3`; one of the guest's may have several."""

    metavar = "n:host[,...]"

    def parse(self, text: str) -> tuple[tuple[int, int], ...]:
        found: list[tuple[int, int]] = []
        for item in () if text in NONE else text.split(","):
            match = re.fullmatch(r"(0|[1-9][0-9]{0,4}):(0|[1-9][0-9]{0,4})", item, re.ASCII)
            if not match or (int(match[1]), int(match[2])) in found:
                raise ValueError(
                    "pairs of a processor of the guest and one of the host, such as 0:2,1:3, each pair once"
                )
            found.append((int(match[1]), int(match[2])))
        return tuple(found)

    def format(self, value: tuple[tuple[int, int], ...]) -> str:
        return ",".join(f"{own}:{host}" for own, host in value) or "-"

    def words(self) -> tuple[str, ...]:
        return ("0:0",)


@dataclass(frozen=True)
class Domain:
    """A part of a guest's memory, in bytes, and the processors from `first` to `last` that are near to it."""

    size: int
    first: int
    last: int
    policy: str = ""

    @property
    def cpus(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


class Domains:
    """`size=2G,cpus=0-3[,domain_policy=prefer:0]`, the policy as cpuset(1) has it behind -n."""

    metavar = "size=n,cpus=n[-n][,domain_policy=policy:n]"
    _form = (
        r"size=(?P<size>[^,]+),cpus=(?P<first>0|[1-9][0-9]{0,4})(?:-(?P<last>0|[1-9][0-9]{0,4}))?"
        r"(?:,domain_policy=(?P<policy>(?:round-robin|rr|first-touch|ft|prefer|interleave|il):[0-9]+(?:-[0-9]+)?))?"
    )

    def parse(self, text: str) -> Domain:
        match = re.fullmatch(self._form, text)
        last = int(match["last"] or match["first"]) if match else 0
        if not match or last < int(match["first"]):
            raise ValueError("size=2G,cpus=0-3, and where wanted ,domain_policy=prefer:0")
        return Domain(Size(low=1 << 20).parse(match["size"]), int(match["first"]), last, match["policy"] or "")

    def format(self, value: Domain) -> str:
        policy = f",domain_policy={value.policy}" if value.policy else ""
        return f"size={Size().format(value.size)},cpus={value.cpus}{policy}"

    def words(self) -> tuple[str, ...]:
        return ("size=1G,cpus=0",)


@dataclass(frozen=True)
class Item:
    """Something that firmware and system of a guest can read by its name: a text, or a file's content."""

    name: str
    kind: str
    data: str

    def __str__(self) -> str:
        return f"{self.name},{self.kind}={self.data}"


class Items:
    """`opt/org.example/motd,string=hello`, or `opt/org.example/config,file=/root/config`."""

    metavar = "opt/name,string=text|opt/name,file=path"
    _form = (
        r"(opt/[A-Za-z0-9][A-Za-z0-9._/-]{0,50}),"
        r"(?:(string)=([ -$&-+\--~]{1,512})|(file)=(/[A-Za-z0-9_./:@+-]{1,1000}))"
    )

    def parse(self, text: str) -> Item:
        match = re.fullmatch(self._form, text)
        if not match:
            raise ValueError(
                "opt/name,string=text or opt/name,file=/path, the name of at most 55 characters, without commas and %"
            )
        return Item(match[1], match[2] or match[4], match[3] or match[5])

    def format(self, value: Item) -> str:
        return str(value)

    def words(self) -> tuple[str, ...]:
        return ("opt/",)
