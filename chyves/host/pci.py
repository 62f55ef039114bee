"""The PCI devices of the host, through pciconf(8) and devctl(8)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chyves.host.run import Runner

PASSTHROUGH = "ppt"
"""The driver that has devices for guests; it is a part of vmm."""
BRIDGE = 0x06
"""The class of devices that others hang on: ppt(4) takes none of them."""
STORAGE = 0x01
"""The class of controllers that disks are at."""
HEAD = re.compile(r"(\w+?)([0-9]+)@pci([0-9]+):([0-9]+):([0-9]+):([0-9]+):\s+class=0x([0-9a-f]{2})")


@dataclass(frozen=True)
class PciDevice:
    """A device: `place` is its bus, slot and function, `2/0/0`, and what it and its driver are called."""

    place: str
    driver: str
    number: int
    kind: int
    vendor: str = ""
    text: str = ""

    @property
    def name(self) -> str:
        """What the kernel calls it, such as em0; nothing where no driver has it."""
        return f"{self.driver}{self.number}" if self.driver else ""

    @property
    def passed(self) -> bool:
        """Whether it is for guests."""
        return self.driver == PASSTHROUGH


class Pci:
    """The devices and their drivers. Every refusal by devctl is a ProgramFailed with its words."""

    def __init__(self, run: Runner) -> None:
        self.run = run

    def all(self) -> dict[str, PciDevice]:
        """Every device by its place, from one process. bhyve(8) reaches those of domain 0, and no others are told."""
        return parse(self.run.ask("pciconf", "-lv"))

    def give(self, place: str) -> None:
        """Take a device from its driver and let ppt have it, until the host starts anew."""
        self.run.do("devctl", "set", "driver", "-f", _selector(place), PASSTHROUGH)

    def take_back(self, place: str) -> None:
        """Let the host's own drivers have a device again."""
        self.run.do("devctl", "clear", "driver", "-f", _selector(place))


def _selector(place: str) -> str:
    return f"pci0:{place.replace('/', ':')}"


def parse(text: str) -> dict[str, PciDevice]:
    """The devices in what `pciconf -lv` prints: a line that is not indented begins each."""
    found = {}
    for block in re.split(r"\n(?=\S)", text.strip("\n")):
        match = HEAD.match(block)
        if match is None or match[3] != "0":
            continue
        words = dict(re.findall(r"^\s+(\w+)\s+= '?(.*?)'?$", block, re.MULTILINE))
        place = "/".join(match.group(4, 5, 6))
        driver = "" if match[1] == "none" else match[1]
        device = PciDevice(
            place, driver, int(match[2]), int(match[7], 16), words.get("vendor", ""), words.get("device", "")
        )
        found[place] = device
    return found
