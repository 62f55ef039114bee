"""Small devices of a guest that are neither disk nor network card: shared directories, random numbers, sound."""

from __future__ import annotations

from collections.abc import Iterator

from chyves.bhyve.facts import Facts
from chyves.errors import ChyvesError
from chyves.properties import Guest

SHARES, RND, AUDIO = "virtio-9p", "virtio-rnd", "hda"
SINCE = {SHARES: (1300000, "13.0"), AUDIO: (1300000, "13.0")}
"""kern.osreldate and release from which bhyve has a device; the others are as old as what chyves runs on."""


def peripherals(guest: Guest) -> Iterator[tuple[str, str, str, str]]:
    """Each device by its name in `pci_slots`, the family that it shares slots with, its emulation and options."""
    for number, text in sorted(guest.share.items()):
        yield f"share{number}", "share", SHARES, text
    if guest.virtio_rnd:
        yield "rnd", "rnd", RND, ""
    if sound := _sound(guest):
        yield "audio", "audio", AUDIO, ",".join(sound)


def _sound(guest: Guest) -> list[str]:
    ends = (("play", guest.audio_play), ("rec", guest.audio_rec))
    return [f"{name}={device}" for name, device in ends if device is not None]


def shared_directory(text: str) -> str:
    """The directory in the text of a `share{n}`."""
    return text.partition("=")[2].removesuffix(",ro")


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for a device that bhyve of this host lacks, and for two shares of one name."""
    properties = {"rnd": "virtio_rnd", "audio": "audio_play" if guest.audio_play else "audio_rec"}
    for name, _, emulation, _ in peripherals(guest):
        since, release = SINCE.get(emulation, (0, ""))
        known = facts.host.devices
        if (known and emulation not in known) or facts.host.release < since:
            has = f", which FreeBSD {release} has" if release else ""
            name = properties.get(name, name)
            raise ChyvesError(f"{facts.name}: {name}: the bhyve of this host has no {emulation}{has}; unset {name}")
    seen: dict[str, int] = {}
    for number, text in sorted(guest.share.items()):
        called = text.partition("=")[0]
        if called in seen:
            raise ChyvesError(
                f"{facts.name}: share{number}: {called} is what share{seen[called]} is called; give each its own name"
            )
        seen[called] = number
