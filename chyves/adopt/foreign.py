"""What another manager's guest is, in the words of chyves: properties, disks and cards, and what is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

TRUE = frozenset(("yes", "true", "on", "1"))
"""What says yes in the files of other managers, in any case."""

CD = "ahci-cd"
"""A disk of that kind is a CD, which chyves has as a medium of a start alone; one that stays is a disk to it."""

OPTIONS = {"nocache": ("cache", "nocache"), "direct": ("cache", "direct"), "ro": ("readonly", "yes")}
"""Words that follow a disk in a line of bhyve(8), by what they are to chyves."""

AFTER = {"restart": "restart", "destroy": "stop"}
"""What follows an end, by the words of libvirt and CBSD."""

SCREEN = {"loader": "uefi", "uefi_console_output": "vnc"}


@dataclass(frozen=True)
class ForeignDisk:
    """A disk: the file or device that it is, how bhyve calls the device that it is for the guest, and its place.

    A `place` is slot:function on the guest's PCI bus, or nothing where it is not known; `settings` are what chyves
    has as disk{n}_WHAT, with its WHAT first.
    """

    path: str
    emulation: str
    place: str = ""
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Card:
    """A network card: its Ethernet address, where one was set, the bridge or switch that it is on, and its place.

    `settings` are what chyves has as tap{n}_WHAT.
    """

    mac: str = ""
    bridge: str = ""
    place: str = ""
    settings: tuple[tuple[str, str], ...] = ()


@dataclass
class Foreign:
    """A guest of another manager; `vmm` is what the kernel calls it, `stop` what ends it there.

    `variables` is the file of its UEFI variables, or nothing.

    `left` are the settings that chyves does not take over, each as one would name it. `refusal` says why the guest
    cannot be taken over at all, which is nothing to who wants another one.
    """

    name: str
    vmm: str
    stop: str
    variables: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    disks: list[ForeignDisk] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    refusal: str = ""

    def take(self, property: str, text: str) -> None:
        """Set a property where the other manager had it set."""
        if text:
            self.properties[property] = text

    def after(self, turn: str, text: str) -> None:
        """Set what follows an end of the guest (`on_reboot`), as libvirt and CBSD say it."""
        if text in AFTER:
            self.take(turn, AFTER[text])
        elif text:
            self.left.append(f"{turn}={text}")

    def add_device(self, device: str) -> None:
        """Give the guest a further device of bhyve(8)."""
        number = sum(1 for name in self.properties if name.startswith("pcidev_"))
        self.properties[f"pcidev_{number}"] = device


def disk_options(text: str) -> Iterator[tuple[str, str]]:
    """What the words that follow a disk in a line of bhyve(8) say of it, as settings."""
    for word in filter(None, text.split(",")):
        name, _, value = word.partition("=")
        yield OPTIONS.get(word, (name, value))


def says_yes(text: str) -> bool:
    """Whether a setting is switched on."""
    return text.lower() in TRUE
