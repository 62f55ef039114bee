"""The UEFI variables of a guest: a file of its own in its dataset, so that whatever happens to that happens to them."""

from __future__ import annotations

from pathlib import Path

from chyves.bhyve.facts import Variables
from chyves.bhyve.firmware import has_variables, missing, template_name
from chyves.errors import ChyvesError
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Guest

FILE, MODE = ".vars.fd", 0o600
INSTALLED = ("/usr/local/share/uefi-firmware", "/usr/local/share/edk2-bhyve")
"""Where FreeBSD's packages have firmware (freebsd.md 7.4); the first is there in older ones too."""


def file(holding: GuestHolding) -> Path:
    """Where a guest's variables are, if it keeps some."""
    return holding.mountpoint / FILE


def found(holdings: Holdings, holding: GuestHolding) -> Variables | None:
    """The variables of a guest that keeps some; raises ChyvesError for a link, which could lead anywhere."""
    if not has_variables(holding.properties):
        return None
    own = file(holding)
    if own.is_symlink():
        raise ChyvesError(f"{holding.name}: uefi_vars: {own} is a link; put the file itself in its place")
    template = empty(holdings, holding.properties)
    return Variables(str(own), _size(own), _size(template) if template else None)


def make(holdings: Holdings, holding: GuestHolding) -> None:
    """Give a guest that keeps variables empty ones where it has none yet; raises ChyvesError."""
    if has_variables(holding.properties) and not file(holding).exists():
        begin(holdings, holding)


def begin(holdings: Holdings, holding: GuestHolding) -> None:
    """Give a guest empty variables, also in the place of those that it has, in one step; raises ChyvesError."""
    template = empty(holdings, holding.properties)
    if template is None:
        raise ChyvesError(missing(holding.properties))
    holding.host.files.copy(template, file(holding), MODE)


def empty(holdings: Holdings, guest: Guest) -> Path | None:
    """The empty variables for a guest's firmware: among the firmware of chyves, else where packages install them."""
    if guest.uefi_firmware is None:
        return None
    name = template_name(guest.uefi_firmware)
    imported = holdings.resources("firmware").get(name)
    if imported is not None and not imported.is_symlink():
        return imported
    places = (holdings.host.path(f"{place}/{name}") for place in INSTALLED)
    return next((place for place in places if place.is_file()), None)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None
