"""Secrets in texts that are shown to others or kept in logs: what could be one is masked."""

from __future__ import annotations

import re

MASK = "***"
FREE = ("notes", "uefi_vnc_client_custom_cmd", "check_for_updates_unique_id")
"""Properties of which nobody knows what is in them."""

_FREE_DISK = r"disk[0-9]+_notes"
_TOLD = rf"(?m)\b((?:disk[0-9]+_)?(?:{'|'.join(FREE)})=|disk[0-9]+ notes )(?![\s'-]*$).*"
_BEGIN = r"(?<![\w-])"
"""Looked for at the beginning of words only, and there once: a long word would else take the square of its length."""

_SECRET = r"(?>[\w-]*?(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|credential))[\w-]*+"
_ASSIGNED = rf"(?i){_BEGIN}({_SECRET}[\"']?[^\S\n]*[=:][^\S\n]*)(\"[^\"]*\"|'[^']*'|[^\s,;&]+)"
_OPTION = rf"(?i){_BEGIN}(--?{_SECRET}\s+)([^\s-]\S*)"
_LOGIN = r"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]+://)[^\s/]*@"
_QUERY = r"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]+://[^\s?]*\?)\S+"


def masked(text: str) -> str:
    """A text without passwords, tokens, and the logins and queries of addresses, as far as their form betrays them."""
    for pattern, shown in (
        (_LOGIN, rf"\1{MASK}@"),
        (_QUERY, rf"\1{MASK}"),
        (_ASSIGNED, rf"\1{MASK}"),
        (_OPTION, rf"\1{MASK}"),
    ):
        text = re.sub(pattern, shown, text)
    return text


def holds_secret(text: str) -> bool:
    """Whether something in a text would be masked: then root alone may read the file that it is written to."""
    return masked(text) != text


def secret_named(name: str) -> bool:
    """Whether a property's value is a secret by its name."""
    return re.fullmatch(_SECRET, name, re.IGNORECASE) is not None


def masked_value(name: str, value: str) -> str:
    """The value of a property, masked whole where nobody knows what is in it."""
    whole = name in FREE or re.fullmatch(_FREE_DISK, name) or secret_named(name)
    return MASK if whole and value not in ("", "-") else masked(value)


def masked_report(text: str) -> str:
    """A text for strangers: also without what a line says of a property of which nobody knows what is in it."""
    return masked(re.sub(_TOLD, rf"\1{MASK}", text))
