"""Keeping what is secret out of logs and messages."""

from __future__ import annotations

import re

HIDDEN = "***"

_SECRET = re.compile(r"(?<=://)[^/\s]*(?=@)|(?<=password=)[^,\s]+")


def masked(text: str) -> str:
    """A text without the user and password of the addresses in it, and without what follows `password=`."""
    return _SECRET.sub(HIDDEN, text)
