"""How zfs(8) and zpool(8) say no: a text on standard error and a status."""

from __future__ import annotations


class Refused(Exception):
    """The command was understood and is not done; the text goes to standard error as it is, status 1."""


class BadUsage(Exception):
    """The words are no command; the text is followed by how the command is used, status 2."""


def cannot(verb: str, name: str, reason: str) -> Refused:
    """The refusal in the form that zfs(8) gives nearly all of its own."""
    return Refused(f"cannot {verb} '{name}': {reason}")


def missing(name: str) -> Refused:
    """The refusal to open what is not there."""
    return cannot("open", name, "dataset does not exist")
