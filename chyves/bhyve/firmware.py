"""The boot ROM of a UEFI guest, alone or with a file of the guest's own for the firmware's variables."""

from __future__ import annotations

from chyves.bhyve.facts import Facts, Variables
from chyves.errors import ChyvesError
from chyves.properties import Guest

SINCE = 1300000
"""kern.osreldate from which bhyve takes a file of variables (freebsd.md 0); no word of `bhyve -l help` tells it."""
PAGE, MOST = 4096, 16 << 20
"""Sizes of the file in bytes: whole pages, and no more than the room for firmware below 4 GB (freebsd.md 1.7)."""


def has_variables(guest: Guest) -> bool:
    """Whether the guest has a file of variables of its own."""
    return guest.loader == "uefi" and guest.uefi_vars


def rom(guest: Guest, facts: Facts) -> str:
    """What follows `-l bootrom,`: the firmware, and the guest's variables where it has some."""
    own = facts.variables
    return f"{facts.firmware},{own.path}" if own and has_variables(guest) else str(facts.firmware)


def template_name(firmware: str) -> str:
    """The file of empty variables that is made for a firmware: BHYVE_UEFI_VARS.fd for BHYVE_UEFI[_CODE].fd."""
    if "_CODE" in firmware:
        return "_VARS".join(firmware.rsplit("_CODE", 1))
    stem, dot, ending = firmware.rpartition(".")
    return f"{stem}_VARS.{ending}" if dot else f"{firmware}_VARS"


def check(guest: Guest, facts: Facts) -> None:
    """Raise ChyvesError for variables that this host's bhyve, or the firmware, cannot have."""
    if not has_variables(guest) or facts.firmware is None:
        return
    if facts.host.release < SINCE:
        raise ChyvesError(
            f"{facts.name}: uefi_vars: the bhyve of this host keeps no variables, that of FreeBSD 13 does; "
            "set uefi_vars=no"
        )
    if facts.variables is not None:
        _sizes(guest, facts.variables)


def not_set(name: str) -> str:
    """Why a UEFI guest without a firmware cannot boot."""
    return f"{name}: uefi_firmware: is not set, and a UEFI guest boots with it; set it to one of: chyves list firmware"


def missing(guest: Guest) -> str:
    """Why a guest that keeps variables cannot begin to."""
    if guest.uefi_firmware is None:
        return not_set(guest.owner)
    return (
        f"{guest.owner}: uefi_vars: {template_name(guest.uefi_firmware)} is neither among the firmware nor in "
        "/usr/local/share/uefi-firmware; install the package edk2-bhyve, or import it with: chyves firmware import"
    )


def _sizes(guest: Guest, own: Variables) -> None:
    name, template = guest.owner, template_name(guest.uefi_firmware or "")
    if own.size is None and own.template is None:
        raise ChyvesError(missing(guest))
    if own.template is not None and not _possible(own.template):
        raise ChyvesError(f"{name}: uefi_vars: {template} has {own.template} bytes, which none has; get another")
    if own.size is None:
        return
    if not _possible(own.size) or own.template not in (None, own.size):
        wanted = f"where {template} has {own.template}" if own.template else "which no such file has"
        raise ChyvesError(
            f"{name}: uefi_vars: {own.path} has {own.size} bytes, {wanted}; "
            f"bring back a snapshot, or begin with empty variables: chyves {name} vars reset"
        )


def _possible(size: int) -> bool:
    return PAGE <= size < MOST and size % PAGE == 0
