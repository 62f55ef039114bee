"""Secrets in texts that are shown to others or kept in logs: what could be one is masked."""

from __future__ import annotations

import re

MASK = "***"
FREE = ("notes", "uefi_vnc_client_custom_cmd", "check_for_updates_unique_id")
"""Properties of which nobody knows what is in them."""

_FREE_DISK = re.compile(r"disk[0-9]+_notes")
_TOLD = re.compile(rf"\b((?:disk[0-9]+_)?(?:{'|'.join(FREE)})=|disk[0-9]+ notes )(?![\s'-]*$).*", re.MULTILINE)
_BEGIN = r"(?<![\w-])"
"""Looked for at the beginning of words only, and there once: a long word would else take the square of its length."""

_SECRET = r"(?>[\w-]*?(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|credential))[\w-]*+"
_NAME = re.compile(_SECRET, re.IGNORECASE)
_ASSIGNED = re.compile(rf"{_BEGIN}({_SECRET}[\"']?[^\S\n]*[=:][^\S\n]*)(\"[^\"]*\"|'[^']*'|[^\s,;&]+)", re.IGNORECASE)
_OPTION = re.compile(rf"{_BEGIN}(--?{_SECRET}\s+)([^\s-]\S*)", re.IGNORECASE)
_LOGIN = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]+://)[^\s/]*@")
_QUERY = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]+://[^\s?]*\?)\S+")


def masked(text: str) -> str:
    """A text without passwords, tokens, and the logins and queries of addresses, as far as their form betrays them."""
    for pattern, shown in (
        (_LOGIN, rf"\1{MASK}@"),
        (_QUERY, rf"\1{MASK}"),
        (_ASSIGNED, rf"\1{MASK}"),
        (_OPTION, rf"\1{MASK}"),
    ):
        text = pattern.sub(shown, text)
    return text


def holds_secret(text: str) -> bool:
    """Whether something in a text would be masked: then root alone may read the file that it is written to."""
    return masked(text) != text


def secret_named(name: str) -> bool:
    """Whether a property's value is a secret by its name."""
    return _NAME.fullmatch(name) is not None


def masked_value(name: str, value: str) -> str:
    """The value of a property, masked whole where nobody knows what is in it."""
    whole = name in FREE or _FREE_DISK.fullmatch(name) or secret_named(name)
    return MASK if whole and value not in ("", "-") else masked(value)


def masked_report(text: str) -> str:
    """A text for strangers: also without what a line says of a property of which nobody knows what is in it."""
    return masked(_TOLD.sub(rf"\1{MASK}", text))
