"""What a guest's cloud-init is told: the files of a NoCloud seed, and the image that the guest finds them on.

Where the administrator has written none of a name, it is made here. The image's label is `cidata`, by which cloud-init
looks for it on every disk and CD (its documentation of NoCloud).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from chyves import names
from chyves.bhyve import identity
from chyves.bhyve.devices import devices, seed_image
from chyves.bhyve.facts import Facts
from chyves.bhyve.slots import places
from chyves.errors import ChyvesError
from chyves.properties import Guest

DIRECTORY, LABEL = ".cloud-init", "cidata"
USER, META, NETWORK, VENDOR = "user-data", "meta-data", "network-config", "vendor-data"
FILES = (USER, META, NETWORK, VENDOR)
HEADERS = (
    *("#cloud-config", "#!", "## template: jinja", "Content-Type:", "MIME-Version:"),
    *("#include", "#cloud-boothook", "#part-handler"),
)
"""What user-data and vendor-data begin with, each of another kind; cloud-init passes over all else (its documentation
of user-data formats). #cloud-config and #include are also the beginnings of longer ones."""
NOTHING_TO_DO = "#cloud-config\n{}\n"


@dataclass(frozen=True)
class Image:
    """A seed: the directory where it is made, for root alone; its files there, and the line that makes the image.

    `files` are path and text; those that are in `sources` are the administrator's, from there.
    """

    place: str
    files: dict[str, str]
    sources: dict[str, str]
    line: tuple[str, ...]

    @property
    def directories(self) -> tuple[str, ...]:
        """What is made first, each for root alone: the text of user-data may have secrets in it."""
        return self.place, f"{self.place}/files"


def image(guest: Guest, facts: Facts) -> Image | None:
    """The seed of a guest that has one and whose files were looked at."""
    if facts.seed is None or guest.cloudinit == "no":
        return None
    whole = seed_image(facts.scratch)
    place = whole.rpartition("/")[0]
    texts = {name: f"{place}/files/{name}" for name in FILES if name != VENDOR or name in facts.seed}
    own = facts.seed
    files = {path: own[name] if name in own else _made(name, guest, facts) for name, path in texts.items()}
    sources = {path: f"{facts.directory}/{DIRECTORY}/{name}" for name, path in texts.items() if name in facts.seed}
    line = ("makefs", "-t", "cd9660", "-o", f"rockridge,label={LABEL}", whole, f"{place}/files")
    return Image(place, files, sources, line)


def _made(name: str, guest: Guest, facts: Facts) -> str:
    return {USER: lambda: NOTHING_TO_DO, META: lambda: _meta(guest), NETWORK: lambda: _network(guest, facts)}[name]()


def _meta(guest: Guest) -> str:
    """Who the guest is. With another instance-id cloud-init does all anew: in a clone, and not after a rename."""
    return f"instance-id: {guest.uuid}\nlocal-hostname: {json.dumps(guest.owner)}\n"


def _network(guest: Guest, facts: Facts) -> str:
    """Each card, known by its address, with DHCP; IPv6 is as routers tell. No start waits for further cards.

    It is given its name too: what cloud-init writes for networkd or ifupdown counts for a card of that name alone.
    """
    text = "version: 2\nethernets:"
    for number, mac in enumerate(cards(guest, facts)):
        text += f'\n  eth{number}:\n    match:\n      macaddress: "{mac}"\n    set-name: eth{number}\n    dhcp4: true'
        text += "\n    optional: true" if number else ""
    return text + ("\n" if text.endswith("true") else " {}\n")


def cards(guest: Guest, facts: Facts) -> Iterator[str]:
    """The Ethernet address of each card, also of those that bhyve makes up and of a `pcidev_{n}`."""
    where = places(guest, facts)
    for device in devices(guest, facts):
        if device.emulation in identity.CARDS:
            given = (word[4:] for word in device.conf.split(",") if word.startswith("mac="))
            yield next(given, "") or identity.mac(names.vm(facts.name), where[device.name])


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for a seed that cloud-init would not heed."""
    if guest.cloudinit == "no" or facts.seed is None:
        return
    if META not in facts.seed and guest.uuid is None:
        reason = "is not set, and cloudinit tells the guest by it whether it is a new one"
        raise ChyvesError(f"{facts.name}: uuid: {reason}; set it: chyves {facts.name} set uuid=$(uuidgen)")
    for name in (USER, VENDOR):
        text = facts.seed.get(name)
        if text is not None and not text.startswith(HEADERS):
            path = f"{facts.directory}/{DIRECTORY}/{name}"
            reason = f"{path} does not begin as what cloud-init heeds does"
            raise ChyvesError(f"{facts.name}: cloudinit: {reason}; let its first line be {HEADERS[0]}, or #!/bin/sh")
